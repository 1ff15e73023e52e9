"""What each threshold gives, and whether the probabilities are calibrated.

For each label: precision, recall, F1 and the share of all rows flagged at several thresholds and at
the model's own; and reliability with its calibration error, as measure/evaluate.py has them.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike

from finetune.measure.report import Bin, LabelMetrics, LabelsReport, plain
from finetune.measure.tables import METRICS, Column, Table, decimals, percentage

THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class OperatingPoint:
    """The share of all rows that one threshold flags, and how many of these flags are right."""

    threshold: float
    flagged: float
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class LabelPoints:
    """One label: its ranking, its calibration, and what each threshold gives."""

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
        """Read what to_dict() returned."""
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
        """A row for each label and threshold; `chosen` marks the model's own."""
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

    def table(self) -> str:
        """The report as text for the terminal."""
        weighted = ", weighted" if self.weighted else ""
        lines = [f"{self.source}: {self.rows:,} rows{weighted}"]
        return "\n".join([*lines, self.label_table().text(), self.point_table().text()])

    def label_table(self) -> Table:
        """One row per label: its ranking and its calibration."""
        names = ("roc_auc", "average_precision", "calibration_error")
        return Table(
            columns=[Column("label"), *(METRICS[name] for name in names)],
            rows=[
                (label, *(getattr(points, name) for name in names))
                for label, points in self.labels.items()
            ],
        )

    def point_table(self) -> Table:
        """One row per label and threshold."""
        names = ("threshold", "flagged", "precision", "recall", "f1")
        return Table(
            columns=[Column("label"), Column("its own"), *(METRICS[name] for name in names)],
            rows=[
                (label, point == points.chosen, *(getattr(point, name) for name in names))
                for label, points in self.labels.items()
                for point in points.points
            ],
        )

    def overview_table(self, thresholds: Sequence[float]) -> Table:
        """One row per label, one column per threshold: precision / recall / share flagged."""
        columns = ["label", "its threshold", *map(str, thresholds)]
        rows = []
        for label, points in self.labels.items():
            cells = [_cell(point) for point in points.points if point.threshold in thresholds]
            own = f"{decimals(points.threshold)}: {_cell(points.chosen)}"
            rows.append((label, own, *cells))
        weighted = ", weighted" if self.weighted else ""
        return Table(
            title=f"On {self.rows:,} rows of `{self.source}`{weighted}: precision / recall / share "
            "of all rows flagged.",
            note="The share depends on the mix of comments, and precision with it.",
            columns=list(map(Column, columns)),
            rows=rows,
        )


def _cell(point: OperatingPoint) -> str:
    values = (decimals(point.precision), decimals(point.recall), percentage(point.flagged))
    return " / ".join(values)


def measure_operating_points(
    source: str,
    labels: Sequence[str],
    targets: ArrayLike,
    probabilities: ArrayLike,
    thresholds: Mapping[str, float],
    weights: ArrayLike | None = None,
) -> OperatingReport:
    """Measure each label at THRESHOLDS and at its own.

    targets: (rows, labels), 0, 1 or NaN.  probabilities: (rows, labels); NaN rows are left out.
    thresholds: by label.  weights: (rows,), how much a row counts; rows of 0 are left out.
    """
    from finetune.measure.evaluate import evaluate_labels

    def report(limits: Mapping[str, float]) -> LabelsReport:
        return evaluate_labels(targets, probabilities, labels, limits, weights)

    at_own = report(thresholds)
    own = at_own.labels
    at = {limit: report(dict.fromkeys(labels, limit)).labels for limit in THRESHOLDS}
    measured = {}
    for label in labels:
        points = {limit: by_label[label] for limit, by_label in at.items()}
        points[thresholds[label]] = own[label]
        measured[label] = LabelPoints(
            roc_auc=own[label].roc_auc,
            average_precision=own[label].average_precision,
            threshold=float(thresholds[label]),
            calibration_error=own[label].calibration_error,
            reliability=own[label].reliability,
            points=[_point(limit, points[limit]) for limit in sorted(points)],
        )
    return OperatingReport(source, at_own.rows, at_own.weighted, measured)


def _point(threshold: float, metrics: LabelMetrics) -> OperatingPoint:
    cells = metrics.confusion
    flagged = cells.true_positive + cells.false_positive
    total = flagged + cells.false_negative + cells.true_negative
    return OperatingPoint(
        threshold=float(threshold),
        flagged=flagged / total if total else 0.0,
        precision=cells.precision,
        recall=cells.recall,
        f1=cells.f1,
    )
