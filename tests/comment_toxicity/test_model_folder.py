import json
import math
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from comment_toxicity import ModelError, load_classifier
from comment_toxicity.decision import Decision
from comment_toxicity.folder import LONGEST_WINDOW, ModelFolder, activation


def edit(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.onnx"])
def test_a_missing_file_is_named(model_folder, name):
    (model_folder / name).unlink()
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load_classifier(model_folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "decision.json"])
def test_a_broken_file_is_named(model_folder, name):
    (model_folder / name).write_text('{"half":')
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        load_classifier(model_folder)


def test_a_folder_without_weights_is_refused(model_folder):
    (model_folder / "model.onnx").unlink()
    (model_folder / "decision.json").unlink()
    with pytest.raises(ModelError, match="no weight file"):
        load_classifier(model_folder)


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}, "2-of-2.*: missing"),
        ({}, "names no weight file"),
        ({"a": "../model-1-of-2.safetensors"}, "is not beside it"),
        ({"a": ["model-1-of-2.safetensors"]}, "missing|is not beside it"),
    ],
)
def test_sharded_weights_with_a_missing_or_invalid_file_are_refused(
    model_folder, weight_map, message
):
    for name in ("model.onnx", "decision.json"):
        (model_folder / name).unlink()
    (model_folder / "model-1-of-2.safetensors").touch()
    index = {"weight_map": weight_map}
    (model_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=message):
        load_classifier(model_folder)


def test_weights_that_onnx_runtime_cannot_load_are_refused(model_folder):
    (model_folder / "decision.json").unlink()
    (model_folder / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="ONNX Runtime"):
        load_classifier(model_folder)


def test_calibration_made_for_other_weights_is_refused(model_folder):
    with (model_folder / "model.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelError, match="not the weights"):
        load_classifier(model_folder)


@pytest.mark.parametrize("named", ["../model/model.onnx", "model.bin"])
def test_a_decision_for_another_file_is_refused(model_folder, named):
    weights = json.loads((model_folder / "decision.json").read_text())["weights"]
    edit(model_folder / "decision.json", weights=weights | {"file": named})
    with pytest.raises(ModelError, match="names no weight file"):
        load_classifier(model_folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("slope", "1"), ("slope", None), ("intercept", math.nan), ("threshold", 50), ("recall", [1])],
)
def test_a_decision_with_invalid_numbers_is_refused(model_folder, field, value):
    labels = json.loads((model_folder / "decision.json").read_text())["labels"]
    labels["toxic"][field] = value
    edit(model_folder / "decision.json", labels=labels)
    with pytest.raises(ModelError, match=f"not a decision file.*{field}"):
        load_classifier(model_folder)


def test_a_label_count_that_does_not_match_is_refused(model_folder):
    (model_folder / "decision.json").unlink()
    edit(model_folder / "config.json", id2label={"0": "toxic", "1": "threat"})
    with pytest.raises(ModelError, match=r"6 scores for a text, .* 2 labels"):
        load_classifier(model_folder)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"id2label": dict.fromkeys("012345", "toxic")}, "'toxic' twice"),
        ("config.json", {"id2label": None}, "not a table of labels"),
        ("config.json", {"max_position_embeddings": "512"}, "not a length"),
        ("tokenizer_config.json", {"model_max_length": "32"}, "not a length"),
        ("tokenizer_config.json", {"model_max_length": 2}, "not a length"),  # would never end
        ("tokenizer_config.json", {"model_max_length": -1}, "not a length"),
        ("decision.json", {"weights": {"file": "model.onnx", "sha256": 5}}, "sha256"),
    ],
)
def test_a_file_with_odd_values_is_refused(model_folder, file, changes, message):
    edit(model_folder / file, **changes)
    with pytest.raises(ModelError, match=message):
        load_classifier(model_folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "decision.json"])
def test_deeply_nested_json_is_refused(model_folder, file):
    (model_folder / file).write_text("[" * 100_000)
    with pytest.raises(ModelError, match=file):
        load_classifier(model_folder)


def test_unnamed_labels_are_numbered(model_folder):
    (model_folder / "decision.json").unlink()
    config = json.loads((model_folder / "config.json").read_text())
    config.pop("id2label")
    for count, labels in ((6, [f"LABEL_{number}" for number in range(6)]), ("6", None)):
        (model_folder / "config.json").write_text(json.dumps(config | {"num_labels": count}))
        if labels:
            assert load_classifier(model_folder).labels == labels
        else:
            with pytest.raises(ModelError, match="not a number from 1"):
                load_classifier(model_folder)


def test_a_label_of_a_multi_label_model_needs_a_threshold(model_folder):
    labels = json.loads((model_folder / "decision.json").read_text())["labels"]
    labels["threat"]["threshold"] = None
    edit(model_folder / "decision.json", labels=labels)
    with pytest.raises(ModelError, match="threat has no threshold"):
        load_classifier(model_folder)


def test_labels_that_differ_from_the_decision_are_refused(model_folder):
    edit(model_folder / "config.json", id2label={"0": "toxic", "1": "threat"})
    with pytest.raises(ModelError, match="has the labels"):
        load_classifier(model_folder)


def test_a_folder_without_a_decision_is_uncalibrated(tiny_base):
    model = load_classifier(tiny_base)
    assert not model.calibrated
    assert set(model.thresholds.values()) == {0.5}
    logits = model.logits(["you idiot"]).astype(np.float64)
    assert np.allclose(model.score(["you idiot"]), 1 / (1 + np.exp(-logits)), atol=1e-7)


def test_a_decision_is_read_as_it_was_saved(exported, tmp_path):
    decision = Decision.load(exported)
    decision.save(tmp_path)
    assert Decision.load(tmp_path) == decision
    assert [path.name for path in tmp_path.iterdir()] == ["decision.json"]


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def torch_folder(tiny_base, tmp_path):
    return Path(shutil.copytree(tiny_base, tmp_path / "torch"))


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_planted_pickle_is_refused_and_does_not_run(torch_folder, tmp_path, form):
    import torch

    (torch_folder / "model.safetensors").unlink()
    planted, trace = torch_folder / "pytorch_model.bin", tmp_path / "it-ran"
    content = {"classifier.weight": Malicious(trace)}
    if form == "torch":
        torch.save(content, planted)
    else:
        planted.write_bytes(pickle.dumps(content, protocol=2))  # what torch expects
    with pytest.raises(ModelError, match="cannot load"):
        load_classifier(torch_folder)
    assert not trace.exists()
    pickle.loads(pickle.dumps(content))  # shows that it would have run
    assert trace.exists()


def test_a_config_value_of_the_wrong_type_ends_in_one_clear_error(torch_folder):
    edit(torch_folder / "config.json", hidden_size="wide")
    with pytest.raises(ModelError, match="cannot load this model"):
        load_classifier(torch_folder)


@pytest.mark.parametrize("kind", ["model_folder", "torch_folder"])
def test_a_tokenizer_of_another_model_is_reported(kind, request):
    folder = request.getfixturevalue(kind)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["please"] = 30_000
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="another model's"):
        load_classifier(folder).score(["please help"])


def test_a_harmless_bin_file_is_read(torch_folder, tiny_base):
    import torch
    from safetensors.torch import load_file

    weights = torch_folder / "model.safetensors"
    torch.save(load_file(weights), torch_folder / "pytorch_model.bin")
    weights.unlink()
    texts = ["you idiot", "thanks"]
    found, expected = (
        load_classifier(torch_folder).score(texts),
        load_classifier(tiny_base).score(texts),
    )
    assert np.allclose(
        found, expected, atol=1e-6
    )  # where weights lie in memory tells in the last bit


def test_a_config_cannot_ask_for_windows_of_any_length(torch_folder):
    edit(torch_folder / "config.json", max_position_embeddings=10**9)
    edit(torch_folder / "tokenizer_config.json", model_max_length=10**30)
    assert ModelFolder.read(torch_folder).window == LONGEST_WINDOW


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_that_brings_its_own_code_is_refused(torch_folder, name):
    edit(torch_folder / name, auto_map={"AutoConfig": "own.Config"})
    with pytest.raises(ModelError, match="its own Python code"):
        load_classifier(torch_folder)


def test_a_base_without_a_trained_head_is_refused(torch_folder, capfd):
    from safetensors.torch import load_file, save_file

    weights = torch_folder / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if "classifier" not in name}
    save_file(kept, weights, {"format": "pt"})
    with pytest.raises(ModelError, match="fine-tune it"):
        load_classifier(torch_folder)
    assert capfd.readouterr().err == ""  # the sentence is enough, without transformers' own report


def test_a_single_label_model_takes_the_most_likely_label(torch_folder):
    edit(torch_folder / "config.json", problem_type="single_label_classification")
    model = load_classifier(torch_folder)
    scores = model.score(["you idiot", "thanks " * 60])
    assert model.single_label
    assert model.thresholds == {}
    assert np.allclose(scores.sum(axis=1), 1)
    assert model.flags(scores[0]) == [model.labels[scores[0].argmax()]]
    windows = model.windows("thanks " * 60)
    assert np.allclose(
        model.logits(["thanks " * 60])[0], model._engine.logits(windows).mean(axis=0)
    )


@pytest.mark.parametrize(
    ("problem", "labels", "expected"),
    [
        ("multi_label_classification", ["POSITIVE", "NEGATIVE"], "sigmoid"),
        ("single_label_classification", ["toxic", "threat", "insult"], "softmax"),
        (
            None,
            ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"],
            "sigmoid",
        ),
        (None, ["toxicity", "severe toxicity", "Identity-Attack"], "sigmoid"),
        (None, ["toxic"], "sigmoid"),
        (None, ["NEGATIVE", "POSITIVE"], "softmax"),
        (None, ["LABEL_0", "LABEL_1", "LABEL_2"], "softmax"),
        (None, ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"], "softmax"),
        (None, ["toxic", "non-toxic"], "softmax"),
        (None, ["hate", "offensive", "neither"], "softmax"),
        (None, ["hateful", "offensive", "normal"], "softmax"),
    ],
)
def test_the_activation_follows_the_config_or_else_the_labels(problem, labels, expected):
    config = {"problem_type": problem} if problem else {}
    assert activation(config, labels, Path("model")) == expected


def test_a_regression_model_is_refused(model_folder):
    (model_folder / "decision.json").unlink()
    edit(model_folder / "config.json", problem_type="regression")
    with pytest.raises(ModelError, match="regression"):
        load_classifier(model_folder)


@pytest.mark.parametrize("number", [10**9, 0, -1, True, "6", 2.5, [6]])
@pytest.mark.parametrize("field", ["num_labels", "_num_labels"])
def test_a_number_of_labels_that_no_model_has_is_refused(model_folder, field, number):
    config = json.loads((model_folder / "config.json").read_text())
    for change in ({field: number}, {field: number, "id2label": None}):
        (model_folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelError, match=f"{field} is not a number from 1 to 1,000"):
            ModelFolder.read(model_folder)


def test_a_table_of_more_labels_than_a_model_has_is_refused(model_folder):
    config = {"model_type": "bert", "id2label": {str(n): f"label {n}" for n in range(1001)}}
    (model_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="has 1,001 labels"):
        ModelFolder.read(model_folder)


@pytest.mark.parametrize("name", ["README.md", "vocab.txt", "tokenizer.json", "more"])
def test_a_link_out_of_the_folder_is_refused(model_folder, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("private")
    (model_folder / name).unlink(missing_ok=True)
    (model_folder / name).symlink_to(secret)
    with pytest.raises(ModelError, match=f"{name}: links to a file outside"):
        ModelFolder.read(model_folder)


def test_links_within_a_folder_and_within_the_hubs_cache_are_followed(model_folder, tmp_path):
    (model_folder / "other.md").write_text("text")
    (model_folder / "README.md").unlink(missing_ok=True)
    (model_folder / "README.md").symlink_to("other.md")
    assert ModelFolder.read(model_folder).labels
    snapshot, blobs = tmp_path / "hub" / "snapshots" / "a1", tmp_path / "hub" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in model_folder.iterdir():
        (blobs / path.name).write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    assert ModelFolder.read(snapshot).labels
    (tmp_path / "linked").symlink_to(model_folder)
    assert ModelFolder.read(tmp_path / "linked").labels
