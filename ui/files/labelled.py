"""A scored file that has labels too → the report of test_model.py, curves, operating points.

Needs scikit-learn, which a slim installation leaves out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow.parquet
from numpy.typing import NDArray

from comment_toxicity.errors import DataError
from ui.catalog import card_label, label_name
from ui.files.job import FileJob
from ui.files.parquet import as_frame
from ui.files.scored_file import ScoredFile
from ui.files.truth import Truth

CLASS_COLUMN, WEIGHT_COLUMN = "label", "weight"
CURVE_POINTS = 100
X_ROC, Y_ROC = "false positive rate", "true positive rate"


def can_measure() -> bool:
    """Whether what a report needs is installed."""
    return find_spec("sklearn") is not None


def label_columns(
    columns: Sequence[str], labels: Sequence[str], single_label: bool, model: str
) -> dict[str, str]:
    """Find the columns with the truth: label → column, which may be named as on the model's card.

    Of a single-label model, one column holds the class.
    """
    if single_label:
        return {CLASS_COLUMN: CLASS_COLUMN} if CLASS_COLUMN in columns else {}
    candidates = {label: (label, card_label(label, model)) for label in labels}
    present = {label: [name for name in candidates[label] if name in columns] for label in labels}
    return {label: names[0] for label, names in present.items() if names}


def labelled_rows(job: FileJob, truth: Truth | None = None) -> "Labelled":
    """Read truth and scores of a scored file, once. Raises DataError as Labelled.read does."""
    scored = cast("ScoredFile", job.result)
    return job.once("rows", lambda: Labelled.read(scored, job.model_name, job.single_label, truth))


def report_on(
    job: FileJob, chosen: Mapping[str, float], truth: Truth | None = None
) -> dict[str, Any]:
    """Labelled.report of a scored file, measured once for the same thresholds.

    chosen: thresholds by label, in place of the model's own. truth: where the file has it, always
    the same for a job; None finds columns by their names.
    """
    labelled, scored = labelled_rows(job, truth), cast("ScoredFile", job.result)

    def measured() -> dict[str, Any]:
        thresholds = {**job.thresholds, **chosen}
        if scored.flagged is None:
            return labelled.report(thresholds)
        columns = [scored.labels.index(label) for label in labelled.labels]
        return labelled.report(thresholds, scored.flags(thresholds, chosen)[:, columns])

    return job.once(("report", *sorted(chosen.items())), measured)


@dataclass(frozen=True)
class Labelled:
    """Truth and scores of a file's rows, for the labels that the file knows.

    targets: (rows, labels), 1, 0 or NaN for unknown. scores: the same shape; NaN where unscored.
    weights: how much each row counts; None where all count the same.
    """

    labels: list[str]
    single_label: bool
    targets: NDArray[np.float32]
    scores: NDArray[np.float32]
    weights: NDArray[np.float64] | None

    @classmethod
    def read(
        cls, scored: ScoredFile, model: str, single_label: bool, truth: Truth | None = None
    ) -> "Labelled":
        """Read the label columns. Raises DataError for a value that is not a label.

        truth: which columns they are; None finds them by their names.
        """
        weighted = [WEIGHT_COLUMN] * (WEIGHT_COLUMN in scored.columns)
        if truth is not None:
            names = truth.names
            labels = [label for label in scored.labels if single_label or label in names]
            used = list(dict.fromkeys([*truth.used(), *weighted]))
            table = as_frame(pyarrow.parquet.read_table(scored.path, columns=used))
            weights = _weights(table[WEIGHT_COLUMN]) if weighted else None
            known = scored.scores[:, [scored.labels.index(label) for label in labels]]
            return cls(labels, single_label, truth.targets(table, labels), known, weights)
        columns = label_columns(scored.columns, scored.labels, single_label, model)
        wanted = [*columns.values(), *weighted]
        table = as_frame(pyarrow.parquet.read_table(scored.path, columns=wanted))
        weights = _weights(table[WEIGHT_COLUMN]) if weighted else None
        if single_label:
            targets = _classes(table[CLASS_COLUMN], scored.labels, model)
            return cls(scored.labels, True, targets, scored.scores, weights)
        from finetune.data.labels import label_values

        values = [label_values(table[name], "The file") for name in columns.values()]
        targets = np.stack([each.to_numpy(np.float32) for each in values], axis=1)
        scores = scored.scores[:, [scored.labels.index(label) for label in columns]]
        return cls(list(columns), False, targets, scores, weights)

    def report(
        self, thresholds: Mapping[str, float], flags: NDArray[np.bool_] | None = None
    ) -> dict[str, Any]:
        """The report, as in metrics.json. thresholds: by label; unused for a single-label model.

        flags: (rows, labels), in place of thresholds that differ from row to row.
        """
        from finetune.measure.evaluate import evaluate_classes, evaluate_labels

        if self.single_label:
            labelled = ~np.isnan(self.targets).any(axis=1)
            weights = self.weights[labelled] if self.weights is not None else None
            targets, scores = self.targets[labelled], self.scores[labelled]
            return evaluate_classes(targets, scores, self.labels, weights).to_dict()
        return evaluate_labels(
            self.targets, self.scores, self.labels, thresholds, self.weights, flags=flags
        ).to_dict()

    def curve_points(self, model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The points of the ROC and of the precision-recall curves, about 100 per label."""
        from sklearn.metrics import precision_recall_curve, roc_curve

        roc, precision_recall = [], []
        for label, truth, scores, weights in self._usable():
            false, true, _ = roc_curve(truth, scores, sample_weight=weights)
            name = label_name(label, model)
            for index in _thinned(len(false)):
                point = {X_ROC: float(false[index]), Y_ROC: float(true[index])}
                roc.append({"label": name, **point})
            precision, recall, _ = precision_recall_curve(truth, scores, sample_weight=weights)
            for index in _thinned(len(recall)):
                point = {"recall": float(recall[index]), "precision": float(precision[index])}
                precision_recall.append({"label": name, **point})
        return roc, precision_recall

    def operating_points(self, label: str) -> "OperatingPoints | None":
        """What each threshold of a label does; None where all rows have the label, or none has."""
        for name, truth, scores, weights in self._usable():
            if name == label:
                return OperatingPoints.of(truth, scores, weights)
        return None

    def _usable(self) -> Iterator[tuple[str, NDArray, NDArray, NDArray]]:
        weights = np.ones(len(self.scores)) if self.weights is None else self.weights
        scored = ~np.isnan(self.scores).any(axis=1) & (weights > 0)
        for column, label in enumerate(self.labels):
            rows = scored & ~np.isnan(self.targets[:, column])
            truth = self.targets[rows, column]
            if 0 < truth.sum() < len(truth):
                yield label, truth, np.asarray(self.scores[rows, column]), weights[rows]


@dataclass(frozen=True)
class OperatingPoints:
    """Precision and recall of one label at each threshold from 0.01 to 0.99.

    All arrays: (99,). precision is NaN where nothing is flagged. positives: rows with the label.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    flagged: NDArray[np.float64]
    positives: int

    @classmethod
    def of(cls, truth: NDArray, scores: NDArray, weights: NDArray) -> "OperatingPoints":
        """Count at each threshold. All three: (rows,), nothing unknown."""
        thresholds = np.arange(1, 100) / 100
        order = np.argsort(scores)
        first = np.searchsorted(scores[order], thresholds.astype(np.float32), side="left")

        def above(values: NDArray) -> NDArray[np.float64]:
            sums = np.append(np.cumsum(values[order][::-1])[::-1], 0.0)
            return sums[first]

        hits, flagged = above(weights * truth), above(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = hits / flagged
        total = float(weights @ truth)
        return cls(thresholds, precision, hits / total, flagged / weights.sum(), int(truth.sum()))

    def at(self, threshold: float) -> int:
        """The index of the threshold nearest to this one."""
        return int(np.abs(self.thresholds - threshold).argmin())

    def at_precision(self, least: float) -> int | None:
        """The index of the highest recall with at least this precision, if there is one."""
        enough = np.flatnonzero(self.precision >= least)
        return int(enough[np.argmax(self.recall[enough])]) if len(enough) else None

    def at_recall(self, least: float) -> int | None:
        """The index of the highest precision with at least this recall, if there is one."""
        enough = np.flatnonzero((self.recall >= least) & ~np.isnan(self.precision))
        return int(enough[np.argmax(self.precision[enough])]) if len(enough) else None


def _thinned(length: int) -> list[int]:
    return np.unique(np.linspace(0, length - 1, CURVE_POINTS).astype(int)).tolist()


def _weights(column: pd.Series) -> NDArray[np.float64]:
    weights = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    if np.isnan(weights).any() or (weights < 0).any():
        raise DataError(
            f"The column {WEIGHT_COLUMN} must hold a number of 0 or more in each row; rename it "
            "if it means something else."
        )
    return weights


def _classes(column: pd.Series, labels: list[str], model: str) -> NDArray[np.float32]:
    """Read class names as in the model's files or on its card, or class numbers from 0 on."""
    from finetune.data.labels import class_indices

    by_label = {label: index for index, label in enumerate(labels)}
    by_title = {label_name(label, model): index for label, index in by_label.items()}
    index_of: dict[str, int] = {}
    for names in (by_label, by_title, class_indices(labels)):
        index_of = {name.lower(): index for name, index in names.items()} | index_of
    values = column.fillna("").astype(str).str.strip().str.lower()
    values = values.str.replace(r"^(-?\d+)\.0$", r"\1", regex=True)
    classes = values.map(index_of)
    wrong = values[classes.isna() & ~values.isin(["", "-1"])]
    if len(wrong):
        raise DataError(
            f"The column {CLASS_COLUMN} holds {wrong.iloc[0]!r}; the model's classes are "
            f"{', '.join(labels)}."
        )
    targets = np.full((len(column), len(labels)), np.nan, dtype=np.float32)
    known_rows = classes.notna().to_numpy()
    targets[known_rows] = np.eye(len(labels), dtype=np.float32)[classes[known_rows].astype(int)]
    return targets
