"""Plots of a report: ROC and precision-recall curves, reliability, confusion, for each label."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve, roc_curve

from finetune.measure.report import Report

DPI = 120


def draw_roc_and_precision_recall(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    path: Path,
    weights: ArrayLike | None = None,
) -> None:
    """Draw the ROC and precision-recall curves.

    The rows are those of evaluate_labels. A label whose known rows have one class has no curve.
    """
    truth, scores = np.asarray(targets, dtype=float), np.asarray(probabilities, dtype=float)
    row_weights = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=float)
    usable = ~np.isnan(scores).any(axis=1) & (row_weights > 0)
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    roc, precision_recall = figure.subplots(1, 2)
    for column, label in enumerate(labels):
        rows = usable & ~np.isnan(truth[:, column])
        if not 0 < truth[rows, column].sum() < rows.sum():
            continue
        known = truth[rows, column], scores[rows, column]
        false_share, true_share, _ = roc_curve(*known, sample_weight=row_weights[rows])
        roc.plot(false_share, true_share, label=label)
        precision, recall, _ = precision_recall_curve(*known, sample_weight=row_weights[rows])
        precision_recall.plot(recall, precision, label=label)
    _frame(roc, "share of clean rows flagged", "share of positive rows flagged")
    _frame(precision_recall, "recall", "precision")
    if roc.lines:
        roc.legend(loc="lower right")
    figure.savefig(path, dpi=DPI)


def draw_reliability(report: Report, path: Path) -> None:
    """Draw the share of positives over the score; calibrated scores are on the diagonal.

    The area of a dot is the share of the rows' weight in its band.
    """
    figure = Figure(figsize=(4.8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    for label, values in report.labels.items():
        points = values.reliability
        scores = [point.mean_score for point in points]
        shares = [point.share_positive for point in points]
        total = sum(point.weight for point in points)
        (line,) = axes.plot(scores, shares, label=label)
        areas = [5 + 200 * point.weight / total for point in points]
        axes.scatter(scores, shares, areas, color=line.get_color(), alpha=0.6)
    _frame(axes, "mean score", "share of rows with the label")
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=DPI)


def draw_confusion(report: Report, path: Path) -> None:
    """Draw a confusion matrix for each label, in sums of row weights."""
    columns = min(3, len(report.labels))
    rows = -(-len(report.labels) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(report.labels) :]:
        axes.axis("off")
    for axes, (label, values) in zip(grid, report.labels.items(), strict=False):
        cells = values.confusion
        table = np.array(
            [
                [cells.true_positive, cells.false_negative],
                [cells.false_positive, cells.true_negative],
            ]
        )
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), weight in np.ndenumerate(table):
            color = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, f"{weight:,.0f}", ha="center", va="center", color=color)
        axes.set(title=label, xticks=[0, 1], yticks=[0, 1])
        axes.set_xticklabels(["flagged", "not"])
        axes.set_yticklabels(["carries it", "does not"])
    figure.savefig(path, dpi=DPI)


def _frame(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.grid(alpha=0.3)
