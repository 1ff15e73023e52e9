"""Sentences of data/everyday.toml → rows to measure on.

    rows = load_everyday()    # text, part, kind, place, around, sentence

part      harmless, inserted or dressed, see PARTS
kind      harmless: such as names, games, reports; else insults, threats, harmless, or nothing,
          which is the long comment alone
place     inserted: beginning, middle or end of the comment, or alone; dressed: the dress
around    inserted: about how many words of the comment are around the sentence; 0 alone
sentence  what the row is about: the name or place, or the sentence itself

The sentences are for measuring only: no model is trained on them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finetune.audit.dress import DRESSES, dressed, plain_sentence
from finetune.audit.sentence_file import sentence_file
from finetune.checkout import ROOT

FILE = ROOT / "data" / "everyday.toml"
PARTS = ("harmless", "inserted", "dressed")
INSERTED = ("insults", "threats", "harmless")
PLACES = ("beginning", "middle", "end")
LENGTHS = (40, 80, 120, 150, 180)  # words
ALONE, NOTHING = "alone", "nothing"
COLUMNS = ["text", "part", "kind", "place", "around", "sentence"]
Row = tuple[str, str, str, str, int, str]


def load_everyday(path: Path = FILE) -> pd.DataFrame:
    """Return the rows. Raises DataError if the file is missing or malformed."""
    with sentence_file(path, "everyday sentences") as content:
        rows = [*_harmless(content), *_inserted(content["inserted"]), *_dressed(content)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _harmless(content: dict[str, Any]) -> Iterator[Row]:
    for kind, slots in content["filled"].items():
        for name, values in ((kind, slots["values"]), (f"ordinary {kind}", slots["plain"])):
            for value in values:
                for sentence in slots["sentences"]:
                    yield sentence.replace("{}", value), "harmless", name, "", 0, value
    for kind, sentences in content["harmless"].items():
        for sentence in sentences:
            yield sentence, "harmless", kind, "", 0, sentence


def _inserted(content: dict[str, list[str]]) -> Iterator[Row]:
    comments = [re.split(r"(?<=[.?!]) ", comment) for comment in content["comments"]]
    for comment in comments:
        for length in LENGTHS:
            text = " ".join(cut(comment, length))
            yield text, "inserted", NOTHING, ALONE, length, " ".join(comment)
    for kind in INSERTED:
        for number, sentence in enumerate(map(plain_sentence, content[kind])):
            yield sentence, "inserted", kind, ALONE, 0, sentence
            for turn, place in enumerate(PLACES):
                for comment in comments[(number + turn) % 2 :: 2]:  # all would take twice as long
                    for length in LENGTHS:
                        text = insert(sentence, cut(comment, length), place)
                        yield text, "inserted", kind, place, length, sentence


def _dressed(content: dict[str, Any]) -> Iterator[Row]:
    for dress in DRESSES:
        for kind in ("insults", "harmless"):
            for sentence in content["inserted"][kind]:
                text = dressed(sentence, dress)
                yield text, "dressed", kind, dress, 0, plain_sentence(sentence)


def cut(sentences: list[str], words: int) -> list[str]:
    """Return the first sentences: as many as come nearest to a number of words, at least one."""
    totals = np.cumsum([len(sentence.split()) for sentence in sentences])
    return sentences[: int(np.abs(totals - words).argmin()) + 1]


def insert(sentence: str, comment: list[str], place: str) -> str:
    """Put a sentence before, into or after a comment, given as its sentences.

    The middle is the border between sentences that is nearest to half of its words.
    """
    before = np.cumsum([0, *(len(each.split()) for each in comment)])
    middle = int(np.abs(before - before[-1] / 2).argmin())
    border = {"beginning": 0, "middle": middle, "end": len(comment)}[place]
    return " ".join([*comment[:border], sentence, *comment[border:]])
