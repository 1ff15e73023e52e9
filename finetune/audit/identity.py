"""Is a comment flagged for naming an identity? Error rates and rankings for each identity term.

Subgroup, BPSN and BNSP ROC-AUC, and their power mean, follow Borkan et al. (2019, “Nuanced Metrics
for Measuring Unintended Bias with Real Data for Text Classification”), error rates at a threshold
Dixon et al. (2018). The background of a term is all rows without it. Where we differ: the longest
term that matches counts, so a sentence about African Americans is not one about Americans.

    subgroup  the term's bad rows against the term's other rows: can it tell them apart at all?
    bpsn      bad background against the term's harmless rows: low when the term raises scores
    bnsp      the term's bad rows against harmless background: low when the term lowers scores
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from comment_toxicity.decision import reaches
from finetune.audit.operating_points import THRESHOLDS
from finetune.audit.ranking import power_mean, roc_auc
from finetune.measure.report import frame_of, mean, plain, ratio
from finetune.measure.tables import METRICS, Column, Table, count, decimals, percentage

AT_LEAST = 5  # harmless or bad rows; with fewer, a term's rate would be chance
AUCS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
AUC_NOTE = (
    "Subgroup AUC ranks a term's own sentences. BPSN AUC ranks its harmless sentences against bad "
    "ones about others, and is low where the term alone raises scores. BNSP AUC ranks its bad "
    "sentences against harmless ones about others, and is low where the term lowers scores."
)


@dataclass(frozen=True)
class TermMetrics:
    """How sentences with one identity term are judged; the term "" is those without any.

    negatives, positives: rows with the term that are not bad, and that are.
    false_positive_rate: share of the negatives flagged.  false_negative_rate: of the positives not.
    subgroup_auc, bpsn_auc, bnsp_auc: see the top of this file.
    """

    term: str
    negatives: int
    positives: int
    false_positive_rate: float | None
    false_negative_rate: float | None
    subgroup_auc: float | None
    bpsn_auc: float | None
    bnsp_auc: float | None


@dataclass(frozen=True)
class KindMetrics:
    """The share flagged of one kind of sentence; it should be 1 if bad, else 0."""

    kind: str
    bad: bool
    rows: int
    flagged: float


@dataclass(frozen=True)
class IdentityReport:
    """One label on one set of sentences with identity terms.

    roc_auc: of all rows.  power_means: metric → its generalized mean over the terms, p = -5.
    worst_rate_at: threshold → the highest false-positive rate of any term there.
    """

    source: str
    label: str
    threshold: float
    rows: int
    roc_auc: float | None
    power_means: dict[str, float | None]
    worst_rate_at: dict[str, float | None]
    terms: list[TermMetrics]
    kinds: list[KindMetrics]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() returned."""
        terms = [TermMetrics(**term) for term in record["terms"]]
        kinds = [KindMetrics(**kind) for kind in record["kinds"]]
        return cls(**{**record, "terms": terms, "kinds": kinds})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    @property
    def highest_false_positive_rate(self) -> TermMetrics | None:
        """The term whose harmless sentences are flagged most often."""
        known = [term for term in self.named if term.false_positive_rate is not None]
        return max(known, key=lambda term: term.false_positive_rate or 0.0, default=None)

    @property
    def mean_false_negative_rate(self) -> float | None:
        """Mean over the terms."""
        return mean([term.false_negative_rate for term in self.named])

    @property
    def mean_false_positive_rate(self) -> float | None:
        """Mean over the terms."""
        return mean([term.false_positive_rate for term in self.named])

    def lowest(self, metric: str) -> TermMetrics | None:
        """The term with the lowest subgroup_auc, bpsn_auc or bnsp_auc."""
        known = [term for term in self.named if getattr(term, metric) is not None]
        return min(known, key=lambda term: getattr(term, metric), default=None)

    def frame(self) -> pd.DataFrame:
        """A row for each term, the highest false-positive rates first."""
        frame = frame_of(self.terms, TermMetrics)
        order = ["false_positive_rate", "bpsn_auc"]
        return frame.sort_values(order, ascending=[False, True], ignore_index=True)

    def table(self) -> str:
        """The report as text for the terminal: the 12 worst terms, and means over all of them."""
        means = ", ".join(
            f"{METRICS[name].title} {decimals(value)}" for name, value in self.power_means.items()
        )
        lines = [
            f"{self.source}: {self.rows:,} sentences, {self.label} at {decimals(self.threshold)}, "
            f"ROC-AUC {decimals(self.roc_auc)}",
            f"mean over {len(self.named)} terms: false-positive rate "
            f"{percentage(self.mean_false_positive_rate)}, false-negative rate "
            f"{percentage(self.mean_false_negative_rate)}",
            f"power means (p = -5): {means}",
            term_table(self.worst_first()[:12]).text(),
        ]
        if self.kinds:
            lines.append(kind_table([self]).text())
        return "\n".join(lines)

    @property
    def named(self) -> list[TermMetrics]:
        """The terms, without the sentences that name none."""
        return [term for term in self.terms if term.term]

    def worst_first(self) -> list[TermMetrics]:
        """The terms, those whose harmless sentences are flagged most first, unknown rates last."""

        def order(term: TermMetrics) -> tuple[bool, float, bool, float]:
            rate, auc = term.false_positive_rate, term.bpsn_auc
            return rate is None, -(rate or 0.0), auc is None, auc or 0.0

        return sorted(self.named, key=order)


def term_table(terms: Sequence[TermMetrics], title: str = "") -> Table:
    """One row per term, in the order given."""
    metrics = [METRICS[name] for name in ("false_positive_rate", "false_negative_rate", *AUCS)]
    return Table(
        title=title,
        columns=[Column("term"), Column("harmless", count), Column("bad", count), *metrics],
        rows=[
            (
                term.term or "none named",
                term.negatives,
                term.positives,
                term.false_positive_rate,
                term.false_negative_rate,
                term.subgroup_auc,
                term.bpsn_auc,
                term.bnsp_auc,
            )
            for term in terms
        ],
    )


def kind_table(reports: Sequence[IdentityReport]) -> Table:
    """One row per kind of sentence, and for each label the share flagged."""
    shares: dict[tuple[str, bool], dict[str, float]] = {}
    for report in reports:
        for kind in report.kinds:
            shares.setdefault((kind.kind, kind.bad), {})[report.label] = kind.flagged
    labels = list(dict.fromkeys(report.label for report in reports))
    flagged = [Column(f"flagged {label}", percentage) for label in labels]
    return Table(
        title="Share flagged by kind of sentence:",
        note="Reports, answers and negations use bad words against hate, and should not be "
        "flagged.",
        columns=[Column("kind of sentence"), Column("should be flagged"), *flagged],
        rows=[
            (kind, bad, *(by_label.get(label) for label in labels))
            for (kind, bad), by_label in shares.items()
        ],
    )


def overview_table(reports: Sequence[IdentityReport]) -> Table:
    """One row per report: its worst terms, and the means over its terms."""
    rows = []
    for report in reports:
        worst, lowest = report.highest_false_positive_rate, report.lowest("bpsn_auc")
        rate = percentage(worst.false_positive_rate if worst else None)
        if worst and worst.false_positive_rate:
            rate += f" ({worst.term})"
        auc = f"{decimals(lowest.bpsn_auc)} ({lowest.term})" if lowest else None
        missed, power = report.mean_false_negative_rate, report.power_means["bpsn_auc"]
        rows.append((report.source, report.label, report.rows, rate, missed, auc, power))
    columns = [
        Column("sentences"),
        Column("label"),
        Column("number", count),
        Column("highest false-positive rate"),
        Column("mean false-negative rate", percentage),
        Column("lowest BPSN AUC"),
        Column("power mean", decimals),
    ]
    return Table(note=AUC_NOTE, columns=columns, rows=rows)


def measure_identity(
    source: str,
    label: str,
    bad: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    mentions: Mapping[str, NDArray[np.bool_]],
    kinds: Sequence[str] | None = None,
) -> IdentityReport:
    """Measure one label on rows with and without identity terms.

    bad: (rows,), 1 where the label applies, 0 where not, NaN where unknown (left out).
    scores: (rows,) of that label; NaN rows (blank texts) are left out.
    mentions: term → (rows,), whether the row names it.  kinds: (rows,), the kind of sentence.
    """
    truth, values = np.asarray(bad, dtype=float), np.asarray(scores, dtype=float)
    known = ~np.isnan(truth) & ~np.isnan(values)
    is_bad, values = truth[known] == 1, values[known]
    flagged = reaches(values, threshold)
    masks = {term: np.asarray(mask)[known] for term, mask in mentions.items()}
    without = ~np.logical_or.reduce([np.zeros(len(values), dtype=bool), *masks.values()])
    terms = [_term(term, mask, is_bad, values, flagged) for term, mask in masks.items()]
    background = [_rates("", without, is_bad, flagged)] if without.any() else []
    return IdentityReport(
        source=source,
        label=label,
        threshold=float(threshold),
        rows=len(values),
        roc_auc=roc_auc(is_bad, values),
        power_means={
            name: power_mean([v for v in (getattr(t, name) for t in terms) if v is not None])
            for name in AUCS
        },
        worst_rate_at={
            f"{limit:g}": _worst_rate(masks, is_bad, reaches(values, limit)) for limit in THRESHOLDS
        },
        terms=background + terms,
        kinds=_kinds(np.asarray(kinds)[known], is_bad, flagged) if kinds is not None else [],
    )


def _term(
    term: str,
    mask: NDArray[np.bool_],
    bad: NDArray[np.bool_],
    scores: NDArray[np.float64],
    flagged: NDArray[np.bool_],
) -> TermMetrics:
    subsets = (mask, np.where(mask, ~bad, bad), np.where(mask, bad, ~bad))
    aucs = (roc_auc(bad[rows], scores[rows], at_least=AT_LEAST) for rows in subsets)
    return _rates(term, mask, bad, flagged, *aucs)


def _rates(
    term: str,
    mask: NDArray[np.bool_],
    bad: NDArray[np.bool_],
    flagged: NDArray[np.bool_],
    subgroup: float | None = None,
    bpsn: float | None = None,
    bnsp: float | None = None,
) -> TermMetrics:
    negatives, positives = int((mask & ~bad).sum()), int((mask & bad).sum())
    false_positives, misses = (mask & ~bad & flagged).sum(), (mask & bad & ~flagged).sum()
    return TermMetrics(
        term=term,
        negatives=negatives,
        positives=positives,
        false_positive_rate=ratio(false_positives, negatives) if negatives >= AT_LEAST else None,
        false_negative_rate=ratio(misses, positives) if positives >= AT_LEAST else None,
        subgroup_auc=subgroup,
        bpsn_auc=bpsn,
        bnsp_auc=bnsp,
    )


def _worst_rate(
    masks: Mapping[str, NDArray[np.bool_]], bad: NDArray[np.bool_], flagged: NDArray[np.bool_]
) -> float | None:
    harmless = [mask & ~bad for mask in masks.values()]
    rates = [float(flagged[rows].mean()) for rows in harmless if rows.sum() >= AT_LEAST]
    return max(rates, default=None)


def _kinds(
    kinds: NDArray[np.str_], bad: NDArray[np.bool_], flagged: NDArray[np.bool_]
) -> list[KindMetrics]:
    metrics = []
    for kind in dict.fromkeys(kinds.tolist()):
        for is_bad in (False, True):
            rows = (kinds == kind) & (bad == is_bad)
            if rows.any():
                share = float(flagged[rows].mean())
                metrics.append(KindMetrics(kind, is_bad, int(rows.sum()), share))
    return metrics
