"""Labelled comments that a model can learn in seconds: each label has its own telling word."""

import csv
import random
from pathlib import Path

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
def comments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 240 comments in the Jigsaw layout; every label is carried by about 40."""
    draw = random.Random(3)
    path = tmp_path_factory.mktemp("comments") / "comments.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "comment_text", *TELLING])
        for number in range(240):
            labels = [int(draw.random() < 0.17) for _ in TELLING]
            words = draw.choices(NEUTRAL, k=draw.randint(3, 12))
            words += [word for word, on in zip(TELLING.values(), labels, strict=True) if on]
            draw.shuffle(words)
            writer.writerow([number, f"{' '.join(words)} {number}", *labels])
    return path
