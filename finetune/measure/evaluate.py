"""Measure a model's probabilities against known labels: functions on arrays, no model.

    report = evaluate_labels(targets, probabilities, labels, thresholds, weights)
    report.to_dict()    what metrics.json keeps
    report.table()      what the terminal shows

evaluate_labels is for labels that go together (sigmoid), evaluate_classes for labels that exclude
each other (softmax). Everywhere: a target of NaN is unknown and left out of that label's figures;
a row whose scores are NaN (a blank text) is left out and counted; `weights` has one number a row,
0 or more, and rows that weigh nothing are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from comment_toxicity.decision import reaches
from finetune.measure.report import (
    Bin,
    ClassesReport,
    Confusion,
    LabelFigures,
    LabelsReport,
    OriginalFigures,
    ratio,
)

Floats = NDArray[np.float64]
BINS = 10
MEANS = (
    "roc_auc", "average_precision", "precision", "recall", "f1", "f1_at_half",
    "brier", "calibration_error",
)  # fmt: skip


def evaluate_labels(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    thresholds: Mapping[str, float],
    weights: ArrayLike | None = None,
    *,
    flags: NDArray[np.bool_] | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> LabelsReport:
    """Measure labels that can go together.

    targets: (rows, labels), 0, 1 or NaN.  probabilities: (rows, labels), each in [0, 1].
    thresholds: by label; a score at or above it is a flag.
    flags: (rows, labels), in place of that where the thresholds differ from row to row.
    resamples: draw the rows this many times with replacement for the error of the mean ROC-AUC.
    """
    table = _Table.of(targets, probabilities, labels, weights)
    at_thresholds = (
        reaches(table.scores, [thresholds[label] for label in labels])
        if flags is None
        else flags[table.kept]
    )
    figures = {
        label: _label_figures(table, column, at_thresholds[:, column], thresholds[label])
        for column, label in enumerate(labels)
    }
    return LabelsReport(
        rows=len(table.scores),
        blank=table.blank,
        weighted=table.weighted,
        labels=figures,
        means=_means(figures),
        roc_auc_error=_roc_auc_error(table, resamples, seed) if resamples else None,
        original_at_half=_original_figures(table, reaches(table.scores, 0.5)),
        original_at_thresholds=_original_figures(table, at_thresholds),
        notes=_notes(figures),
    )


def evaluate_classes(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    weights: ArrayLike | None = None,
) -> ClassesReport:
    """Measure labels that exclude each other.

    targets: (rows, labels), a single 1 in each row, or a row of NaN.
    probabilities: (rows, labels), rows sum to 1.
    """
    table = _Table.of(targets, probabilities, labels, weights)
    answers = np.eye(len(labels), dtype=bool)[table.scores.argmax(axis=1)]
    figures = {
        label: _label_figures(table, column, answers[:, column], threshold=None)
        for column, label in enumerate(labels)
    }
    known = ~np.isnan(table.targets).any(axis=1)
    right = (table.targets[known] == answers[known]).all(axis=1)
    row_weights = table.weights[known]
    points = reliability(right, table.scores[known].max(axis=1, initial=0.0), row_weights)
    means = _means(figures)
    return ClassesReport(
        rows=len(table.scores),
        blank=table.blank,
        weighted=table.weighted,
        accuracy=ratio(row_weights @ right, row_weights.sum()),
        macro_f1=means["f1"],
        calibration_error=calibration_error(points),
        reliability=points,
        labels=figures,
        means=means,
        notes=_notes(figures),
    )


def reliability(targets: ArrayLike, probabilities: ArrayLike, weights: ArrayLike) -> list[Bin]:
    """Sum up one label's scores in ten bands of equal width, empty ones left out.

    All three: (rows,), nothing unknown.
    """
    truth, scores, row_weights = (
        np.asarray(values, dtype=np.float64) for values in (targets, probabilities, weights)
    )
    bands = np.clip((scores * BINS).astype(int), 0, BINS - 1)
    totals, score_sums, positives = (
        np.bincount(bands, values, minlength=BINS)
        for values in (row_weights, row_weights * scores, row_weights * truth)
    )
    return [
        Bin(float(score_sum / total), float(positive / total), float(total))
        for total, score_sum, positive in zip(totals, score_sums, positives, strict=True)
        if total > 0
    ]


def calibration_error(points: Sequence[Bin]) -> float | None:
    """Weighted mean distance between score and share of positives over the bands.

    The expected calibration error of Naeini et al. (2015) with ten bands of equal width. Guo et
    al. (2017) take it of the likeliest class; for labels that can go together it is taken of each
    label's own probability.
    """
    total = sum(point.weight for point in points)
    if total == 0:
        return None
    distances = (point.weight * abs(point.mean_score - point.share_positive) for point in points)
    return sum(distances) / total


@dataclass(frozen=True)
class _Table:
    """The rows to be measured: scores without NaN, weights above 0; targets may hold NaN.

    kept says for each row that was given whether it is among them; blank counts the NaN rows.
    """

    targets: Floats
    scores: Floats
    weights: Floats
    kept: NDArray[np.bool_]
    blank: int

    @property
    def weighted(self) -> bool:
        """Whether a row counts other than once."""
        return bool((self.weights != 1).any())

    @classmethod
    def of(
        cls,
        targets: ArrayLike,
        probabilities: ArrayLike,
        labels: Sequence[str],
        weights: ArrayLike | None,
    ) -> "_Table":
        truth = np.asarray(targets, dtype=np.float64)
        scores = np.asarray(probabilities, dtype=np.float64)
        if truth.shape != scores.shape or scores.shape != (len(scores), len(labels)):
            raise ValueError(
                f"targets {truth.shape}, probabilities {scores.shape} and "
                f"{len(labels)} labels do not go together"
            )
        row_weights = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
        scored = ~np.isnan(scores).any(axis=1)
        keep = scored & (row_weights > 0)
        return cls(truth[keep], scores[keep], row_weights[keep], keep, int((~scored).sum()))


def _label_figures(
    table: _Table, column: int, flags: NDArray[np.bool_], threshold: float | None
) -> LabelFigures:
    known = ~np.isnan(table.targets[:, column])
    truth, scores = table.targets[known, column], table.scores[known, column]
    weights, total = table.weights[known], table.weights[known].sum()
    confusion = _confusion(truth, flags[known], weights)
    at_half = _confusion(truth, reaches(scores, 0.5), weights)
    points = reliability(truth, scores, weights)
    roc_auc = average_precision = None
    if 0 < truth.sum() < len(truth):  # else there is nothing to rank
        roc_auc = float(roc_auc_score(truth, scores, sample_weight=weights))
        average_precision = float(average_precision_score(truth, scores, sample_weight=weights))
    return LabelFigures(
        rows=len(truth),
        positives=int(truth.sum()),
        share=ratio(weights @ truth, total),
        roc_auc=roc_auc,
        average_precision=average_precision,
        threshold=threshold,
        precision=confusion.precision,
        recall=confusion.recall,
        f1=confusion.f1,
        f1_at_half=None if threshold is None else at_half.f1,
        brier=ratio(weights @ (scores - truth) ** 2, total),
        calibration_error=calibration_error(points),
        confusion=confusion,
        reliability=points,
    )


def _confusion(truth: Floats, flags: NDArray[np.bool_], weights: Floats) -> Confusion:
    carries = truth == 1
    cells = (carries & flags, ~carries & flags, carries & ~flags, ~carries & ~flags)
    return Confusion(*(float(weights[cell].sum()) for cell in cells))


def _original_figures(table: _Table, flags: NDArray[np.bool_]) -> OriginalFigures:
    known = ~np.isnan(table.targets)
    cell_weights = np.broadcast_to(table.weights[:, None], known.shape)[known]
    cells = _confusion(table.targets[known], flags[known], cell_weights)
    complete = known.all(axis=1)
    exact = (flags == (table.targets == 1)).all(axis=1)[complete]
    complete_weights = table.weights[complete]
    return OriginalFigures(
        label_accuracy=ratio(cells.true_positive + cells.true_negative, cell_weights.sum()),
        exact_match=ratio(complete_weights @ exact, complete_weights.sum()),
        precision=cells.precision,
        recall=cells.recall,
    )


def _roc_auc_error(table: _Table, resamples: int, seed: int) -> float | None:
    """Standard deviation of the mean ROC-AUC over rows drawn with replacement (Efron 1979)."""
    generator = np.random.default_rng(seed)
    rows = len(table.scores)
    # Scores are sorted once and not for each resample, which is why this is not roc_auc_score.
    places = [np.unique(scores, return_inverse=True)[1] for scores in table.scores.T]
    means = []
    for _ in range(resamples if rows else 0):
        # Drawing a row k times is the same as giving it k times its weight.
        drawn = generator.multinomial(rows, np.full(rows, 1 / rows)) * table.weights
        values = []
        for truth, place in zip(table.targets.T, places, strict=True):
            positive = np.bincount(place, drawn * (truth == 1))
            negative = np.bincount(place, drawn * (truth == 0))
            pairs = positive.sum() * negative.sum()
            if pairs > 0:
                lower = np.cumsum(negative) - negative / 2  # an equal score counts half
                values.append(positive @ lower / pairs)
        if values:
            means.append(np.mean(values))
    return float(np.std(means, ddof=1)) if len(means) > 1 else None


def _means(figures: Mapping[str, LabelFigures]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for name in MEANS:
        values = [getattr(label, name) for label in figures.values()]
        found = [value for value in values if value is not None]
        means[name] = float(np.mean(found)) if found else None
    return means


def _notes(figures: Mapping[str, LabelFigures]) -> list[str]:
    notes = []
    for label, values in figures.items():
        if values.rows == 0:
            notes.append(f"{label} has no figures: no row knows it.")
        elif values.positives == 0:
            notes.append(
                f"{label} has no ROC-AUC, average precision, recall and F1: "
                f"none of its {values.rows:,} rows carries it."
            )
        elif values.positives == values.rows:
            notes.append(
                f"{label} has no ROC-AUC and average precision: "
                f"every one of its {values.rows:,} rows carries it."
            )
        elif values.precision is None:
            notes.append(f"{label} has no precision: no row is flagged.")
    return notes
