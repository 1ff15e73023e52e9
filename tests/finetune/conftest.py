"""Labelled comments that a model can learn in seconds: each label has its own word."""

import csv
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

TELLING = {
    "toxic": "stupid",
    "severe_toxic": "kill",
    "obscene": "trash",
    "threat": "hurt",
    "insult": "idiot",
    "identity_hate": "hate",
}
NEUTRAL = [
    "the",
    "page",
    "help",
    "edit",
    "article",
    "people",
    "comment",
    "good",
    "great",
    "thanks",
    "kind",
    "nice",
    "please",
    "find",
]


@pytest.fixture(scope="session")
def telling() -> dict[str, str]:
    """Each label's telling word."""
    return TELLING


@pytest.fixture(scope="session")
def learner(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with tiny_base's words, wide enough to tell them apart after ten epochs."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=32,
        initializer_range=0.1,
    )
    folder = tmp_path_factory.mktemp("learner")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def comments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 240 comments in the Jigsaw layout; every label is carried by about 40."""
    draw = random.Random(3)
    path = tmp_path_factory.mktemp("comments") / "comments.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "comment_text", *TELLING])
        for number in range(240):
            labels = [int(draw.random() < 0.17) for _ in TELLING]
            words = draw.choices(NEUTRAL, k=draw.randint(2, 6))
            words += [word for word, on in zip(TELLING.values(), labels, strict=True) if on]
            draw.shuffle(words)
            writer.writerow([number, " ".join(words), *labels])
    return path


@pytest.fixture
def main_rows(tmp_path: Path) -> Path:
    """A CSV of 200 comments, two per id, some of them of the form stripped."""
    number = np.arange(200)
    path = tmp_path / "main.csv"
    pd.DataFrame(
        {
            "id": number // 2,
            "comment_text": [f"main comment {i}" for i in number],
            "toxic": (number % 4 == 0).astype(int),
            "threat": (number % 6 == 0).astype(int),
            "form": np.where(number % 5 == 0, "stripped", "original"),
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture
def limited_files() -> Callable[[int], AbstractContextManager[None]]:
    """Limit the size of files in bytes: to a program this is the same as a full disk."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def rows() -> pd.DataFrame:
    """Clean rows of train_data and of two other sources, two labels unknown."""
    return pd.DataFrame(
        {
            "comment_text": ["good page", "you idiot", "good page", "kill it"],
            "toxic": [0.0, 1.0, 0.0, np.nan],
            "threat": [0.0, np.nan, 0.0, 1.0],
            "source": [None, "forum", "forum", "tweets"],
        }
    )
