"""Cases judged right by functionality, on cases few enough to count by hand."""

import numpy as np
import pytest

from finetune.audit.hatecheck import measure_function

FUNCTIONS = ["threat", "threat", "praise", "praise", "mixed", "mixed"]
HATEFUL = [1, 1, 0, 0, 1, 0]


def test_accuracy_is_computed_for_each_functionality():
    report = measure_function(
        "cases", "hate", FUNCTIONS, HATEFUL, [0.9, 0.2, 0.1, 0.8, 0.7, 0.1], 0.5, ["x"] * 6
    )
    found = {group.name: (group.bad, group.accuracy) for group in report.functionalities}
    assert found == {"threat": (True, 0.5), "praise": (False, 0.5), "mixed": (None, 1.0)}
    assert report.accuracy == pytest.approx(4 / 6)
    assert report.accuracy_bad == pytest.approx(2 / 3)
    assert [group.rows for group in report.targets] == [6]


@pytest.mark.parametrize(
    ("scores", "accuracy", "threshold"),
    [
        ([0.04, 0.03, 0.01, 0.01, 0.02, 0.01], 1.0, 0.02),
        ([0.1, 0.1, 0.9, 0.9, 0.1, 0.9], 0.5, 1.0),  # nothing flagged is best
        ([0.5] * 6, 0.5, 1.0),
    ],
)
def test_the_best_threshold_does_not_depend_on_the_models_own(scores, accuracy, threshold):
    report = measure_function("cases", "hate", FUNCTIONS, HATEFUL, scores, 0.95)
    assert report.best_accuracy == accuracy
    assert report.best_threshold == threshold


def test_a_score_at_the_threshold_is_flagged():
    scores = np.full(6, 0.7, dtype=np.float32)  # which is below 0.7 in float64
    report = measure_function("cases", "hate", FUNCTIONS, HATEFUL, scores, 0.7)
    assert report.accuracy_bad == 1


def test_the_table_begins_with_the_weakest_functionality():
    scores = [0.9, 0.9, 0.9, 0.9, 0.9, 0.1]
    report = measure_function("cases", "hate", FUNCTIONS, HATEFUL, scores, 0.5)
    assert report.functionality_table().cells() == [
        ["praise", "no", "2", "0.0 %"],
        ["threat", "yes", "2", "100.0 %"],
        ["mixed", "–", "2", "100.0 %"],
    ]
