"""A scored file whose rows are labelled too → the report of test_model.py, and its curves.

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

CLASS_COLUMN, WEIGHT_COLUMN = "label", "weight"
CURVE_POINTS = 100


def can_measure() -> bool:
    """Whether what a report needs is installed."""
    return find_spec("sklearn") is not None


def label_columns(
    columns: Sequence[str], labels: Sequence[str], single_label: bool, model: str
) -> dict[str, str]:
    """Find the columns that hold the truth: label → column, which can have the card's name for it.

    Of labels that exclude each other, one column holds all.
    """
    if single_label:
        return {CLASS_COLUMN: CLASS_COLUMN} if CLASS_COLUMN in columns else {}
    names = {label: (label, card_label(label, model)) for label in labels}
    found = {label: [name for name in names[label] if name in columns] for label in labels}
    return {label: present[0] for label, present in found.items() if present}


def labelled_rows(job: FileJob) -> "Labelled":
    """Read truth and scores of a file that is scored. Raises DataError as Labelled.read does."""
    scored = cast("ScoredFile", job.result)
    return job.once("rows", lambda: Labelled.read(scored, job.model_name, job.single_label))


def report_on(job: FileJob, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Measure a file that is scored: Labelled.report, a second time at no cost."""
    labelled = labelled_rows(job)
    return job.once(("report", *sorted(thresholds.items())), lambda: labelled.report(thresholds))


@dataclass(frozen=True)
class Labelled:
    """Truth and scores of a file's rows, for the labels that the file knows.

    targets: (rows, labels), 1, 0 or NaN for unknown. scores: the same shape; NaN rows unscored.
    weights: how much each row counts; None where all count the same.
    """

    labels: list[str]
    single_label: bool
    targets: NDArray[np.float32]
    scores: NDArray[np.float32]
    weights: NDArray[np.float64] | None

    @classmethod
    def read(cls, scored: ScoredFile, model: str, single_label: bool) -> "Labelled":
        """Read the label columns. Raises DataError for a value that is no label."""
        columns = label_columns(scored.columns, scored.labels, single_label, model)
        weighted = [WEIGHT_COLUMN] * (WEIGHT_COLUMN in scored.columns)
        wanted = [*columns.values(), *weighted]
        table = as_frame(pyarrow.parquet.read_table(scored.path, columns=wanted))
        weights = _weights(table[WEIGHT_COLUMN]) if weighted else None
        if single_label:
            targets = _classes(table[CLASS_COLUMN], scored.labels, model)
            return cls(scored.labels, True, targets, scored.scores, weights)
        from finetune.data.split import label_values

        truth = [label_values(table[name], "The file") for name in columns.values()]
        targets = np.stack([values.to_numpy(np.float32) for values in truth], axis=1)
        places = [scored.labels.index(label) for label in columns]
        return cls(list(columns), False, targets, scored.scores[:, places], weights)

    def report(self, thresholds: Mapping[str, float]) -> dict[str, Any]:
        """Measure, as metrics.json keeps it. thresholds: by label; unused for exclusive labels."""
        from finetune.measure.evaluate import evaluate_classes, evaluate_labels

        if self.single_label:
            known = ~np.isnan(self.targets).any(axis=1)
            weights = self.weights[known] if self.weights is not None else None
            targets, scores = self.targets[known], self.scores[known]
            return evaluate_classes(targets, scores, self.labels, weights).to_dict()
        return evaluate_labels(
            self.targets, self.scores, self.labels, thresholds, self.weights
        ).to_dict()

    def curve_points(self, model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Give the points of the ROC and of the precision-recall curves, some 100 a label."""
        from sklearn.metrics import precision_recall_curve, roc_curve

        roc, precision_recall = [], []
        for label, truth, scores, weights in self._usable():
            false, true, _ = roc_curve(truth, scores, sample_weight=weights)
            name = label_name(label, model)
            for place in _thinned(len(false)):
                point = {"false alarms": float(false[place]), "found": float(true[place])}
                roc.append({"label": name, **point})
            precision, recall, _ = precision_recall_curve(truth, scores, sample_weight=weights)
            for place in _thinned(len(recall)):
                point = {"recall": float(recall[place]), "precision": float(precision[place])}
                precision_recall.append({"label": name, **point})
        return roc, precision_recall

    def operating_points(self, label: str) -> "OperatingPoints | None":
        """Give what each threshold of a label would do; None where its rows are all of a kind."""
        for name, truth, scores, weights in self._usable():
            if name == label:
                return OperatingPoints.of(truth, scores, weights)
        return None

    def _usable(self) -> Iterator[tuple[str, NDArray, NDArray, NDArray]]:
        weights = np.ones(len(self.scores)) if self.weights is None else self.weights
        scored = ~np.isnan(self.scores).any(axis=1) & (weights > 0)
        for place, label in enumerate(self.labels):
            rows = scored & ~np.isnan(self.targets[:, place])
            truth = self.targets[rows, place]
            if 0 < truth.sum() < len(truth):
                yield label, truth, np.asarray(self.scores[rows, place]), weights[rows]


@dataclass(frozen=True)
class OperatingPoints:
    """Precision and recall of one label at each threshold from 1 to 99 per cent.

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
        """Give the place of the threshold nearest to this one."""
        return int(np.abs(self.thresholds - threshold).argmin())

    def at_precision(self, least: float) -> int | None:
        """Give the place that finds most while at least this share of flags is right, if any."""
        enough = np.flatnonzero(self.precision >= least)
        return int(enough[np.argmax(self.recall[enough])]) if len(enough) else None

    def at_recall(self, least: float) -> int | None:
        """Give the place of the most exact flags that still find at least this share, if any."""
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
    """Read class names, as the model's files or its card have them, or their numbers from 0 on."""
    from finetune.data.split import class_places

    names = {label: place for place, label in enumerate(labels)}
    shown = {label_name(label, model): place for label, place in names.items()}
    places: dict[str, int] = {}
    for known in (names, shown, class_places(labels)):
        places = {name.lower(): place for name, place in known.items()} | places
    values = column.fillna("").astype(str).str.strip().str.lower()
    values = values.str.replace(r"^(-?\d+)\.0$", r"\1", regex=True)
    found = values.map(places)
    wrong = values[found.isna() & ~values.isin(["", "-1"])]
    if len(wrong):
        raise DataError(
            f"The column {CLASS_COLUMN} holds {wrong.iloc[0]!r}; the model's classes are "
            f"{', '.join(labels)}."
        )
    targets = np.full((len(column), len(labels)), np.nan, dtype=np.float32)
    known = found.notna().to_numpy()
    targets[known] = np.eye(len(labels), dtype=np.float32)[found[known].astype(int)]
    return targets
