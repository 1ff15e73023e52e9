"""Plots of a report: ROC and precision-recall curves, reliability, confusion.

Up to TOGETHER labels share a plot, with the legend beside it. More labels have a small plot each:
their curves would hide one another, and colours would repeat.
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from finetune.measure.report import ClassesReport, LabelMetrics, Report

DPI = 120
TOGETHER = 10  # labels in one plot; matplotlib has ten colours
COLUMNS = 6  # small plots side by side
SMALL = 2.0  # inches of a small plot
NUMBERS = 15  # classes of a confusion matrix with numbers in its cells

Curve = tuple[NDArray, NDArray]


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
    roc: dict[str, Curve] = {}
    precision_recall: dict[str, Curve] = {}
    for column, label in enumerate(labels):
        rows = usable & ~np.isnan(truth[:, column])
        if not 0 < truth[rows, column].sum() < rows.sum():
            continue
        known = truth[rows, column], scores[rows, column]
        false_share, true_share, _ = roc_curve(*known, sample_weight=row_weights[rows])
        precision, recall, _ = precision_recall_curve(*known, sample_weight=row_weights[rows])
        roc[label], precision_recall[label] = (false_share, true_share), (recall, precision)
    clean, found = "share of clean rows flagged", "share of positive rows flagged"
    if len(labels) > TOGETHER:
        figure = _small_plots([(roc, clean, found), (precision_recall, "recall", "precision")])
    else:
        figure = Figure(figsize=(9 + _legend_width(roc), 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes, curves in ((left, roc), (right, precision_recall)):
            for x, y in curves.values():
                axes.plot(x, y)
        _frame(left, clean, found)
        _frame(right, "recall", "precision")
        _legend(figure, left, roc)
    figure.savefig(path, dpi=DPI)


def draw_reliability(report: Report, path: Path) -> None:
    """Draw the share of positives over the score; calibrated scores are on the diagonal.

    The area of a dot is the share of the rows' weight in its band.
    """
    labels = report.labels
    if len(labels) > TOGETHER:
        figure, grid = _grid(len(labels))
        for axes, (label, metrics) in zip(grid, labels.items(), strict=False):
            _draw_bands(axes, metrics, scale=80)
            axes.set_title(_words(label), fontsize=8)
            _frame_small(axes, diagonal=True)
        figure.supxlabel("mean score", fontsize=9)
        figure.supylabel("share of rows with the label", fontsize=9)
    else:
        figure = Figure(figsize=(4.8 + _legend_width(labels), 4.5), layout="constrained")
        axes = figure.subplots()
        for metrics in labels.values():
            _draw_bands(axes, metrics, scale=200)
        _frame(axes, "mean score", "share of rows with the label")
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", zorder=0)
        _legend(figure, axes, labels)
    figure.savefig(path, dpi=DPI)


def draw_confusion(report: Report, path: Path) -> None:
    """Draw a confusion matrix for each label, or of single-label classes a single one.

    In sums of row weights; the colour is the share of the row.
    """
    if isinstance(report, ClassesReport):
        figure = _matrix(report.confusion_matrix)
    else:
        figure = _matrices_of_labels(report.labels)
    figure.savefig(path, dpi=DPI)


def _matrix(matrix: Mapping[str, Mapping[str, float]]) -> Figure:
    """One matrix of all classes: a row is the true class, a column the predicted one."""
    table = np.array([list(row.values()) for row in matrix.values()])
    count, names = len(table), [_words(label, lines=1) for label in matrix]
    cell = 0.62 if count <= NUMBERS else 0.32
    longest = 0.08 * max(map(len, names))
    side = max(2.0, cell * count) + longest
    figure = Figure(figsize=(side + 1.4, side + 0.6), layout="constrained")
    axes = figure.subplots()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), weight in np.ndenumerate(table):
        if weight > 0 or count <= NUMBERS:
            color = "white" if shares[row, column] > 0.6 else "black"
            text = f"{weight:,.0f}" if weight < 10_000 else f"{weight / 1000:,.0f}k"
            size = 9 if count <= NUMBERS else 6
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=size)
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(count))
    axes.set_yticks(range(count), names)
    axes.set_xticklabels(names, rotation=90 if max(map(len, names)) > 8 else 0)
    axes.tick_params(labelsize=9)
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the true class")
    return figure


def _matrices_of_labels(labels: Mapping[str, LabelMetrics]) -> Figure:
    columns = min(3 if len(labels) <= TOGETHER else COLUMNS, len(labels))
    rows = -(-len(labels) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(labels) :]:
        axes.axis("off")
    for axes, (label, values) in zip(grid, labels.items(), strict=False):
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
        axes.set(xticks=[0, 1], yticks=[0, 1])
        axes.set_title(_words(label), fontsize=10)
        axes.set_xticklabels(["flagged", "not"])
        axes.set_yticklabels(["carries it", "does not"])
    return figure


def _small_plots(parts: Sequence[tuple[Mapping[str, Curve], str, str]]) -> Figure:
    """A small plot for each curve; the parts are one above the other."""
    rows = [max(1, -(-len(curves) // COLUMNS)) for curves, _, _ in parts]
    figure = Figure(figsize=(COLUMNS * SMALL, sum(rows) * SMALL + 1.2), layout="constrained")
    halves = figure.subfigures(len(parts), 1, height_ratios=rows, squeeze=False)[:, 0]
    for half, count, (curves, x_label, y_label) in zip(halves, rows, parts, strict=True):
        grid = half.subplots(count, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
        for axes in grid[len(curves) :]:
            axes.axis("off")
        for axes, (label, (x, y)) in zip(grid, curves.items(), strict=False):
            axes.plot(x, y)
            axes.set_title(_words(label), fontsize=8)
            _frame_small(axes, diagonal=y_label != "precision")
        half.supxlabel(x_label, fontsize=9)
        half.supylabel(y_label, fontsize=9)
    return figure


def _grid(count: int) -> tuple[Figure, NDArray]:
    """A figure with that many small plots."""
    rows = -(-count // COLUMNS)
    figure = Figure(figsize=(COLUMNS * SMALL, rows * SMALL + 0.5), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[count:]:
        axes.axis("off")
    return figure, grid[:count]


def _draw_bands(axes: Axes, metrics: LabelMetrics, scale: float) -> None:
    points = metrics.reliability
    scores = [point.mean_score for point in points]
    shares = [point.share_positive for point in points]
    total = sum(point.weight for point in points)
    (line,) = axes.plot(scores, shares)
    areas = [5 + scale * point.weight / total for point in points]
    axes.scatter(scores, shares, areas, color=line.get_color(), alpha=0.6)


def _frame(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.grid(alpha=0.3)


def _frame_small(axes: Axes, diagonal: bool) -> None:
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if diagonal:
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=0.7, zorder=0)


def _legend(figure: Figure, axes: Axes, labels: Mapping[str, object]) -> None:
    """Name the first lines of the plot at the right of the figure, where nothing is below it."""
    names = list(map(_words, labels))
    if names:
        figure.legend(axes.lines[: len(names)], names, loc="outside right upper")


def _legend_width(labels: Mapping[str, object]) -> float:
    """Inches that the legend adds to a figure, so that the plots keep their size."""
    lines = [line for label in labels for line in _words(label).split("\n")]
    return 0.7 + 0.085 * max(map(len, lines), default=0)


def _words(label: str, lines: int = 2) -> str:
    """A label as it is shown: long ones wrapped and cut, $ not taken for a formula."""
    wrapped = textwrap.wrap(label, 24, max_lines=lines, placeholder=" …") or [label]
    return "\n".join(wrapped).replace("$", r"\$")
