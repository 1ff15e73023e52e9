import pytest

from classifier.errors import SettingsError
from finetune.gate import Condition, gate_table


def metrics(roc_auc=0.97, threat=0.4, sha256="a"):
    return {
        "validation": {"means": {"roc_auc": 0.99}, "labels": {}},
        "data": {"name": "rows.csv", "sha256": sha256, "rows": 100},
        "test": {
            "rows": 100,
            "weighted": True,
            "means": {"roc_auc": roc_auc, "average_precision": None},
            "labels": {
                "threat": {"f1": threat, "confusion": {"true_positive": 5.0}, "reliability": []},
                "hate speech": {"f1": 0.5},
            },
            "original_at_half": {"exact_match": 0.9},
            "notes": [],
        },
    }


def judge(text, ours=None, published=None):
    return Condition.parse(text).judge(ours or metrics(), published)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("roc_auc_mean >= 0.97", True),
        ("roc_auc_mean > 0.97", False),
        ("roc_auc_mean<=.97", True),
        ("roc_auc_mean < 9.7e-1", False),
        ("f1.threat >= 0.41", False),
        ("f1.hate speech >= 0.5", True),
        ("rows >= 100", True),
        ("original_at_half.exact_match >= 0.9", True),
        ("validation.roc_auc_mean >= 0.99", True),
    ],
)
def test_a_figure_is_compared_with_a_number(text, passed):
    assert judge(text).passed is passed


@pytest.mark.parametrize(
    ("ours", "passed"), [(0.972, True), (0.97, True), (0.968, True), (0.967999, False)]
)
def test_a_model_may_be_a_little_worse_than_what_is_published(ours, passed):
    verdict = judge("roc_auc_mean >= published - 0.002", metrics(ours), metrics(0.97))
    assert verdict.passed is passed
    assert verdict.note == "published 0.97"


def test_a_model_can_be_asked_to_be_better_than_what_is_published():
    assert not judge("roc_auc_mean > published", metrics(0.97), metrics(0.97)).passed
    assert judge("roc_auc_mean >= published + 0.01", metrics(0.98), metrics(0.97)).passed


def test_where_nothing_is_published_nothing_can_be_worse():
    verdict = judge("roc_auc_mean >= published - 0.002")
    assert verdict.passed
    assert "nothing is published" in verdict.note


def test_a_model_published_without_figures_cannot_be_compared_with():
    assert not judge("roc_auc_mean >= published - 0.002", published={}).passed


def test_a_comparison_of_figures_from_different_rows_says_so():
    verdict = judge("roc_auc_mean >= published", metrics(), metrics(sha256="b"))
    assert "other rows" in verdict.note


def test_a_figure_that_the_rows_cannot_give_fails():
    verdict = judge("average_precision_mean >= 0")
    assert not verdict.passed
    assert "no value" in verdict.line()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "roc_auc_mean",
        "roc_auc_mean >= ",
        "roc_auc_mean = 0.97",
        "roc_auc_mean == 0.97",
        "roc_auc_mean >= 97%",
        "roc_auc_mean >= 0,97",
        "roc_auc_mean >= nan",
        "0.9 <= roc_auc_mean <= 1",
        "roc_auc_mean >= published * 0.9",
        "roc_auc_mean >= published 0.002",
        ">= 0.9",
    ],
)
def test_what_is_no_condition_is_refused_with_an_example(text):
    with pytest.raises(SettingsError, match=r"no condition; write FIGURE >= NUMBER"):
        Condition.parse(text)


@pytest.mark.parametrize("figure", ["roc_auc", "f1.treat", "notes", "weighted"])
def test_an_unknown_figure_is_a_mistake_and_not_a_failed_condition(figure):
    with pytest.raises(SettingsError, match=r"no figure .* roc_auc_mean"):
        judge(f"{figure} >= 0.5")


def test_each_verdict_is_a_line_with_its_value():
    verdicts = [judge("roc_auc_mean >= 0.97"), judge("f1.threat >= 0.5")]
    assert gate_table(verdicts).splitlines() == [
        "      pass  roc_auc_mean >= 0.97  0.97",
        "      FAIL  f1.threat >= 0.5      0.4",
    ]
