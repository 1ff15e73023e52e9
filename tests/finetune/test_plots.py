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
