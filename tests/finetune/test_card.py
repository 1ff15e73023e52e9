import json

import numpy as np
import pytest
import yaml

from comment_toxicity.decision import Decision, Weights
from comment_toxicity.errors import ModelError
from finetune.calibrate import fit_decision
from finetune.card import render_card, write_card
from finetune.measure.evaluate import evaluate_classes, evaluate_labels
from finetune.thresholds import Criterion

LABELS = ["toxic", "insult"]
HALF = dict.fromkeys(LABELS, 0.5)
RUN = {
    "settings": {
        "train_data": "data/train.csv",
        "base_model": "bert-base-uncased",
        "epochs": 3,
        "data_licence": "Jigsaw 2018: annotations CC0, text CC BY-SA",
        "base_licence": "bert-base-uncased, Apache-2.0",
    },
    "versions": {"torch": "2.13.0"},
    "machine": "2 cores",
    "duration_s": 600,
    "data": {"train": {"name": "train.csv", "sha256": "ab" * 32, "rows": 1234}},
    "export": {"max_difference": [0.0125, 0.03]},
}


def write(folder, **parts):
    for name, part in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(part))


@pytest.fixture
def folder(tmp_path):
    """A model folder with all that the card is written from."""
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(200, 2))
    targets = (generator.random((200, 2)) < 1 / (1 + np.exp(-2 * logits))).astype(float)
    fitted = fit_decision(logits, targets, LABELS, "sigmoid", Criterion.parse("best-f1"))
    Decision("sigmoid", fitted.decision.labels, Weights("model.onnx", "00"), "best-f1", 200).save(
        tmp_path
    )
    thresholds = {name: label.threshold for name, label in fitted.decision.labels.items()}
    test = evaluate_labels(targets, fitted.decision.apply(logits), LABELS, thresholds)
    data = {"name": "test.csv", "sha256": "cd" * 32, "rows": 200}
    write(
        tmp_path,
        config={"id2label": {"0": "toxic", "1": "insult"}},
        metrics={"data": data, "test": test.to_dict(), "validation": fitted.report.to_dict()},
        run=RUN,
    )
    return tmp_path


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_has_the_fields_that_the_hub_reads(folder):
    data = front_matter(render_card(folder, "toxic-minilm"))
    assert data["license"] == "apache-2.0"
    assert data["base_model"] == "bert-base-uncased"
    assert data["pipeline_tag"] == "text-classification"
    (entry,) = data["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "toxic-minilm"
    assert result["dataset"]["name"] == "test.csv"
    metrics = json.loads((folder / "metrics.json").read_text())
    means = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert means["roc_auc"] == metrics["test"]["means"]["roc_auc"]


def test_a_base_read_from_a_package_is_named_as_the_hub_knows_it(folder):
    settings = RUN["settings"] | {
        "base_model": "package:some_package/model",
        "base_licence": "sentence-transformers/all-MiniLM-L6-v2, Apache-2.0",
    }
    write(folder, run=RUN | {"settings": settings})
    data = front_matter(render_card(folder, "m"))
    assert data["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("own licence, no commercial use permitted", "other"),
        ("MIT, see https://example.org/licence", "mit"),
        ("a base under CC-BY-4.0.", "cc-by-4.0"),
    ],
)
def test_a_licence_must_be_a_whole_word_and_a_url_is_not_a_base(folder, stated, found):
    settings = {"base_model": "package:some/model", "base_licence": stated}
    write(folder, run=RUN | {"settings": settings})
    data = front_matter(render_card(folder, "m"))
    assert data["license"] == found
    assert "base_model" not in data


def test_a_local_path_is_not_named_as_a_base_on_the_hub(folder):
    for base in ("/models", "runs/first/trained"):
        write(folder, run=RUN | {"settings": {"base_model": base}})
        assert "base_model" not in front_matter(render_card(folder, "m"))


def test_only_a_model_of_wikipedia_comments_is_declared_english(folder):
    assert front_matter(render_card(folder, "m"))["language"] == "en"
    write(folder, run=RUN | {"settings": {"train_data": "kommentare.csv"}})
    assert "language" not in front_matter(render_card(folder, "m"))


def test_passages_and_an_interruption_are_mentioned(folder):
    card = render_card(folder, "m")
    assert "passages" not in card
    assert "interrupted" not in card
    settings = RUN["settings"] | {"passages": 1.0, "teachers": ["a"]}
    write(folder, run=RUN | {"settings": settings, "training": {"resumed_from": "checkpoint-8"}})
    card = render_card(folder, "m")
    assert "passages cut out of its comments, without labels" in card
    assert "Made in 10 minutes, not counting the time before an interruption" in card


def test_a_base_that_was_a_run_is_described_after_the_run(folder):
    settings = RUN["settings"] | {"train_words": ["shark"]}
    base = RUN | {"data": {"train": {"name": "first.csv", "rows": 77}}}
    write(folder, run=RUN | {"settings": settings, "base_run": base})
    card = render_card(folder, "m")
    assert "Only the embeddings of `shark` were trained" in card
    assert card.index("1,234 rows") < card.index("### Training of the base") < card.index("77 rows")


def test_sources_that_were_left_out_are_listed_with_the_reason(folder):
    assert "Not trained on" not in render_card(folder, "m")
    left_out = {"left_out": "HateCheck, which is for measuring."}
    write(folder, run=RUN | {"settings": RUN["settings"] | left_out})
    assert "Not trained on: HateCheck, which is for measuring." in render_card(folder, "m")


def test_harms_come_before_usage_and_metrics(folder):
    card = render_card(folder, "m")
    positions = [card.index(title) for title in ("Known harms", "How to use it", "## Metrics")]
    assert positions == sorted(positions)
    assert "Not a moderator on its own" in card
    assert "Wikipedia" in card


def test_thresholds_and_metrics_are_those_of_the_folder(folder):
    card = render_card(folder, "m")
    decision = Decision.load(folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert f"| toxic | {decision.labels['toxic'].threshold:.4f} |" in card
    assert f"{metrics['test']['labels']['insult']['roc_auc']:.4f}" in card
    assert f"{metrics['test']['original_at_half']['exact_match']:.4f}" in card
    assert "1,234 rows of `train.csv`" in card
    assert "annotations CC0" in card
    assert "10 minutes" in card
    assert "at most 0.0300" in card


def test_every_source_of_training_rows_is_named_with_its_licence(folder):
    sources = {"forum": {"rows": 200, "licence": "CC0"}, "templates": {"rows": 34}}
    train = {"name": "train.csv", "rows": 1234, "sources": sources}
    write(folder, run=RUN | {"data": {"train": train}})
    card = render_card(folder, "tiny")
    assert "Of the training rows, 1,000 are from that file" in card
    assert "| forum | 200 | CC0 |" in card
    assert "| templates | 34 | not stated |" in card


def test_without_test_rows_the_validation_metrics_are_shown_and_named_as_such(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    write(folder, metrics={"validation": metrics["validation"]})
    card = render_card(folder, "m")
    assert "On 200 validation rows" in card
    assert "test rows" not in card


def test_metrics_of_few_rows_have_a_warning_and_are_not_in_the_model_index(folder):
    test = evaluate_labels([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.7]], LABELS, HALF, resamples=9)
    write(folder, metrics={"data": {"name": "test.csv"}, "test": test.to_dict()})
    card = render_card(folder, "m")
    assert "**Warning.** Too few rows to rely on: toxic (carried by 1 of 2), insult" in card
    assert "| **mean** | 0.207 to 1.000 |" in card
    assert "Standard error" not in card
    assert "model-index" not in front_matter(card)


def test_thresholds_from_few_positive_rows_have_a_warning(folder):
    assert "Fewer than 30 of these rows" not in render_card(folder, "m")
    decision = json.loads((folder / "decision.json").read_text())
    decision["labels"]["insult"]["positives"] = 3
    (folder / "decision.json").write_text(json.dumps(decision))
    assert "Fewer than 30 of these rows carry `insult` (3)" in render_card(folder, "m")


@pytest.mark.parametrize("labels", [["OFF", "NOT"], ["hate", "offensive", "neither"], ["Abusive"]])
def test_a_model_of_any_harm_has_the_known_harms(tmp_path, labels):
    write(tmp_path, config={"id2label": dict(enumerate(labels))})
    assert "## Known harms and limits" in render_card(tmp_path, "m")


def test_a_folder_with_only_a_config_gets_a_card(tmp_path):
    write(tmp_path, config={"id2label": {"0": "negative", "1": "positive"}})
    card = render_card(tmp_path, "m")
    assert "Uncalibrated" in card
    assert "Not measured." in card
    assert "Known harms" not in card  # those of toxicity models


def test_a_single_label_model_has_an_accuracy_and_no_thresholds(tmp_path):
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]] * 40)
    targets = np.eye(2)[[0, 1, 1, 1] * 40]
    labels = ["negative", "positive"]
    decision = fit_decision(logits, targets, labels, "softmax", Criterion("best-f1")).decision
    Decision("softmax", decision.labels, Weights("model.onnx", "00"), "likeliest", 20).save(
        tmp_path
    )
    report = evaluate_classes(targets, decision.apply(logits), labels)
    write(
        tmp_path,
        config={
            "id2label": {"0": "negative", "1": "positive"},
            "problem_type": "single_label_classification",
        },
        metrics={"test": report.to_dict()},
    )
    card = render_card(tmp_path, "m")
    assert "Accuracy 0.7500" in card
    assert "Thresholds" not in card
    assert (
        "| true class | negative | positive |\n| --- | --- | --- |\n| negative | 40 | 0 |" in card
    )
    metrics = front_matter(card)["model-index"][0]["results"][0]["metrics"]
    assert {"type": "accuracy", "value": 0.75, "name": "accuracy"} in metrics


def test_the_label_order_is_the_configs(folder):
    write(folder, config={"id2label": {"1": "toxic", "0": "insult"}})
    assert "`insult`, `toxic`." in render_card(folder, "m")


def test_the_card_of_a_run_is_named_after_the_run(folder):
    model = folder / "runs" / "mine" / "model"
    model.mkdir(parents=True)
    write(model, config={"id2label": {"0": "toxic"}})
    write_card(model)
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "\n# mine\n" in card
    assert 'load_classifier("runs/mine")' in card  # “mine” alone is no name of a model
    assert [path.name for path in sorted(model.iterdir())] == ["README.md", "config.json"]


@pytest.mark.parametrize("content", ["{}", "not json"])
def test_a_folder_without_a_usable_config_is_an_error_and_gets_no_card(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        write_card(tmp_path)
    assert not (tmp_path / "README.md").exists()


def test_a_model_of_several_languages_has_a_table_and_names_those_it_learnt(folder):
    row = {
        "rows": 10, "positives": 5, "roc_auc": 0.8, "roc_auc_interval": [0.5, 1.0], "f1": 0.5,
        "calibration_error": 0.1, "trained": True, "neutral": {"rows": 4, "flagged": 0.25},
    }  # fmt: skip
    languages = {"de": row, "hi": row, "hi-Latn": row, "sv": row | {"trained": False}}
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["languages"] = {"label": "toxic", "languages": languages}
    settings = RUN["settings"] | {"train_data": "jigsaw_train.csv"}
    write(folder, metrics=metrics, run=RUN | {"settings": settings})
    card = render_card(folder, "m")
    assert front_matter(card)["language"] == ["de", "hi"]
    assert "| sv * | 10 | 5 | 0.8000 | 0.500 to 1.000 | 0.5000 | 0.1000 | 4 | 25.0 % |" in card
    assert "learned from comments in de, hi, hi-Latn," in card
    assert "In other languages its scores mean nothing" not in card
