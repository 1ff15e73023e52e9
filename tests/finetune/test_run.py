"""A complete run through the real command: labelled comments in, a model folder out."""

import json
from pathlib import Path

import numpy as np
import pytest

from comment_toxicity import load_classifier
from finetune import record
from finetune.__main__ import main
from tests.running import ROOT

SMALL = [
    "--batch-size", "8", "--max-length", "32", "--learning-rate", "0.005", "--epochs", "10",
    "--dropout", "0", "--attention-dropout", "0",
    "--validation-fraction", "0.3", "--test-fraction", "0.2",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(comments: Path, learner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    named = ["--train-data", comments, "--base-model", learner, "--output-dir", folder]
    assert main([*map(str, named), *SMALL]) == 0
    return folder


def test_the_model_folder_is_complete(run: Path):
    assert {path.name for path in (run / "model").iterdir()} == {
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
        "model.onnx",
        "decision.json",
        "metrics.json",
        "run.json",
        "README.md",
    }


def test_the_model_scores_what_it_learned(run: Path, telling: dict[str, str]):
    classifier = load_classifier(str(run / "model"))
    assert classifier.labels == list(telling)
    assert classifier.calibrated
    for column, word in enumerate(telling.values()):
        told, untold = classifier.score([f"please {word} the page", "please find the page"])
        assert told[column] > untold[column] + 0.3


def test_metrics_are_those_of_the_shipped_weights_on_unseen_rows(run: Path, telling):
    import pandas as pd
    from sklearn.metrics import roc_auc_score

    metrics = json.loads((run / "model" / "metrics.json").read_text())
    rows = pd.read_parquet(run / "split" / "test.parquet")
    scores = load_classifier(str(run / "model")).score(rows["comment_text"].tolist())
    for column, label in enumerate(telling):
        expected = roc_auc_score(rows[label], scores[:, column])
        assert metrics["test"]["labels"][label]["roc_auc"] == pytest.approx(expected, abs=1e-6)


def test_run_json_records_the_difference_that_export_made(run: Path):
    record = json.loads((run / "run.json").read_text())
    assert max(record["export"]["max_difference"]) < 0.2
    assert record["export"]["rows"] > 0
    assert record["data"]["train"]["rows"] > record["data"]["test"]["rows"]
    assert len(record["data"]["train"]["sha256"]) == 64


def test_make_train_tiny_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # the config names data/sample.csv
    few = ["--output-dir", str(tmp_path / "tiny"), "--max-steps", "1"]
    assert main(["data", "train", "--config", "configs/tiny.toml", *few]) == 0
    assert (tmp_path / "tiny" / "trained" / "model.safetensors").stat().st_size > 20e6


def test_a_stage_can_run_again_on_its_own(run: Path):
    before = json.loads((run / "model" / "decision.json").read_text())
    again = ["calibrate", "evaluate", "card", "--output-dir", str(run)]
    assert main([*again, "--criterion", "min-recall:0.9"]) == 0
    decision = json.loads((run / "model" / "decision.json").read_text())
    assert decision["criterion"] == "min-recall:0.9"
    assert all(label["recall"] >= 0.9 for label in decision["labels"].values())
    assert decision["weights"] == before["weights"]
    assert main([*again, "--criterion", "best-f1"]) == 0


def test_secrets_in_a_url_stay_out_of_the_model_folder(run: Path):
    whole = record.load(run)
    url = "https://me:secret@example.org/rows.csv?signature=secret"
    licence = "CC BY, see http://[licence?x and more"
    other = {"extra_data": [url], "base_licence": licence}
    record.save(whole | {"settings": whole["settings"] | other}, run)
    assert main(["card", "--output-dir", str(run)]) == 0
    for name in ("run.json", "README.md"):
        text = (run / "model" / name).read_text()
        assert "secret" not in text
    assert "https://example.org/rows.csv" in (run / "model" / "run.json").read_text()
    assert licence in (run / "model" / "run.json").read_text()
    record.save(whole, run)
    assert main(["card", "--output-dir", str(run)]) == 0


def test_new_thresholds_discard_the_metrics_of_older_ones(run: Path):
    (run / "model" / "audit.json").write_text("{}")
    assert main(["calibrate", "--output-dir", str(run)]) == 0
    assert list(json.loads((run / "model" / "metrics.json").read_text())) == ["validation"]
    assert not (run / "model" / "audit.json").exists()
    assert main(["evaluate", "card", "--output-dir", str(run)]) == 0


def test_a_single_label_model_goes_through_the_same_stages(tmp_path: Path, learner: Path):
    generator = np.random.default_rng(0)
    lines = ["review,sentiment"]
    for number in range(200):
        word, name = [("bad", "neg"), ("good", "pos")][generator.integers(2)]
        lines.append(f"the page {word} {number},{name}")
    (tmp_path / "reviews.csv").write_text("\n".join(lines))
    folder = tmp_path / "run"
    named = [
        "--train-data", str(tmp_path / "reviews.csv"), "--base-model", str(learner),
        "--output-dir", str(folder), "--text-column", "review", "--label-column", "sentiment",
        "--labels", "negative,positive", "--label-mapping", "neg=0,pos=1", "--best-by", "accuracy",
        "--formats", "safetensors",
    ]  # fmt: skip
    assert main([*named, *SMALL]) == 0
    classifier = load_classifier(str(folder / "model"))
    scores = classifier.score(["the page good 7", "the page bad 7"])
    assert classifier.single_label
    assert scores.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert scores.argmax(axis=1).tolist() == [1, 0]
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.9
