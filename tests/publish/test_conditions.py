import pytest

from comment_toxicity.errors import SettingsError
from finetune.publish.conditions import Condition, verdict_table


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
def test_a_metric_is_compared_with_a_number(text, passed):
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


def test_a_comparison_passes_where_nothing_is_published():
    verdict = judge("roc_auc_mean >= published - 0.002")
    assert verdict.passed
    assert "nothing is published" in verdict.note


def test_a_comparison_fails_if_the_published_model_has_no_metrics():
    assert not judge("roc_auc_mean >= published - 0.002", published={}).passed


def test_a_comparison_of_different_rows_says_so():
    verdict = judge("roc_auc_mean >= published", metrics(), metrics(sha256="b"))
    assert "other rows" in verdict.note


def test_a_condition_on_an_undefined_metric_fails():
    verdict = judge("average_precision_mean >= 0")
    assert not verdict.passed
    assert "no value" in verdict_table([verdict])


def audit(accuracy=0.78, sha256="a"):
    return {
        "weights": {"file": "model.onnx", "sha256": "b"},
        "data": {"hatecheck": {"name": "cases.csv", "sha256": sha256}},
        "identity": [
            {
                "source": "templates",
                "label": "toxic",
                "terms": [
                    {"term": "", "false_positive_rate": 0.9},
                    {"term": "gay", "false_positive_rate": 0.03},
                    {"term": "Black", "false_positive_rate": 0.01},
                    {"term": "old", "false_positive_rate": None},
                ],
            }
        ],
        "function": {"accuracy": accuracy, "labels": {"toxic": {"f1": 0.6}}},
        "transfer": None,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("audit.function.accuracy >= 0.77", 0.78),
        ("audit.function.labels.toxic.f1 >= 0.6", 0.6),
        ("audit.identity.templates.toxic.terms.gay.false_positive_rate <= 0.03", 0.03),
        ("audit.identity.templates.toxic.terms.highest.false_positive_rate <= 0.03", 0.03),
        ("audit.identity.templates.toxic.terms.lowest.false_positive_rate <= 0.01", 0.01),
    ],
)
def test_a_metric_of_the_audit_is_named_by_its_path(text, value):
    verdict = judge(text, metrics() | {"audit": audit()})
    assert (verdict.value, verdict.passed) == (value, True)


def test_the_audit_is_compared_with_the_published_one_and_notes_other_rows():
    text = "audit.function.accuracy >= published - 0.01"
    ours = metrics() | {"audit": audit()}
    verdict = judge(text, ours, metrics(sha256="other test rows") | {"audit": audit(0.8)})
    assert (verdict.passed, verdict.note) == (False, "published 0.8")
    verdict = judge(text, ours, metrics() | {"audit": audit(0.7, "other cases")})
    assert (verdict.passed, verdict.note) == (True, "published 0.7, measured on other rows")
    assert not judge(text, ours, metrics()).passed


def test_a_condition_on_a_missing_audit_says_how_to_make_one():
    with pytest.raises(
        SettingsError, match=r"no audit\.json .* finetune\.audit --model MODEL --save"
    ):
        judge("audit.function.accuracy >= 0.77")
    with pytest.raises(SettingsError, match=r"audit\.json has no metric .* write its path"):
        judge("audit.function.acuracy >= 0.77", metrics() | {"audit": audit()})


@pytest.mark.parametrize(
    "published",
    [
        {"test": 0.9},
        {"test": {"labels": {"threat": 0.5}}},
        {"test": {}, "data": "imdb"},
        {"test": []},
    ],
)
def test_a_published_file_of_another_format_fails_the_comparison(published):
    verdict = judge("f1.threat >= published", published=published)
    assert (verdict.passed, verdict.note) == (False, "what is published has no such metric")


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
def test_a_malformed_condition_is_refused_with_an_example(text):
    with pytest.raises(SettingsError, match=r"not a valid condition; write METRIC >= NUMBER"):
        Condition.parse(text)


@pytest.mark.parametrize("metric", ["roc_auc", "f1.treat", "notes", "weighted"])
def test_an_unknown_metric_is_an_error_and_not_a_failed_condition(metric):
    with pytest.raises(SettingsError, match=r"no metric .* roc_auc_mean"):
        judge(f"{metric} >= 0.5")


def test_each_verdict_is_a_line_with_its_value():
    verdicts = [judge("roc_auc_mean >= 0.97"), judge("f1.threat >= 0.5")]
    assert verdict_table(verdicts).splitlines() == [
        "pass  roc_auc_mean >= 0.97  0.97",
        "FAIL  f1.threat >= 0.5      0.4",
    ]
