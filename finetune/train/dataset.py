"""Rows → token ids and targets, in batches of similar length."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

UNKNOWN = -100
"""Marks an unknown label in a batch: the value that the Trainer leaves out of its counts."""


class CommentDataset(Dataset):
    """Comments as token ids with their targets.

    Each item is a dict: input_ids, a list of at most max_length token ids, and labels, which is
    (labels,) float32 multi-hot with UNKNOWN where a label is unknown, or for single-label models
    the class's index.
    """

    def __init__(self, texts: Sequence[str], targets: np.ndarray, tokenizer, max_length: int):
        """Tokenize all texts at once.

        targets: (texts × labels) float with NaN for unknown, or (texts,) int for single-label.
        """
        self.token_ids: list[list[int]] = []
        for start in range(0, len(texts), 10_000):
            batch = list(texts[start : start + 10_000])
            encoded = tokenizer(batch, truncation=True, max_length=max_length, verbose=False)
            self.token_ids += encoded["input_ids"]
        if targets.ndim == 1:
            self.targets = torch.as_tensor(targets, dtype=torch.long)
        else:
            self.targets = torch.as_tensor(np.nan_to_num(targets, nan=UNKNOWN), dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.token_ids)

    def __getitem__(self, index: int) -> dict:
        return {"input_ids": self.token_ids[index], "labels": self.targets[index]}

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each comment."""
        return np.array([len(ids) for ids in self.token_ids])


class Collator:
    """Pads the comments of one batch to its longest."""

    def __init__(self, padding_id: int):
        self.padding_id = padding_id

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        """Return input_ids and attention_mask, both (comments × tokens), and labels."""
        lengths = [len(item["input_ids"]) for item in items]
        ids = torch.full((len(items), max(lengths)), self.padding_id)
        mask = torch.zeros_like(ids)
        for row, (item, length) in enumerate(zip(items, lengths, strict=True)):
            ids[row, :length] = torch.tensor(item["input_ids"])
            mask[row, :length] = 1
        labels = torch.stack([item["labels"] for item in items])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}


class SimilarLengthSampler(Sampler[int]):
    """Shuffles comments so that each batch holds comments of about the same length.

    The order is a function of seed, epoch and batch size alone. That is what lets an interrupted
    run continue with the very batches it had left, and two processes divide the batches of one
    (transformers' LengthGroupedSampler draws from the global random state, and its order changes
    with the number of processes).

    Each row is read once per epoch. The last batch is filled with rows of other batches, which are
    then read twice: so all batches are whole, and a step weighs every batch alike.
    """

    POOL = 50  # batches sorted together: more save padding, fewer shuffle better

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self.seed, self.epoch])
        shuffled = generator.permutation(len(self.lengths))
        rows_left = len(shuffled) % self.batch_size
        order = shuffled[: len(shuffled) - rows_left]
        pool = self.batch_size * self.POOL
        batches: list[np.ndarray] = []
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            part = part[np.argsort(-self.lengths[part], kind="stable")]
            batches += np.split(part, len(part) // self.batch_size)
        for index in generator.permutation(len(batches)):
            yield from batches[index].tolist()
        if rows_left:
            last = np.concatenate([shuffled[-rows_left:], shuffled[: self.batch_size - rows_left]])
            yield from last.tolist()
