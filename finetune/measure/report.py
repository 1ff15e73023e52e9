"""What a measurement of a model holds, and how it is shown: metrics.json, a table, CSV.

evaluate.py fills these in; a figure that the rows cannot give is None, with a sentence in
the report's notes.
"""

import csv
import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat


def ratio(part: SupportsFloat, whole: SupportsFloat) -> float | None:
    """Give part / whole, or None where whole is 0."""
    return float(part) / float(whole) if float(whole) > 0 else None


@dataclass(frozen=True)
class Bin:
    """One point of a reliability diagram: what was said and what was found, in a band of scores."""

    mean_score: float
    share_positive: float
    weight: float


@dataclass(frozen=True)
class Confusion:
    """Sums of row weights: counts when the rows carry no weights."""

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float

    @property
    def precision(self) -> float | None:
        """Of what is flagged, the share that carries the label; None when nothing is flagged."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float | None:
        """Of what carries the label, the share that is flagged; None when nothing carries it."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None when nothing carries the label."""
        if self.true_positive + self.false_negative == 0:
            return None
        wrong = self.false_positive + self.false_negative
        return 2 * self.true_positive / (2 * self.true_positive + wrong)


@dataclass(frozen=True)
class LabelFigures:
    """One label's figures. rows and positives are counts; share is weighted, like all the rest.

    Precision, recall, F1 and confusion hold at the threshold, f1_at_half at 0.5. For a class of
    evaluate_classes they hold for “this class or another”, and threshold and f1_at_half are None.
    """

    rows: int
    positives: int
    share: float | None
    roc_auc: float | None
    average_precision: float | None
    threshold: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    f1_at_half: float | None
    brier: float | None
    calibration_error: float | None
    confusion: Confusion
    reliability: list[Bin]


@dataclass(frozen=True)
class OriginalFigures:
    """The four figures of the original report.

    label_accuracy: share of right cells among all known (row, label) cells.
    exact_match: share of rows with every label right, among rows with every label known.
    precision, recall: micro-averaged, that is over the cells of all labels together.
    """

    label_accuracy: float | None
    exact_match: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class LabelsReport:
    """Figures of labels that can go together; means are over the labels that have the figure.

    weighted: whether a row counts other than once.
    roc_auc_error: standard error of the mean ROC-AUC, by bootstrap; None when not asked for.
    """

    rows: int
    blank: int
    weighted: bool
    labels: dict[str, LabelFigures]
    means: dict[str, float | None]
    roc_auc_error: float | None
    original_at_half: OriginalFigures
    original_at_thresholds: OriginalFigures
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json, rounded to six decimals."""
        return plain(self)

    def csv(self) -> str:
        """One line a label and one for the means, as comma-separated values with a header."""
        return _label_csv(self.labels, self.means)

    def table(self) -> str:
        """The report in fixed-width lines of text."""
        lines = [_rows_line(self.rows, self.blank, self.weighted), ""]
        lines += _label_lines(self.labels, self.means)
        if self.roc_auc_error is not None:
            lines.append(
                f"Standard error of the mean ROC-AUC: {self.roc_auc_error:.4f} (bootstrap)"
            )
        lines += ["", f"{'':18}label accuracy   exact match     precision        recall"]
        for name, figures in (
            ("at 0.5", self.original_at_half),
            ("at the thresholds", self.original_at_thresholds),
        ):
            values = dataclasses.astuple(figures)
            lines.append(f"{name:18}" + "".join(f"{_shown(value):>14}" for value in values))
        return "\n".join(lines + [f"Note: {note}" for note in self.notes])


@dataclass(frozen=True)
class ClassesReport:
    """Figures of labels that exclude each other, where the likeliest one is the answer.

    accuracy: share of rows answered right; micro-averaged F1 is the same number.
    macro_f1: mean of the classes' F1.  calibration_error: of the likeliest class's probability.
    """

    rows: int
    blank: int
    weighted: bool
    accuracy: float | None
    macro_f1: float | None
    calibration_error: float | None
    reliability: list[Bin]
    labels: dict[str, LabelFigures]
    means: dict[str, float | None]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json, rounded to six decimals."""
        return plain(self)

    def csv(self) -> str:
        """One line a class and one for the means, as comma-separated values with a header."""
        return _label_csv(self.labels, self.means)

    def table(self) -> str:
        """The report in fixed-width lines of text."""
        lines = [_rows_line(self.rows, self.blank, self.weighted), ""]
        lines += _label_lines(self.labels, self.means)
        lines += [
            "",
            f"Accuracy {_shown(self.accuracy)} · macro F1 {_shown(self.macro_f1)} · "
            f"calibration error of the likeliest class {_shown(self.calibration_error)}",
        ]
        return "\n".join(lines + [f"Note: {note}" for note in self.notes])


Report = LabelsReport | ClassesReport


def plain(report: Any) -> dict[str, Any]:
    """Turn a report into plain values, rounded to six decimals."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        if isinstance(value, list):
            return [rounded(item) for item in value]
        return round(value, 6) if isinstance(value, float) else value

    return rounded(dataclasses.asdict(report))


_COLUMNS = {
    "rows": "rows", "positives": "positives", "share": "share", "roc_auc": "ROC-AUC",
    "average_precision": "avg.prec.", "threshold": "threshold", "precision": "precision",
    "recall": "recall", "f1": "F1", "f1_at_half": "F1 at 0.5", "brier": "Brier",
    "calibration_error": "ECE",
}  # fmt: skip


def _label_lines(
    figures: Mapping[str, LabelFigures], means: Mapping[str, float | None]
) -> list[str]:
    width = max(map(len, [*figures, "mean"])) + 2
    lines = [" " * width + "".join(f"{title:>11}" for title in _COLUMNS.values())]
    for label, values in figures.items():
        cells = (getattr(values, name) for name in _COLUMNS)
        lines.append(f"{label:{width}}" + "".join(f"{_shown(cell):>11}" for cell in cells))
    cells = (_shown(means[name]) if name in means else "" for name in _COLUMNS)
    return [*lines, f"{'mean':{width}}" + "".join(f"{cell:>11}" for cell in cells)]


def _label_csv(figures: Mapping[str, LabelFigures], means: Mapping[str, float | None]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["label", *_COLUMNS], lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for label, values in figures.items():
        writer.writerow({"label": label, **plain(values)})
    writer.writerow({"label": "mean", **{name: means.get(name) for name in _COLUMNS}})
    return text.getvalue()


def _rows_line(rows: int, blank: int, weighted: bool) -> str:
    line = f"{rows:,} rows, " + ("weighted" if weighted else "each counted once")
    return line + (f"; {blank:,} blank left out" if blank else "")


def _shown(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
