"""Measure a model's probabilities against known labels: functions on arrays, without a model.

    report = evaluate_labels(targets, probabilities, labels, thresholds, weights)
    report.to_dict()    what metrics.json keeps
    report.table()      what the terminal shows

evaluate_labels is for multi-label models (sigmoid: labels can hold together), evaluate_classes for
single-label ones (softmax). In both, a target of NaN is unknown and left out of that label's
metrics. A row whose scores are NaN (a blank text) is left out and counted. `weights` has one number
per row, 0 or more; rows of weight 0 are left out.

A mean over the labels does not get better because one of them is never flagged: its precision
counts as 0 then, as with scikit-learn's zero_division=0. Of classes, recall and F1 of one that is
predicted but has no row count as 0 too, so that the means are scikit-learn's macro averages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from comment_toxicity.decision import reaches
from finetune.measure.intervals import (
    FEW_POSITIVES,
    Interval,
    effective_size,
    f1_interval,
    mean_intervals,
    ranking_interval,
    wilson,
)
from finetune.measure.report import (
    Bin,
    ClassesReport,
    Confusion,
    Curve,
    LabelMetrics,
    LabelsReport,
    OriginalMetrics,
    mean,
    ratio,
)

Floats = NDArray[np.float64]
BINS = 10
CURVE = [step / 50 for step in range(1, 50)]  # thresholds 0.02, 0.04 … 0.98
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
    """Measure a multi-label model.

    targets: (rows, labels), 0, 1 or NaN.  probabilities: (rows, labels), each in [0, 1].
    thresholds: by label; a score at or above it is flagged.
    flags: (rows, labels), instead of thresholds, where these differ from row to row.
    resamples: number of bootstrap samples for the standard error of the mean ROC-AUC; 0: none.
        There is none either where a label has fewer than FEW_POSITIVES rows: it would be too small.
    """
    rows = _Rows.of(targets, probabilities, labels, weights)
    at_thresholds = (
        reaches(rows.scores, [thresholds[label] for label in labels])
        if flags is None
        else flags[rows.kept]
    )
    metrics = {
        label: _label_metrics(rows, column, at_thresholds[:, column], thresholds[label])
        for column, label in enumerate(labels)
    }
    ranked = [label for label in metrics.values() if label.roc_auc is not None]
    enough = all(label.effective_rows >= FEW_POSITIVES for label in ranked)
    return LabelsReport(
        rows=len(rows.scores),
        blank=rows.blank,
        weighted=rows.weighted,
        labels=metrics,
        means=_means(metrics),
        intervals=mean_intervals([label.intervals for label in metrics.values()]),
        roc_auc_error=_roc_auc_error(rows, resamples, seed) if resamples and enough else None,
        original_at_half=_original_metrics(rows, reaches(rows.scores, 0.5)),
        original_at_thresholds=_original_metrics(rows, at_thresholds),
        notes=_notes(metrics),
    )


def evaluate_classes(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    weights: ArrayLike | None = None,
) -> ClassesReport:
    """Measure a single-label model, whose answer is the likeliest label.

    targets: (rows, labels), a single 1 in each row, or a row of NaN.
    probabilities: (rows, labels), rows sum to 1.
    """
    rows = _Rows.of(targets, probabilities, labels, weights)
    predicted = rows.scores.argmax(axis=1)
    answers = np.eye(len(labels), dtype=bool)[predicted]
    metrics = {
        label: _label_metrics(rows, column, answers[:, column], threshold=None)
        for column, label in enumerate(labels)
    }
    known = ~np.isnan(rows.targets).any(axis=1)
    right = (rows.targets[known] == answers[known]).all(axis=1)
    row_weights = rows.weights[known]
    points = reliability(right, rows.scores[known].max(axis=1, initial=0.0), row_weights)
    accuracy = ratio(row_weights @ right, row_weights.sum())
    means = _means(metrics)
    intervals = mean_intervals([label.intervals for label in metrics.values()])
    if accuracy is not None:
        intervals["accuracy"] = wilson(accuracy, effective_size(row_weights))
    matrix = np.zeros((len(labels), len(labels)))
    np.add.at(matrix, (rows.targets[known].argmax(axis=1), predicted[known]), row_weights)
    return ClassesReport(
        rows=len(rows.scores),
        blank=rows.blank,
        weighted=rows.weighted,
        accuracy=accuracy,
        macro_f1=means["f1"],
        calibration_error=calibration_error(points),
        reliability=points,
        labels=metrics,
        means=means,
        intervals=intervals,
        confusion_matrix={
            true: dict(zip(labels, row, strict=True))
            for true, row in zip(labels, matrix.tolist(), strict=True)
        },
        notes=_notes(metrics),
    )


def reliability(targets: ArrayLike, probabilities: ArrayLike, weights: ArrayLike) -> list[Bin]:
    """Summarise one label's scores in ten bands of equal width; empty bands are left out.

    All three arguments: (rows,), without NaN.
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
    al. (2017) take it of the likeliest class; for a multi-label model it is taken of each label's
    own probability.
    """
    total = sum(point.weight for point in points)
    if total == 0:
        return None
    distances = (point.weight * abs(point.mean_score - point.share_positive) for point in points)
    return sum(distances) / total


@dataclass(frozen=True)
class _Rows:
    """The rows to measure: scores without NaN, weights above 0; targets may hold NaN.

    kept: for each row that was passed in, whether it is among them.  blank: number of NaN rows.
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
    ) -> "_Rows":
        truth = np.asarray(targets, dtype=np.float64)
        scores = np.asarray(probabilities, dtype=np.float64)
        if truth.shape != scores.shape or scores.shape != (len(scores), len(labels)):
            raise ValueError(
                f"targets {truth.shape}, probabilities {scores.shape} and "
                f"{len(labels)} labels do not match"
            )
        row_weights = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
        scored = ~np.isnan(scores).any(axis=1)
        keep = scored & (row_weights > 0)
        return cls(truth[keep], scores[keep], row_weights[keep], keep, int((~scored).sum()))


def _label_metrics(
    rows: _Rows, column: int, flags: NDArray[np.bool_], threshold: float | None
) -> LabelMetrics:
    known = ~np.isnan(rows.targets[:, column])
    truth, scores = rows.targets[known, column], rows.scores[known, column]
    weights, total = rows.weights[known], rows.weights[known].sum()
    confusion = _confusion(truth, flags[known], weights)
    at_half = _confusion(truth, reaches(scores, 0.5), weights)
    points = reliability(truth, scores, weights)
    # In the means, what divides by zero counts as 0; see the top of this file.
    counted = truth.any() or (threshold is None and flags[known].any())
    precision, recall, f1 = (
        0.0 if value is None and counted else value
        for value in (confusion.precision, confusion.recall, confusion.f1)
    )
    roc_auc = average_precision = None
    if 0 < truth.sum() < len(truth):  # else there is nothing to rank
        roc_auc = float(roc_auc_score(truth, scores, sample_weight=weights))
        average_precision = float(average_precision_score(truth, scores, sample_weight=weights))
    ranking = {"roc_auc": roc_auc, "average_precision": average_precision}
    flagging = {"precision": precision, "recall": recall, "f1": f1}
    return LabelMetrics(
        rows=len(truth),
        positives=int(truth.sum()),
        effective_positives=effective_size(weights[truth == 1]),
        effective_negatives=effective_size(weights[truth == 0]),
        share=ratio(weights @ truth, total),
        roc_auc=roc_auc,
        average_precision=average_precision,
        threshold=threshold,
        precision=precision,
        recall=recall,
        f1=f1,
        f1_at_half=None if threshold is None else at_half.f1,
        brier=ratio(weights @ (scores - truth) ** 2, total),
        calibration_error=calibration_error(points),
        confusion=confusion,
        reliability=points,
        curve=None if threshold is None else _curve(truth, scores, weights),
        intervals=_intervals(ranking | flagging, truth, flags[known], weights),
    )


def _curve(truth: Floats, scores: Floats, weights: Floats) -> Curve:
    points = [_confusion(truth, reaches(scores, threshold), weights) for threshold in CURVE]
    return Curve(CURVE, [point.precision for point in points], [point.recall for point in points])


def _intervals(
    values: Mapping[str, float | None],
    truth: Floats,
    flags: NDArray[np.bool_],
    weights: Floats,
) -> dict[str, Interval]:
    """Return the interval of each metric that the rows could give."""
    carries = truth == 1
    positives, negatives = effective_size(weights[carries]), effective_size(weights[~carries])
    flagged, either = effective_size(weights[flags]), effective_size(weights[flags | carries])
    known = {name: value for name, value in values.items() if value is not None}
    intervals = {
        "roc_auc": lambda value: ranking_interval(value, positives, negatives),
        "average_precision": lambda value: ranking_interval(value, positives, negatives),
        "precision": lambda value: wilson(value, flagged),
        "recall": lambda value: wilson(value, positives),
        "f1": lambda value: f1_interval(value, either),
    }
    return {name: intervals[name](value) for name, value in known.items()}


def _confusion(truth: Floats, flags: NDArray[np.bool_], weights: Floats) -> Confusion:
    carries = truth == 1
    cells = (carries & flags, ~carries & flags, carries & ~flags, ~carries & ~flags)
    return Confusion(*(float(weights[cell].sum()) for cell in cells))


def _original_metrics(rows: _Rows, flags: NDArray[np.bool_]) -> OriginalMetrics:
    known = ~np.isnan(rows.targets)
    cell_weights = np.broadcast_to(rows.weights[:, None], known.shape)[known]
    cells = _confusion(rows.targets[known], flags[known], cell_weights)
    complete = known.all(axis=1)
    exact = (flags == (rows.targets == 1)).all(axis=1)[complete]
    complete_weights = rows.weights[complete]
    return OriginalMetrics(
        label_accuracy=ratio(cells.true_positive + cells.true_negative, cell_weights.sum()),
        exact_match=ratio(complete_weights @ exact, complete_weights.sum()),
        precision=cells.precision,
        recall=cells.recall,
    )


def _roc_auc_error(rows: _Rows, resamples: int, seed: int) -> float | None:
    """Standard deviation of the mean ROC-AUC over rows drawn with replacement (Efron 1979)."""
    generator = np.random.default_rng(seed)
    size = len(rows.scores)
    # Scores are sorted once and not for each resample, which is why this is not roc_auc_score.
    ranks = [np.unique(scores, return_inverse=True)[1] for scores in rows.scores.T]
    means = []
    for _ in range(resamples if size else 0):
        # Drawing a row k times is the same as giving it k times its weight.
        drawn = generator.multinomial(size, np.full(size, 1 / size)) * rows.weights
        values = []
        for truth, rank in zip(rows.targets.T, ranks, strict=True):
            positive = np.bincount(rank, drawn * (truth == 1))
            negative = np.bincount(rank, drawn * (truth == 0))
            pairs = positive.sum() * negative.sum()
            if pairs > 0:
                lower = np.cumsum(negative) - negative / 2  # an equal score counts half
                values.append(positive @ lower / pairs)
        if values:
            means.append(np.mean(values))
    # 0 where every resample ranks all rows rightly, which says nothing about other rows.
    return float(np.std(means, ddof=1)) or None if len(means) > 1 else None


def _means(metrics: Mapping[str, LabelMetrics]) -> dict[str, float | None]:
    return {name: mean(getattr(label, name) for label in metrics.values()) for name in MEANS}


def _notes(metrics: Mapping[str, LabelMetrics]) -> list[str]:
    notes = []  # part of metrics.json, so their words stay
    for label, values in metrics.items():
        if values.rows == 0:
            notes.append(f"{label} has no figures: no row knows it.")
        elif values.positives == 0 and values.f1 is not None:
            notes.append(
                f"{label} has no ROC-AUC and average precision: none of its {values.rows:,} rows "
                "carries it. It is predicted, so its recall and F1 count as 0 in the means "
                "(zero_division=0 in scikit-learn)."
            )
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
        if values.positives and values.confusion.precision is None:
            told = "predicted" if values.threshold is None else "flagged"
            notes.append(
                f"{label} is never {told}, so its precision counts as 0 in the means "
                "(zero_division=0 in scikit-learn)."
            )
    return notes
