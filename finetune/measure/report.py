"""What a measurement of a model holds, and its tables: metrics.json, the terminal, CSV.

evaluate.py fills the reports in. A metric that the rows cannot give is None, with a sentence in
the report's notes. The tables are made from what metrics.json keeps, so that terminal, card and
page show the same digits.
"""

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

import pandas as pd

from finetune.measure.confusion import confused_table, confusion_table
from finetune.measure.intervals import Interval, warnings
from finetune.measure.tables import METRICS, Column, Table, decimals, interval


def ratio(part: SupportsFloat, whole: SupportsFloat) -> float | None:
    """Return part / whole, or None where whole is 0."""
    return float(part) / float(whole) if float(whole) > 0 else None


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def plain(report: Any) -> dict[str, Any]:
    """Return a report dataclass as plain values, rounded to six decimals."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        if isinstance(value, list):
            return [rounded(item) for item in value]
        return round(value, 6) if isinstance(value, float) else value

    return rounded(dataclasses.asdict(report))


def frame_of(rows: Iterable[Any], row_type: type) -> pd.DataFrame:
    """Return a DataFrame with a row for each dataclass of that type, and a column for each field.

    Without rows it still has the columns.
    """
    names = [field.name for field in dataclasses.fields(row_type)]
    return pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=names)


@dataclass(frozen=True)
class Bin:
    """One point of a reliability diagram: mean score and share of positives in a band of scores."""

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
class Curve:
    """Precision and recall of a label at each of these thresholds, the lowest first.

    precision is None where nothing is flagged; recall, where nothing carries the label.
    """

    thresholds: list[float]
    precision: list[float | None]
    recall: list[float | None]


@dataclass(frozen=True)
class LabelMetrics:
    """One label's metrics. rows and positives are counts; share is weighted, like all the rest.

    Precision, recall, F1 and confusion hold at the threshold, f1_at_half at 0.5. For a class of
    evaluate_classes they hold for “this class or another”, and threshold and f1_at_half are None.
    effective_positives, effective_negatives: the rows that carry the label and those that do not,
        as many as their weights leave of them; see intervals.effective_size.
    curve: None for a class, which has no threshold.
    intervals: the 95 % interval, [low, high], of those metrics that have one.
    """

    rows: int
    positives: int
    effective_positives: float
    effective_negatives: float
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
    curve: Curve | None
    intervals: dict[str, Interval]

    @property
    def effective_rows(self) -> float:
        """The smaller of the two effective numbers of rows, on which the metrics rest."""
        return min(self.effective_positives, self.effective_negatives)


@dataclass(frozen=True)
class OriginalMetrics:
    """The four metrics of the original report.

    label_accuracy: share of right cells among all known (row, label) cells.
    exact_match: share of rows with every label right, among rows with every label known.
    precision, recall: micro-averaged, that is over the cells of all labels together.
    """

    label_accuracy: float | None
    exact_match: float | None
    precision: float | None
    recall: float | None


class _Written:
    """The forms in which both reports are written."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json, rounded to six decimals."""
        return plain(self)

    def csv(self) -> str:
        """One line per label and one for the means, as comma-separated values with a header."""
        return _label_csv(self.to_dict())

    def table(self) -> str:
        """The report as text for the terminal."""
        return _text(self.to_dict())


@dataclass(frozen=True)
class LabelsReport(_Written):
    """Metrics of labels that can hold together; means are over the labels that have the metric.

    weighted: whether a row counts other than once.
    roc_auc_error: standard error of the mean ROC-AUC, by bootstrap; None when not asked for, and
        where it would be too small.
    intervals: 95 % intervals of the means, [low, high].
    """

    rows: int
    blank: int
    weighted: bool
    labels: dict[str, LabelMetrics]
    means: dict[str, float | None]
    intervals: dict[str, Interval]
    roc_auc_error: float | None
    original_at_half: OriginalMetrics
    original_at_thresholds: OriginalMetrics
    notes: list[str]


@dataclass(frozen=True)
class ClassesReport(_Written):
    """Metrics of single-label classification, where the likeliest label is the answer.

    accuracy: share of rows answered right; micro-averaged F1 is the same number.
    macro_f1: mean of the classes' F1.  calibration_error: of the likeliest class's probability.
    intervals: 95 % intervals of the means and of the accuracy, [low, high].
    confusion_matrix: true class → predicted class → sum of row weights.
    """

    rows: int
    blank: int
    weighted: bool
    accuracy: float | None
    macro_f1: float | None
    calibration_error: float | None
    reliability: list[Bin]
    labels: dict[str, LabelMetrics]
    means: dict[str, float | None]
    intervals: dict[str, Interval]
    confusion_matrix: dict[str, dict[str, float]]
    notes: list[str]


Report = LabelsReport | ClassesReport

LABEL_METRICS = (
    "rows", "positives", "share", "roc_auc", "average_precision", "threshold", "precision",
    "recall", "f1", "f1_at_half", "brier", "calibration_error",
)  # fmt: skip
"""The metrics of a label that the terminal and the CSV show, in order."""
MATRIX_ON_TERMINAL = 12  # classes; a wider matrix would wrap


def label_table(
    report: Mapping[str, Any], names: Sequence[str] = LABEL_METRICS, mean_row: str = "mean"
) -> Table:
    """Return the metrics of each label, and their means in the last row.

    report: as metrics.json has it.  names: of the metrics; those that no label has are left out.
    mean_row: what the last row is called.
    """
    labels, means = report["labels"], report["means"]
    known = [
        name for name in names if any(label.get(name) is not None for label in labels.values())
    ]
    rows = [[label, *map(metrics.get, known)] for label, metrics in labels.items()]
    averages = (means.get(name) for name in known)
    rows.append([mean_row, *("" if value is None else value for value in averages)])
    return Table(columns=[Column("label"), *(METRICS[name] for name in known)], rows=rows)


def interval_table(report: Mapping[str, Any], mean_row: str = "mean") -> Table | None:
    """Return the 95 % intervals of each label and of the means; None if the report has none.

    report: as metrics.json has it.  mean_row: what the last row is called.
    """
    labels = {label: metrics.get("intervals", {}) for label, metrics in report["labels"].items()}
    names = [name for name in METRICS if any(name in known for known in labels.values())]
    if not names:
        return None
    rows = {**labels, mean_row: report["intervals"]}
    return Table(
        title="95 % intervals:",
        columns=[Column("label"), *(Column(METRICS[name].title, interval) for name in names)],
        rows=[[label, *(known.get(name) for name in names)] for label, known in rows.items()],
    )


def original_table(report: Mapping[str, Any]) -> Table | None:
    """Return the metrics of the original report, at 0.5 and at the thresholds; None for classes.

    report: as metrics.json has it.
    """
    settings = {"original_at_half": "at 0.5", "original_at_thresholds": "at the thresholds"}
    rows = [[title, *report[key].values()] for key, title in settings.items() if report.get(key)]
    names = ("label_accuracy", "exact_match", "micro_precision", "micro_recall")
    columns = [Column("all labels together"), *(METRICS[name] for name in names)]
    return Table(columns=columns, rows=rows) if rows else None


def summaries(report: Mapping[str, Any]) -> list[str]:
    """Return the metrics that belong to no single label, as sentences.

    report: as metrics.json has it.
    """
    sentences = []
    if report.get("roc_auc_error") is not None:
        error = decimals(report["roc_auc_error"])
        sentences.append(f"Standard error of the mean ROC-AUC: {error} (bootstrap).")
    if "accuracy" in report:
        known = report.get("intervals", {}).get("accuracy")
        within = f" (95 % interval {interval(known)})" if known else ""
        sentences.append(
            f"Accuracy {decimals(report['accuracy'])}{within}, "
            f"macro F1 {decimals(report['macro_f1'])}, "
            f"calibration error of the likeliest class {decimals(report['calibration_error'])}."
        )
    return sentences


def _text(report: Mapping[str, Any]) -> str:
    rows = f"{report['rows']:,} rows, " + ("weighted" if report["weighted"] else "unweighted")
    rows += f"; {report['blank']:,} blank rows left out" if report["blank"] else ""
    matrix = report.get("confusion_matrix", {})
    wide = len(matrix) > MATRIX_ON_TERMINAL
    tables = [
        interval_table(report),
        original_table(report),
        confused_table(report) if wide else confusion_table(report),
    ]
    parts = [rows, *(f"Warning: {warning}" for warning in warnings(report))]
    parts += [label_table(report).text(), *summaries(report)]
    parts += [table.text() for table in tables if table]
    notes = "\n".join(f"Note: {note}" for note in report["notes"])
    return "\n\n".join(filter(None, [*parts, notes]))


def _label_csv(report: Mapping[str, Any]) -> str:
    text = io.StringIO()
    fields = ["label", *LABEL_METRICS]
    writer = csv.DictWriter(text, fields, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for label, metrics in report["labels"].items():
        writer.writerow({"label": label, **metrics})
    writer.writerow({"label": "mean", **report["means"]})
    return text.getvalue()
