"""Texts → token ids, in windows that fit the model. Nothing is truncated.

A text longer than a window becomes several, each overlapping the one before by a quarter, so that
what is at a border is whole in one of them. Work and memory are linear in the length.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.errors import ModelError
from comment_toxicity.text import without_lone_surrogates

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TokenIds = NDArray[np.int64]

# A tokenizer's result takes some 500 bytes per token: longer texts are tokenized in pieces.
PIECE = 20_000  # characters


class Windows:
    """Cuts texts into windows of at most `length` tokens, including special tokens."""

    def __init__(self, tokenizer: "Tokenizer", length: int):
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._before, self._after = _special_tokens(tokenizer)
        self._content = length - len(self._before) - len(self._after)
        self._step = self._content - self._content // 4

    def cut(self, texts: Sequence[str]) -> list[list[TokenIds]]:
        """Each text's windows, (tokens,) int64 each, at least one per text."""
        clean = [without_lone_surrogates(text) for text in texts]
        short = [text for text in clean if len(text) <= PIECE]
        encoded = iter(self._tokenizer.encode_batch_fast(short, add_special_tokens=False))
        return [
            list(self._windows(next(encoded).ids if len(text) <= PIECE else self._long(text)))
            for text in clean
        ]

    def read(self, text: str) -> str:
        """The text as the tokenizer reads it: letters folded, markup left out, if it does so."""
        normalizer = getattr(self._tokenizer, "normalizer", None)
        return normalizer.normalize_str(without_lone_surrogates(text)) if normalizer else text

    def _long(self, text: str) -> TokenIds:
        pieces = [
            np.array(self._tokenizer.encode(piece, add_special_tokens=False).ids, dtype=np.int64)
            for piece in _pieces(text)
        ]
        return np.concatenate(pieces)

    def _windows(self, ids: Sequence[int] | TokenIds) -> Iterator[TokenIds]:
        start = 0
        while True:
            content = ids[start : start + self._content]
            yield np.array([*self._before, *content, *self._after], dtype=np.int64)
            if start + self._content >= len(ids):
                return
            start += self._step


def _special_tokens(tokenizer: "Tokenizer") -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text, such as [CLS] and [SEP]."""
    content = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    for start in range(len(whole) - len(content) + 1):
        end = start + len(content)
        if whole[start:end] == content:
            return whole[:start], whole[end:]
    raise ModelError("the tokenizer changes a text's tokens when it adds its special ones")


def _pieces(text: str) -> Iterator[str]:
    """Cut before white space, where no word is split; elsewhere only in a giant word."""
    yield from re.findall(rf"(?s).{{1,{PIECE}}}(?=\s|\Z)|.{{{PIECE}}}", text)
