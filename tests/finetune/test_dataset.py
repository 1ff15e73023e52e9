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


def test_the_last_batch_is_filled_with_rows_that_vary_by_epoch():
    sampler = SimilarLengthSampler(LENGTHS, batch_size=300, seed=1)
    repeated = []
    for sampler.epoch in range(2):
        times = np.bincount(list(sampler), minlength=1000)
        assert times.sum() == len(sampler) == 1200
        assert times.min() == 1 and times.max() == 2
        repeated.append(set(np.flatnonzero(times == 2)))
    assert repeated[0] != repeated[1]


def test_a_batch_has_no_row_twice():
    sampler = SimilarLengthSampler(LENGTHS[:63], batch_size=32, seed=1)
    first, last = np.array(list(sampler)).reshape(-1, 32)
    assert len(set(first)) == len(set(last)) == 32
    assert set(first) | set(last) == set(range(63))


def test_the_order_depends_on_seed_and_epoch_only():
    one, other = (SimilarLengthSampler(LENGTHS, batch_size=20, seed=1) for _ in range(2))
    torch.manual_seed(5)
    assert list(one) == list(other)
    other.epoch = 1
    assert list(one) != list(other)
