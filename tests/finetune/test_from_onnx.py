"""Reading the weights of an exported int8 model back, to train it further."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, RobertaConfig

from comment_toxicity.errors import ModelError
from finetune.config import Settings
from finetune.export import export_model
from finetune.train.base import load_base
from finetune.train.from_onnx import read_weights


@pytest.fixture
def trained(tiny_base: Path, tmp_path: Path) -> dict[str, torch.Tensor]:
    """The weights of a model whose export is in tmp_path / "model"."""
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base)
    with torch.no_grad():
        for weight in model.parameters():  # else biases are all 0, and the export shares them
            weight.add_(0.1 * torch.randn_like(weight))
    model.save_pretrained(tmp_path / "trained")
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tmp_path / "trained")
    export_model(tmp_path / "trained", tmp_path / "model", formats=["onnx"])
    return model.state_dict()


def test_the_weights_come_back_within_half_a_step_of_int8(trained: dict, tmp_path: Path):
    folder = tmp_path / "model"
    found = read_weights(folder)
    assert set(found) == set(trained)
    for name, weight in trained.items():
        if "token_type" in name or "position" in name:
            continue  # joined: segment 0 is in the positions
        step = 2 * weight.abs().max() / 255
        torch.testing.assert_close(found[name], weight, atol=float(step), rtol=0, msg=name)
    embeddings = "bert.embeddings.{}.weight"
    positions = trained[embeddings.format("position_embeddings")]
    segment = trained[embeddings.format("token_type_embeddings")][0]
    torch.testing.assert_close(found[embeddings.format("position_embeddings")], positions + segment)


@pytest.mark.usefixtures("trained")
def test_a_folder_with_onnx_weights_alone_is_a_base(tmp_path: Path):
    folder = tmp_path / "model"
    _, model = load_base(Settings(base_model=str(folder), max_length=16))
    expected = read_weights(folder)["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(model.bert.embeddings.word_embeddings.weight, expected)


def test_another_architecture_is_refused(tiny_base: Path, tmp_path: Path):
    folder = tmp_path / "model"
    export_model(tiny_base, folder, formats=["onnx"])
    RobertaConfig().save_pretrained(folder)
    with pytest.raises(ModelError, match="only a BERT that finetune exported"):
        read_weights(folder)
