"""The check of a model on the Hub, before anything of it is downloaded."""

import pytest

from comment_toxicity.errors import ModelError
from tests.pages.standins import hub_file as file
from ui.models import hub_check


def test_a_text_classifier_with_safe_weights_is_accepted(hub):
    hub()
    assert hub_check.check_hub_model("owner/name@main", 1.0) == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"config": {"architectures": ["BertForMaskedLM"]}}, "is not a text classifier"),
        ({"config": None}, "is not a text classifier"),
        ({"siblings": [file("config.json"), file("weights.pkl")]}, "safe to read"),
        ({"siblings": [file("model.safetensors")]}, "has no config.json"),
        ({"siblings": [file("config.json"), file("model.safetensors", 3e9)]}, "take 3.0 GB"),
        (
            {"siblings": [file("config.json"), file("vocab.txt", 3e9), file("model.safetensors")]},
            "take 3.0 GB",
        ),
        ({"siblings": [file("config.json"), file("model/x.safetensors")]}, "safe to read"),
        (
            {
                "siblings": [
                    *(file("config.json"), file("decision.json")),
                    *(file("model.onnx"), file("model.safetensors", 3e9)),
                ]
            },
            "take 3.0 GB",  # decision.json may name the larger one
        ),
        (
            {"config": {"architectures": ["XForSequenceClassification"], "auto_map": {}}},
            "brings its own Python code",
        ),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused_with_the_reason(hub, info, reason):
    hub(**info)
    with pytest.raises(ModelError, match=reason):
        hub_check.check_hub_model("owner/name", 2.0)


def test_without_a_decision_file_only_the_preferred_weights_count(hub):
    hub(siblings=[file("config.json"), file("model.safetensors"), file("pytorch_model.bin", 3e9)])
    assert hub_check.check_hub_model("owner/name", 2.0) < 0.1
