"""What the measures found: plain values, a DataFrame for a page, a table for the terminal.

Every report has to_dict() (what audit.json keeps), from_dict(), frame() and table(). A figure that
the rows cannot give is None.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from finetune.report import Bin, plain


@dataclass(frozen=True)
class TermFigures:
    """How sentences with one identity term are judged; "" stands for those without any.

    negatives, positives: rows with the term that are not bad, and that are.
    false_positive_rate: share of the negatives flagged.  false_negative_rate: of the positives not.
    subgroup_auc, bpsn_auc, bnsp_auc: see identity.py.
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
class KindFigures:
    """How one kind of sentence is judged: `flagged` is a share; it should be 1 if bad, else 0."""

    kind: str
    bad: bool
    rows: int
    flagged: float


@dataclass(frozen=True)
class IdentityReport:
    """One label on one set of sentences with identity terms.

    roc_auc: of all rows.  power_means: figure → its generalized mean over the terms, p = -5.
    """

    source: str
    label: str
    threshold: float
    rows: int
    roc_auc: float | None
    power_means: dict[str, float | None]
    terms: list[TermFigures]
    kinds: list[KindFigures]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() gave."""
        terms = [TermFigures(**term) for term in record["terms"]]
        kinds = [KindFigures(**kind) for kind in record["kinds"]]
        return cls(**{**record, "terms": terms, "kinds": kinds})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    @property
    def highest_false_positive_rate(self) -> TermFigures | None:
        """The term whose harmless sentences are flagged most often."""
        known = [term for term in self._named() if term.false_positive_rate is not None]
        return max(known, key=lambda term: term.false_positive_rate or 0.0, default=None)

    @property
    def mean_false_negative_rate(self) -> float | None:
        """Mean over the terms."""
        return _mean([term.false_negative_rate for term in self._named()])

    @property
    def mean_false_positive_rate(self) -> float | None:
        """Mean over the terms."""
        return _mean([term.false_positive_rate for term in self._named()])

    def lowest(self, figure: str) -> TermFigures | None:
        """The term with the lowest subgroup_auc, bpsn_auc or bnsp_auc."""
        known = [term for term in self._named() if getattr(term, figure) is not None]
        return min(known, key=lambda term: getattr(term, figure), default=None)

    def frame(self) -> pd.DataFrame:
        """One line a term, the most often wronged first."""
        frame = _frame(self.terms, TermFigures)
        order = ["false_positive_rate", "bpsn_auc"]
        return frame.sort_values(order, ascending=[False, True], ignore_index=True)

    def table(self, worst: int = 12) -> str:
        """The terms that fare worst, and the figures over all of them."""
        means = ", ".join(f"{name} {shown(value)}" for name, value in self.power_means.items())
        lines = [
            f"{self.source}: {self.rows:,} sentences, {self.label} at {self.threshold:.3f}, "
            f"ROC-AUC {shown(self.roc_auc)}",
            f"mean over {len(self._named())} terms: false-positive rate "
            f"{shown(self.mean_false_positive_rate)}, false-negative rate "
            f"{shown(self.mean_false_negative_rate)}",
            f"power means (p = -5): {means}",
            as_text(self.frame().head(worst)),
        ]
        if self.kinds:
            lines.append(as_text(_frame(self.kinds, KindFigures)))
        return "\n".join(lines)

    def _named(self) -> list[TermFigures]:
        return [term for term in self.terms if term.term]


@dataclass(frozen=True)
class GroupFigures:
    """One functionality, or one group of people that cases are about: share judged right."""

    name: str
    hateful: bool | None
    rows: int
    accuracy: float


@dataclass(frozen=True)
class FunctionReport:
    """HateCheck, judged by one label at its threshold.

    best_accuracy, best_threshold: what another threshold would give, chosen on these very cases.
    """

    source: str
    label: str
    threshold: float
    rows: int
    accuracy: float
    accuracy_hateful: float | None
    accuracy_not_hateful: float | None
    roc_auc: float | None
    best_accuracy: float
    best_threshold: float
    functionalities: list[GroupFigures]
    targets: list[GroupFigures]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() gave."""
        groups = {
            name: [GroupFigures(**group) for group in record[name]]
            for name in ("functionalities", "targets")
        }
        return cls(**{**record, **groups})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def frame(self) -> pd.DataFrame:
        """One line a functionality, in the order of the file."""
        return _frame(self.functionalities, GroupFigures).rename(columns={"name": "functionality"})

    def table(self) -> str:
        """All functionalities, groups, and the whole."""
        targets = _frame(self.targets, GroupFigures).rename(columns={"name": "target"})
        return "\n".join(
            [
                f"{self.source}: {self.rows:,} cases, {self.label} at {self.threshold:.3f}",
                f"accuracy {shown(self.accuracy)} (hateful {shown(self.accuracy_hateful)}, "
                f"not hateful {shown(self.accuracy_not_hateful)}), ROC-AUC {shown(self.roc_auc)}; "
                f"best {shown(self.best_accuracy)} at {self.best_threshold:.3g}",
                as_text(self.frame()),
                as_text(targets.drop(columns="hateful")),
            ]
        )


@dataclass(frozen=True)
class KindRobustness:
    """One way of disguising words. Means over the labels, weighted over the rows.

    held_out: whether training cannot have met it, see robustness.py.
    roc_auc_lost: mean ROC-AUC on clean text less the one here.  worst_label: that lost most.
    rows_flipped: share of rows with any label flagged otherwise than on clean text.
    flags_lost: of the flags on clean text, the share gone.  flags_gained: of the others, new ones.
    """

    kind: str
    held_out: bool
    roc_auc: float | None
    roc_auc_lost: float | None
    worst_label: str | None
    worst_label_lost: float | None
    rows_flipped: float
    flags_lost: float | None
    flags_gained: float | None


@dataclass(frozen=True)
class RobustnessReport:
    """Rows again with their words disguised.

    drawn_from: how many rows the source has.  mean_roc_auc_lost: over the kinds not held out.
    """

    source: str
    rows: int
    drawn_from: int
    roc_auc: float | None
    mean_roc_auc_lost: float | None
    held_out_roc_auc_lost: float | None
    kinds: list[KindRobustness]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() gave."""
        return cls(**{**record, "kinds": [KindRobustness(**kind) for kind in record["kinds"]]})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def frame(self) -> pd.DataFrame:
        """One line a kind."""
        return _frame(self.kinds, KindRobustness)

    def table(self) -> str:
        """One line a kind, and the mean."""
        drawn = "" if self.rows == self.drawn_from else f" of {self.drawn_from:,}"
        return "\n".join(
            [
                f"{self.source}: {self.rows:,}{drawn} rows, mean ROC-AUC on clean text "
                f"{shown(self.roc_auc)}, lost on average {shown(self.mean_roc_auc_lost)}, "
                f"in kinds held out from training {shown(self.held_out_roc_auc_lost)}",
                as_text(self.frame()),
            ]
        )


@dataclass(frozen=True)
class OperatingPoint:
    """What one threshold gives: share of all rows flagged, and how well."""

    threshold: float
    flagged: float
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class LabelPoints:
    """One label: how it ranks, how true its probabilities are, and what thresholds give."""

    roc_auc: float | None
    average_precision: float | None
    threshold: float
    calibration_error: float | None
    reliability: list[Bin]
    points: list[OperatingPoint]

    @property
    def chosen(self) -> OperatingPoint:
        """The point at the model's own threshold."""
        return min(self.points, key=lambda point: abs(point.threshold - self.threshold))


@dataclass(frozen=True)
class OperatingReport:
    """Operating points by label, on rows by their weights."""

    source: str
    rows: int
    weighted: bool
    labels: dict[str, LabelPoints]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() gave."""
        labels = {
            name: LabelPoints(
                **{
                    **label,
                    "reliability": [Bin(**point) for point in label["reliability"]],
                    "points": [OperatingPoint(**point) for point in label["points"]],
                }
            )
            for name, label in record["labels"].items()
        }
        return cls(**{**record, "labels": labels})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def frame(self) -> pd.DataFrame:
        """One line a label and threshold; `chosen` marks the model's own."""
        return pd.DataFrame(
            [
                {
                    "label": name,
                    "chosen": point == label.chosen,
                    **dataclasses.asdict(point),
                }
                for name, label in self.labels.items()
                for point in label.points
            ]
        )

    def reliability_frame(self) -> pd.DataFrame:
        """One line a label and band of scores: mean_score, share_positive, weight."""
        return pd.DataFrame(
            [
                {"label": name, **dataclasses.asdict(point)}
                for name, label in self.labels.items()
                for point in label.reliability
            ]
        )

    def table(self) -> str:
        """Ranking and calibration by label, then the operating points."""
        figures = pd.DataFrame(
            [
                {
                    "label": name,
                    "ROC-AUC": label.roc_auc,
                    "average precision": label.average_precision,
                    "calibration error": label.calibration_error,
                }
                for name, label in self.labels.items()
            ]
        )
        weighted = ", weighted" if self.weighted else ""
        return "\n".join(
            [
                f"{self.source}: {self.rows:,} rows{weighted}",
                as_text(figures),
                as_text(self.frame()),
            ]
        )


@dataclass(frozen=True)
class TransferFigures:
    """One label on one set of comments from elsewhere."""

    source: str
    label: str
    rows: int
    positives: int
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class TransferReport:
    """How the model ranks comments that are unlike those it learned from."""

    figures: list[TransferFigures]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() gave."""
        return cls([TransferFigures(**figures) for figures in record["figures"]])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def mean_roc_auc(self, source: str) -> float | None:
        """Mean over the labels of one source."""
        return _mean(figures.roc_auc for figures in self.figures if figures.source == source)

    def frame(self) -> pd.DataFrame:
        """One line a source and label."""
        return _frame(self.figures, TransferFigures)

    def table(self) -> str:
        """One line a source and label."""
        return as_text(self.frame())


def as_text(frame: pd.DataFrame) -> str:
    """Write a frame in fixed-width lines, with words for column names and – for nothing."""
    titled = frame.rename(columns=lambda name: str(name).replace("_", " "))
    return titled.to_string(index=False, na_rep="–", float_format=lambda value: f"{value:.4f}")


def shown(value: float | None) -> str:
    """Write a figure with four decimals, – for None."""
    return "–" if value is None else f"{value:.4f}"


def _frame(rows: Iterable[Any], kind: type) -> pd.DataFrame:
    names = [field.name for field in dataclasses.fields(kind)]
    return pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=names)


def _mean(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
