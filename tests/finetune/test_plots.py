import struct

import numpy as np

from finetune.measure.evaluate import evaluate_classes, evaluate_labels
from finetune.measure.plots import draw_confusion, draw_reliability, draw_roc_and_precision_recall

PNG = b"\x89PNG"


def test_a_report_has_three_plots(tmp_path):
    targets = np.array([[1, 0, np.nan], [0, 0, 1], [1, 0, 0], [0, 0, 1]])  # the second: one class
    scores = np.array([[0.9, 0.1, 0.2], [0.4, 0.2, 0.7], [0.3, 0.1, 0.1], [np.nan] * 3])
    labels = ["a", "b", "c"]
    report = evaluate_labels(targets, scores, labels, dict.fromkeys(labels, 0.5))
    path = tmp_path / "roc_precision_recall.png"
    draw_roc_and_precision_recall(targets, scores, labels, path, weights=[1, 2, 1, 1])
    draw_reliability(report, tmp_path / "reliability.png")
    draw_confusion(report, tmp_path / "confusion.png")
    plots = sorted(tmp_path.iterdir())
    assert [plot.name for plot in plots] == [
        "confusion.png",
        "reliability.png",
        "roc_precision_recall.png",
    ]
    assert all(plot.read_bytes().startswith(PNG) for plot in plots)


def test_a_single_label_model_has_the_same_plots(tmp_path):
    report = evaluate_classes(np.eye(2), np.array([[0.9, 0.1], [0.6, 0.4]]), ["bad", "good"])
    draw_reliability(report, tmp_path / "reliability.png")
    draw_confusion(report, tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").read_bytes().startswith(PNG)


def size(path):
    """Width and height of a PNG, in pixels."""
    return struct.unpack(">2I", path.read_bytes()[16:24])


def test_plots_grow_with_the_number_of_labels(tmp_path):
    generator = np.random.default_rng(0)
    sizes = {}
    for count in (3, 28):
        labels = [f"_a long ${number}$ name" for number in range(count)]
        targets = generator.integers(0, 2, (50, count)).astype(float)
        scores = generator.random((50, count))
        report = evaluate_labels(targets, scores, labels, dict.fromkeys(labels, 0.5))
        curves = tmp_path / f"curves{count}.png"
        draw_roc_and_precision_recall(targets, scores, labels, curves)
        draw_reliability(report, tmp_path / f"reliability{count}.png")
        sizes[count] = size(curves)[1], size(tmp_path / f"reliability{count}.png")[1]
    assert all(many > 2 * few for few, many in zip(sizes[3], sizes[28], strict=True))


def test_the_matrix_of_classes_grows_with_their_number(tmp_path):
    sizes = []
    for count in (2, 28):
        report = evaluate_classes(np.eye(count), np.eye(count), [f"c{i}" for i in range(count)])
        draw_confusion(report, tmp_path / "confusion.png")
        sizes.append(size(tmp_path / "confusion.png")[0])
    assert sizes[1] > 2 * sizes[0]
