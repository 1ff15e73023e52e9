"""Intervals: by hand, at their ends, and whether they cover the truth."""

import numpy as np
import pytest
from scipy.stats import norm

from finetune.measure.intervals import (
    effective_size,
    f1_interval,
    few_rows,
    mean_intervals,
    ranking_interval,
    warnings,
    wilson,
)


def test_the_interval_of_eight_in_ten_is_that_of_wilson():
    assert wilson(0.8, 10) == pytest.approx([0.4902, 0.9433], abs=0.0001)


@pytest.mark.parametrize("size", [1, 3, 30, 10_000])
def test_no_interval_is_a_point_at_either_end(size):
    for low, high in (wilson(1, size), ranking_interval(1, size, 50_000), f1_interval(1, size)):
        assert low < high == 1
    assert wilson(0, size)[0] == 0
    assert f1_interval(0, size)[1] > 0


def test_without_rows_everything_is_possible():
    assert wilson(0, 0) == f1_interval(0, 0) == [0, 1]


def test_rows_of_equal_weight_count_once_and_others_less():
    assert effective_size(np.full(12, 3.5)) == pytest.approx(12)
    assert effective_size([1, 1, 98]) < 1.1
    assert effective_size([]) == 0


@pytest.mark.parametrize("spread", [1, 3])
@pytest.mark.parametrize(("positives", "negatives"), [(3, 500), (10, 20), (30, 300)])
@pytest.mark.parametrize("area", [0.8, 0.99])
def test_the_interval_of_a_roc_auc_covers_the_truth(area, positives, negatives, spread):
    """Of normal scores, those of the positives as wide as the others or wider: 200 samples."""
    generator = np.random.default_rng(0)
    centre = norm.ppf(area) * np.hypot(spread, 1)
    covered = 0
    for _ in range(200):
        high = generator.normal(centre, spread, positives)
        low = np.sort(generator.normal(0, 1, negatives))
        value = np.searchsorted(low, high).mean() / negatives
        start, end = ranking_interval(value, positives, negatives)
        covered += start <= area <= end
    assert covered >= 0.93 * 200


def test_the_interval_of_a_mean_holds_however_labels_depend_on_one_another():
    labels = [{"f1": [0.2, 0.6]}, {"f1": [0.4, 1.0], "recall": [0, 1]}, {}]
    assert mean_intervals(labels) == {"f1": pytest.approx([0.3, 0.8]), "recall": [0, 1]}


def test_a_metrics_json_without_intervals_is_warned_of_by_its_counts():
    labels = {"rude": {"rows": 90, "positives": 29}, "fine": {"rows": 90, "positives": 30}}
    assert few_rows({"labels": labels}) == ["rude"]
    (warning,) = warnings({"labels": labels}, str.upper)
    assert warning.startswith("Too few rows to rely on: RUDE (carried by 29 of 90).")
    assert "Measure on more rows." in warning


def test_a_warning_names_a_few_of_many_labels():
    labels = {f"label{number}": {"rows": 9, "positives": 2} for number in range(28)}
    (warning,) = warnings({"labels": labels})
    assert "label7 (carried by 2 of 9) and 20 more labels." in warning
