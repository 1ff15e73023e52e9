"""What each threshold gives, on rows few enough to count by hand."""

import numpy as np
import pytest

from finetune.audit.operating_points import THRESHOLDS, measure_operating_points

LABELS = ["toxic", "threat"]
TARGETS = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1]])
SCORES = np.array([[0.85, 0.1], [0.35, 0.9], [0.45, 0.2], [0.05, 0.65]])


def test_operating_points_count_rows_by_their_weights():
    report = measure_operating_points(
        "rows", LABELS, TARGETS, SCORES, {"toxic": 0.33, "threat": 0.5}, weights=[1, 1, 8, 10]
    )
    toxic = report.labels["toxic"]
    assert len(toxic.points) == len(THRESHOLDS) + 1
    assert toxic.chosen.threshold == 0.33
    assert toxic.chosen.flagged == pytest.approx(10 / 20)
    assert toxic.chosen.precision == pytest.approx(2 / 10)
    assert toxic.chosen.recall == 1
    threat = report.labels["threat"]
    assert len(threat.points) == len(THRESHOLDS)  # 0.5 is among them
    assert threat.chosen.flagged == pytest.approx(10 / 19)  # the unknown row is left out
    assert threat.chosen.precision == 1


def test_rows_of_weight_zero_are_not_counted():
    report = measure_operating_points(
        "rows", LABELS, TARGETS, SCORES, {"toxic": 0.5, "threat": 0.5}, weights=[1, 0, 0, 1]
    )
    assert report.rows == 2


def test_a_threshold_that_flags_nothing_has_no_precision():
    report = measure_operating_points(
        "rows", ["toxic"], TARGETS[:, :1], SCORES[:, :1], {"toxic": 0.5}
    )
    last = report.labels["toxic"].points[-1]
    assert (last.threshold, last.flagged, last.precision, last.recall) == (0.95, 0, None, 0)


def test_a_score_at_the_threshold_is_flagged():
    scores = np.full((4, 1), 0.7, dtype=np.float32)  # which is below 0.7 in float64
    report = measure_operating_points("rows", ["a"], TARGETS[:, :1], scores, {"a": 0.7})
    assert report.labels["a"].chosen.flagged == 1
