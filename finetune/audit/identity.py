"""Are people judged by what they are? Error rates and rankings for each identity term.

Subgroup, BPSN and BNSP ROC-AUC, and their power mean, follow Borkan et al. (2019, “Nuanced Metrics
for Measuring Unintended Bias with Real Data for Text Classification”), error rates at a threshold
Dixon et al. (2018). The background of a term are all rows without it. Where we differ: a term is
the longest that fits, so a sentence about African Americans is not one about Americans.

    subgroup  the term's bad rows against the term's other rows: can it tell them apart at all?
    bpsn      bad background against the term's harmless rows: low when the term raises scores
    bnsp      the term's bad rows against harmless background: low when the term lowers scores
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune.report import ratio

from .ranking import power_mean, roc_auc
from .reports import IdentityReport, KindFigures, TermFigures

AT_LEAST = 5  # rows of a kind; below, a term's figure would be chance
AUCS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")


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

    bad: (rows,), 1 where the label is right, 0 where not, NaN where unknown (left out).
    scores: (rows,) of that label; NaN rows (blank texts) are left out.
    mentions: term → (rows,) whether the row names it.  kinds: (rows,) what kind of sentence it is.
    """
    truth, values = np.asarray(bad, dtype=float), np.asarray(scores, dtype=float)
    known = ~np.isnan(truth) & ~np.isnan(values)
    is_bad, values = truth[known] == 1, values[known]
    flagged = values >= np.float32(threshold)
    masks = {term: np.asarray(mask)[known] for term, mask in mentions.items()}
    without = ~np.logical_or.reduce([np.zeros(len(values), dtype=bool), *masks.values()])
    figures = [_term(term, mask, is_bad, values, flagged) for term, mask in masks.items()]
    background = [_rates("", without, is_bad, flagged)] if without.any() else []
    return IdentityReport(
        source=source,
        label=label,
        threshold=float(threshold),
        rows=len(values),
        roc_auc=roc_auc(is_bad, values),
        power_means={
            name: power_mean([v for v in (getattr(t, name) for t in figures) if v is not None])
            for name in AUCS
        },
        terms=background + figures,
        kinds=_kinds(np.asarray(kinds)[known], is_bad, flagged) if kinds is not None else [],
    )


def _term(
    term: str,
    mask: NDArray[np.bool_],
    bad: NDArray[np.bool_],
    scores: NDArray[np.float64],
    flagged: NDArray[np.bool_],
) -> TermFigures:
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
) -> TermFigures:
    negatives, positives = int((mask & ~bad).sum()), int((mask & bad).sum())
    false_positives, misses = (mask & ~bad & flagged).sum(), (mask & bad & ~flagged).sum()
    return TermFigures(
        term=term,
        negatives=negatives,
        positives=positives,
        false_positive_rate=ratio(false_positives, negatives) if negatives >= AT_LEAST else None,
        false_negative_rate=ratio(misses, positives) if positives >= AT_LEAST else None,
        subgroup_auc=subgroup,
        bpsn_auc=bpsn,
        bnsp_auc=bnsp,
    )


def _kinds(
    kinds: NDArray[np.str_], bad: NDArray[np.bool_], flagged: NDArray[np.bool_]
) -> list[KindFigures]:
    figures = []
    for kind in dict.fromkeys(kinds.tolist()):
        for is_bad in (False, True):
            rows = (kinds == kind) & (bad == is_bad)
            if rows.any():
                share = float(flagged[rows].mean())
                figures.append(KindFigures(kind, is_bad, int(rows.sum()), share))
    return figures
