"""Token ids and targets, in batches of similar length."""

from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer

from finetune.train.dataset import UNKNOWN, Collator, CommentDataset, SimilarLengthSampler

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


def test_the_rows_left_over_by_whole_batches_vary_by_epoch():
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
