import json
import re

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from finetune.measure.confusion import confusion_table
from finetune.measure.evaluate import (
    calibration_error,
    evaluate_classes,
    evaluate_labels,
    reliability,
)

NAN = np.nan
HALF = {"rude": 0.5}


def column(*values):
    return np.array(values, dtype=float)[:, None]


def test_metrics_of_one_label_are_those_computed_by_hand():
    report = evaluate_labels(
        column(1, 1, 0, 0), column(0.9, 0.4, 0.6, 0.1), ["rude"], {"rude": 0.3}
    )
    rude = report.labels["rude"]
    assert rude.roc_auc == 0.75  # of four pairs, only (0.4, 0.6) is the wrong way round
    assert rude.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert (rude.precision, rude.recall, rude.f1) == (pytest.approx(2 / 3), 1.0, 0.8)
    assert rude.f1_at_half == 0.5
    assert rude.brier == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert rude.calibration_error == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)
    assert (rude.rows, rude.positives, rude.share, rude.threshold) == (4, 2, 0.5, 0.3)


def test_a_score_equal_to_the_threshold_is_flagged():
    report = evaluate_labels(column(1, 0), column(0.5, 0.4), ["rude"], HALF)
    assert report.labels["rude"].recall == 1


def test_the_four_original_metrics_are_micro_averages_over_all_cells():
    targets = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.1], [0.1, 0.6]])
    metrics = evaluate_labels(targets, scores, ["a", "b"], {"a": 0.5, "b": 0.5}).original_at_half
    assert metrics.label_accuracy == 6 / 8
    assert metrics.exact_match == 2 / 4
    assert metrics.precision == 3 / 4
    assert metrics.recall == 3 / 4


def test_a_weight_of_three_counts_like_three_rows():
    targets, scores = column(1, 0, 1, 0), column(0.8, 0.7, 0.3, 0.2)
    weighted = evaluate_labels(targets, scores, ["rude"], HALF, weights=[1, 3, 1, 2])
    repeated = evaluate_labels(
        np.repeat(targets, [1, 3, 1, 2], axis=0), np.repeat(scores, [1, 3, 1, 2], axis=0),
        ["rude"], HALF,
    )  # fmt: skip
    for name, mean in weighted.means.items():
        assert mean == pytest.approx(repeated.means[name])
    assert weighted.original_at_half == repeated.original_at_half


def test_rows_of_weight_one_are_not_called_weighted():
    targets, scores = column(1, 0), column(0.8, 0.7)
    once, twice = (evaluate_labels(targets, scores, ["rude"], HALF, [1, w]) for w in (1, 2))
    assert (once.weighted, twice.weighted) == (False, True)
    assert not evaluate_classes(np.eye(2), np.eye(2), ["bad", "good"], [1, 1]).weighted


def test_an_unknown_target_is_left_out_of_its_own_label_only():
    targets = np.array([[1, 1], [0, NAN], [0, 0]])
    scores = np.array([[0.9, 0.9], [0.2, 0.99], [0.1, 0.1]])
    report = evaluate_labels(targets, scores, ["a", "b"], {"a": 0.5, "b": 0.5})
    assert (report.labels["a"].rows, report.labels["b"].rows) == (3, 2)
    assert report.labels["b"].precision == 1
    assert report.original_at_half.label_accuracy == 1
    assert report.original_at_half.exact_match == 1


def test_blank_rows_are_counted_and_left_out():
    report = evaluate_labels(column(1, 0, 1), column(0.9, 0.1, NAN), ["rude"], HALF)
    assert (report.rows, report.blank) == (2, 1)
    assert report.labels["rude"].recall == 1


def test_rows_of_weight_zero_are_not_measured():
    report = evaluate_labels(column(1, 0, 1), column(0.9, 0.1, 0.0), ["rude"], HALF, [1, 1, 0])
    assert (report.rows, report.labels["rude"].f1) == (2, 1)


@pytest.mark.parametrize(
    ("targets", "reason"), [((0, 0), "none of its 2 rows"), ((1, 1), "every one of its 2 rows")]
)
def test_a_label_with_one_class_has_no_ranking_metrics_and_a_note_says_why(targets, reason):
    report = evaluate_labels(column(*targets), column(0.9, 0.1), ["rude"], HALF, resamples=3)
    assert report.labels["rude"].roc_auc is None
    assert report.labels["rude"].average_precision is None
    assert report.means["roc_auc"] is None
    assert reason in report.notes[0]


def test_a_label_that_is_unknown_in_every_row_has_no_metrics():
    report = evaluate_labels(column(NAN, NAN), column(0.9, 0.1), ["rude"], HALF)
    assert report.labels["rude"].brier is None
    assert "no row knows it" in report.notes[0]
    assert "–" in report.table()


def test_the_calibration_error_weights_each_band_by_its_rows():
    points = reliability([1, 0, 1, 1], [0.25, 0.25, 0.95, 0.95], [1, 1, 1, 1])
    assert [(point.mean_score, point.share_positive) for point in points] == [
        (0.25, 0.5),
        (0.95, 1.0),
    ]
    assert calibration_error(points) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)


def test_a_score_of_one_falls_into_the_last_band():
    assert reliability([1], [1.0], [2.0])[0].weight == 2


def test_labels_follow_the_given_order():
    targets, scores = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.8], [0.1, 0.2]])
    report = evaluate_labels(targets, scores, ["b", "a"], {"a": 0.5, "b": 0.5})
    assert list(report.labels) == ["b", "a"]
    assert (report.labels["b"].roc_auc, report.labels["a"].roc_auc) == (1, 0)


def test_arrays_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        evaluate_labels(column(1, 0), column(0.9, 0.1), ["a", "b"], {"a": 0.5, "b": 0.5})


def test_the_bootstrap_error_repeats_with_its_seed_and_is_near_the_exact_one():
    generator = np.random.default_rng(0)
    targets = np.repeat([0.0, 1.0], 200)[:, None]
    scores = generator.uniform(size=(400, 1))
    errors = [
        evaluate_labels(targets, scores, ["rude"], HALF, resamples=200, seed=4).roc_auc_error
        for _ in range(2)
    ]
    assert errors[0] == errors[1]
    # Mann and Whitney (1947): sqrt((m + n + 1) / (12 m n)) for scores that know nothing
    assert errors[0] == pytest.approx(np.sqrt(401 / (12 * 200 * 200)), rel=0.2)


def test_few_rows_have_no_standard_error_but_intervals_and_a_warning():
    report = evaluate_labels(
        column(1, 0, 0, 0), column(0.9, 0.1, 0.2, 0.3), ["rude"], HALF, resamples=50
    )
    assert (report.labels["rude"].roc_auc, report.labels["rude"].f1) == (1, 1)
    assert report.roc_auc_error is None
    for low, high in report.labels["rude"].intervals.values():
        assert (low < 0.5, high) == (True, 1)
    assert report.intervals["roc_auc"] == report.labels["rude"].intervals["roc_auc"]
    assert "Warning: Too few rows to rely on: rude (carried by 1 of 4)" in report.table()


def test_a_perfect_ranking_of_many_rows_has_no_standard_error_of_zero():
    truth = np.repeat([0.0, 1.0], 40)[:, None]
    report = evaluate_labels(truth, truth * 0.8 + 0.1, ["rude"], HALF, resamples=20)
    assert report.roc_auc_error is None
    assert report.intervals["roc_auc"] == pytest.approx([0.912, 1], abs=0.001)
    assert "Warning" not in report.table()


def test_few_negative_rows_are_warned_of_like_few_positive_ones():
    truth = np.repeat([0.0, 1.0], [3, 400])[:, None]
    table = evaluate_labels(truth, truth * 0.8 + 0.1, ["rude"], HALF).table()
    assert "rude (carried by 400 of 403)" in table


def test_rows_count_for_the_warning_by_their_effective_number():
    truth = np.repeat([0.0, 1.0], 40)[:, None]
    weights = np.ones(80)
    weights[-1] = 1000  # one row outweighs the 39 others
    report = evaluate_labels(truth, truth * 0.8 + 0.1, ["rude"], HALF, weights)
    assert report.labels["rude"].effective_positives == pytest.approx(1.08, abs=0.01)
    assert "counted by weight" in report.table()


@pytest.mark.parametrize("classes", [(0, 1, 2), (0, 1), (0, 1, 1)])
def test_the_means_of_classes_are_the_macro_averages_of_scikit_learn(classes):
    """Of classes that are never predicted, never true, or neither."""
    generator = np.random.default_rng(3)
    truth = generator.choice(classes, 60)
    scores = generator.dirichlet([3, 1, 1, 1], 60) * [1, 1, 0.1, 1]
    scores[:, 3] *= 0.2 if 2 in classes else 1
    report = evaluate_classes(np.eye(4)[truth], scores, ["a", "b", "c", "d"])
    wanted = precision_recall_fscore_support(
        truth, scores.argmax(axis=1), average="macro", zero_division=0
    )
    means = [report.means[name] for name in ("precision", "recall", "f1")]
    assert means == pytest.approx(wanted[:3])


def test_a_label_that_is_never_flagged_does_not_raise_the_mean_precision():
    targets, scores = np.array([[1, 1], [0, 0]]), np.array([[0.9, 0.4], [0.1, 0.1]])
    report = evaluate_labels(targets, scores, ["a", "b"], {"a": 0.5, "b": 0.5})
    assert report.means["precision"] == 0.5
    assert "b is never flagged, so its precision counts as 0" in report.notes[0]


def test_the_confusion_matrix_has_true_classes_as_rows_and_counts_by_weight():
    targets = np.array([[1, 0], [1, 0], [0, 1], [NAN, NAN]])
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    report = evaluate_classes(targets, scores, ["good", "bad"], [1, 2, 0.5, 1])
    assert report.to_dict()["confusion_matrix"] == {
        "good": {"good": 1, "bad": 2},
        "bad": {"good": 0, "bad": 0.5},
    }
    assert re.search(r"^good +1 +2$", report.table(), re.M)


def test_a_matrix_of_many_classes_is_a_list_of_confusions_on_the_terminal():
    names = [f"emotion{number}" for number in range(28)]
    answers = np.eye(28)[[1, *range(1, 28)]]
    report = evaluate_classes(np.eye(28), answers, names)
    assert "The most frequent of 1 confusions:\ntrue class" in report.table()
    assert re.search(r"^emotion0 +emotion1 +1 +100.0 %$", report.table(), re.M)
    whole = confusion_table(report.to_dict())
    assert whole.cells()[0][:3] == ["1 emotion0", "0", "1"]
    assert [column.title for column in whole.columns][:3] == ["true class", "1", "2"]


def test_a_report_is_plain_json_without_nan():
    report = evaluate_labels(column(1, 1), column(0.9, 0.1), ["rude"], HALF)
    record = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert record["labels"]["rude"]["roc_auc"] is None
    assert record["labels"]["rude"]["f1"] == 0.666667


def test_the_csv_has_a_line_per_label_and_one_for_the_means():
    report = evaluate_labels(column(1, 0), column(0.9, 0.1), ["rude"], HALF)
    lines = report.csv().splitlines()
    assert [line.split(",")[0] for line in lines] == ["label", "rude", "mean"]


def test_a_single_label_model_is_measured_by_its_most_likely_class():
    targets = np.eye(3)[[0, 1, 2, 2]]
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3], [0.1, 0.1, 0.8]])
    report = evaluate_classes(targets, scores, ["bad", "fair", "good"])
    assert report.accuracy == 0.75
    assert report.macro_f1 == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert report.labels["good"].roc_auc == 1
    # bands of the likeliest class: 0.5 is wrong, 0.7, 0.8 and 0.8 are right
    assert report.calibration_error == pytest.approx((0.5 + 0.3 + 0.2 + 0.2) / 4)
    assert report.labels["good"].f1_at_half is None
    assert "Accuracy 0.7500" in report.table()


def test_a_label_has_its_precision_and_recall_at_fifty_thresholds_and_a_class_has_none():
    report = evaluate_labels([[1], [0], [1]], [[0.9], [0.5], [0.1]], ["a"], {"a": 0.5})
    curve = report.to_dict()["labels"]["a"]["curve"]
    assert (curve["thresholds"][0], curve["thresholds"][-1]) == (0.02, 0.98)
    at = {
        threshold: (precision, recall)
        for threshold, precision, recall in zip(*curve.values(), strict=True)
    }
    assert at[0.1] == (0.666667, 1.0)  # a score at the threshold is flagged
    assert at[0.5] == (0.5, 0.5)
    assert at[0.9] == (1.0, 0.5)
    assert at[0.92] == (None, 0.0)
    classes = evaluate_classes([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]], ["a", "b"])
    assert classes.labels["a"].curve is None
