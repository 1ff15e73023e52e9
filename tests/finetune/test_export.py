"""Exporting a trained sequence classifier: a complete model folder, or nothing."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    RobertaConfig,
)

from comment_toxicity import load_classifier
from comment_toxicity.errors import ModelError
from finetune import export
from finetune.export import (
    BertGraph,
    Graph,
    _save_onnx,
    compare_scores,
    export_model,
    torch_logits,
)

IDS = torch.tensor([[2, 7, 8, 9, 10, 3], [2, 11, 12, 3, 0, 0], [2, 13, 3, 0, 0, 0]])
MASK = (IDS > 0).long()


@pytest.fixture(scope="module")
def exported(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "model"
    export_model(tiny_base, folder, max_length=24)
    return folder


def probabilities(folder: Path, ids: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(
        "session.x64quantprecision", "1"
    )  # as engines.py does without VNNI
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    return 1 / (1 + np.exp(-session.run(["logits"], feed)[0]))


def torch_probabilities(folder: Path) -> np.ndarray:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(input_ids=IDS, attention_mask=MASK).logits.sigmoid().numpy()


def test_the_folder_holds_weights_config_and_tokenizer(exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        "config.json",
        "model.onnx",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [path.name for path in exported.parent.iterdir()] == ["model"]


def test_the_window_is_recorded_and_the_tokenizer_cuts_nothing(exported):
    settings = json.loads((exported / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 24
    tokenizer = json.loads((exported / "tokenizer.json").read_text())
    assert tokenizer["truncation"] is None
    assert tokenizer["padding"] is None


def test_a_truncation_left_by_training_does_not_reach_the_folder(tiny_base, tmp_path):
    trained = tmp_path / "trained"
    AutoModelForSequenceClassification.from_pretrained(tiny_base).save_pretrained(trained)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer("you are kind", truncation=True, max_length=4)
    tokenizer.save_pretrained(trained)
    export_model(trained, tmp_path / "model", ["safetensors"], max_length=24)
    assert json.loads((tmp_path / "model" / "tokenizer.json").read_text())["truncation"] is None


def test_safetensors_are_the_trained_weights(exported, tiny_base):
    np.testing.assert_array_equal(torch_probabilities(exported), torch_probabilities(tiny_base))


def test_int8_scores_are_near_the_trained_ones_at_any_length(exported, tiny_base):
    expected = torch_probabilities(tiny_base)
    for row, length in enumerate(MASK.sum(dim=1)):
        alone = probabilities(exported, IDS[row : row + 1, :length], MASK[row : row + 1, :length])
        np.testing.assert_allclose(alone[0], expected[row], atol=0.03)
    np.testing.assert_allclose(probabilities(exported, IDS, MASK), expected, atol=0.03)


def test_the_fast_graph_computes_the_same_logits(tiny_base):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base).eval()
    with torch.no_grad():
        torch.testing.assert_close(BertGraph(model)(IDS, MASK), Graph(model)(IDS, MASK))


@pytest.mark.parametrize(
    "config",
    [
        DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=32, vocab_size=200),
        RobertaConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            vocab_size=200,
            pad_token_id=0,
        ),
        AlbertConfig(
            hidden_size=16,
            embedding_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            vocab_size=200,
        ),
    ],
    ids=lambda config: config.model_type,
)
def test_other_architectures_use_the_graph_of_transformers(config, tiny_base, tmp_path):
    config.num_labels = 2
    torch.manual_seed(1)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "trained")
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tmp_path / "trained")
    export_model(tmp_path / "trained", tmp_path / "model")
    np.testing.assert_allclose(
        probabilities(tmp_path / "model", IDS, MASK),
        torch_probabilities(tmp_path / "trained"),
        atol=0.03,
    )


def test_an_older_export_is_replaced_as_a_whole(tiny_base, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "decision.json").write_text("{}")  # of other weights
    export_model(tiny_base, folder, ["safetensors"], max_length=24)
    assert not (folder / "decision.json").exists()
    assert not (folder / "model.onnx").exists()


def test_a_full_disk_ends_in_one_clear_error_and_keeps_the_older_export(
    tiny_base, tmp_path, limited_files
):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with limited_files(8192), pytest.raises(ModelError) as raised:
        export_model(tiny_base, tmp_path / "model", ["safetensors"])
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'model'}: the model cannot be written there (")
    assert message.endswith("free some space or choose another folder, then export again.")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "config.json").read_text() == "{}"


def test_a_disk_that_fills_up_at_the_end_leaves_no_partial_export(tiny_base, tmp_path, monkeypatch):
    def no_room(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "quantize_dynamic", no_room)
    with pytest.raises(ModelError, match="No space left on device"):
        export_model(tiny_base, tmp_path / "model", max_length=24)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_weights_ends_in_one_clear_error(tiny_base, tmp_path):
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tmp_path / "trained")
    with pytest.raises(ModelError, match="no trained model can be read there"):
        export_model(tmp_path / "trained", tmp_path / "model", max_length=24)
    assert not (tmp_path / "model").exists()


def test_a_folder_without_a_tokenizer_ends_in_one_clear_error(tiny_base, tmp_path):
    AutoModelForSequenceClassification.from_pretrained(tiny_base).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        export_model(tmp_path, tmp_path / "model", max_length=24)
    assert not (tmp_path / "model").exists()


def test_the_comparison_gives_mean_and_greatest_difference_of_each_label():
    before = np.array([[0.0, 1.0], [0.0, 2.0]], dtype=np.float32)
    after = np.array([[0.0, 1.0], [np.log(4), 2.0]], dtype=np.float32)  # 0.5 → 0.8
    assert compare_scores(before, after) == {
        "mean_difference": [0.15, 0.0],
        "max_difference": [0.3, 0.0],
    }


def test_single_label_models_are_compared_by_softmax():
    shifted = np.array([[0.0, 1.0]]) + 5  # the same classes
    differences = compare_scores(np.array([[0.0, 1.0]]), shifted, single_label=True)
    assert max(differences["max_difference"]) == 0


def test_blocks_bear_activations_that_are_far_larger_than_the_others(tmp_path: Path):
    config = BertConfig(
        vocab_size=20, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=128, max_position_embeddings=16, num_labels=3, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(1)
    model = BertForSequenceClassification(config).eval()
    for layer in model.bert.encoder.layer:
        layer.output.LayerNorm.weight.data[3] *= 60
        layer.attention.output.LayerNorm.weight.data[5] *= 60
    with torch.inference_mode():
        expected = model(input_ids=IDS, attention_mask=MASK).logits.numpy()
    errors = {}
    for size in (0, 16):
        path = tmp_path / f"{size}.onnx"
        _save_onnx(model, path, size)
        feeds = {"input_ids": IDS.numpy(), "attention_mask": MASK.numpy()}
        [found] = onnxruntime.InferenceSession(path).run(["logits"], feeds)
        errors[size] = np.abs(found - expected).mean()
    assert errors[16] < errors[0] / 2
    assert "MatMulNBits" in {node.op_type for node in onnx.load(tmp_path / "16.onnx").graph.node}


def test_a_folder_in_blocks_is_read_and_its_scores_do_not_depend_on_the_batch(
    tiny_base: Path, tmp_path: Path
):
    export_model(tiny_base, tmp_path / "model", ["onnx"], max_length=24, int8_blocks=16)
    model = load_classifier(str(tmp_path / "model"))
    texts = ["you fool", "thank you for the help", "hate"]
    together = model.logits(texts)
    np.testing.assert_array_equal(together, np.concatenate([model.logits([t]) for t in texts]))
    np.testing.assert_allclose(together, torch_logits(tiny_base, texts, 24), atol=0.15)
