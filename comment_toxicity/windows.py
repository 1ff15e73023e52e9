"""Texts → token ids, in windows that fit the model. Nothing is truncated, unless a bound is given.

A text longer than a window becomes several, each overlapping the one before by a quarter, so that
what is at a border is whole in one of them. Work and memory are linear in the length.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.errors import ModelError
from comment_toxicity.text import without_lone_surrogates

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

TokenIds = NDArray[np.int64]

# A tokenizer's result takes some 500 bytes per token: longer texts are tokenized in pieces.
PIECE = 20_000  # characters
PIECES = r"[\p{L}\p{M}\p{N}]+|\S"  # a word of letters and digits, or one other sign
LONGEST_WORD = 100  # characters; a bound cuts between words, unless one is longer


@dataclass(frozen=True)
class Cut:
    """A text as the model gets it.

    windows: (tokens,) int64 each; none for a blank text.
    characters: of the text, from its start, that the windows hold. Fewer than it has where a bound
        cut it; the scores are then those of text[:characters].
    """

    windows: list[TokenIds]
    characters: int

    @property
    def tokens(self) -> int:
        """The tokens that the model reads, including special tokens and what overlaps."""
        return sum(map(len, self.windows))


class Windows:
    """Cuts texts into windows of at most `length` tokens, including special tokens."""

    def __init__(self, tokenizer: "Tokenizer", length: int):
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._before, self._after = _special_tokens(tokenizer)
        self._content = length - len(self._before) - len(self._after)
        self._step = self._content - self._content // 4

    def cut(self, texts: Sequence[str], most: int | None = None) -> list[Cut]:
        """Each text's windows, at least one per text.

        most: the tokens of a text that are kept, from its start; None: all.
        Raises ModelError when the tokenizer fails.
        """
        clean = [without_lone_surrogates(text) for text in texts]
        short = [text for text in clean if len(text) <= PIECE]
        with _translating_failures():
            encoded = iter(self._tokenizer.encode_batch_fast(short, add_special_tokens=False))
        cuts = []
        for text in clean:
            ids: Sequence[int] = next(encoded).ids if len(text) <= PIECE else ()
            if len(text) <= PIECE and (most is None or len(ids) <= most):
                cuts.append(Cut(list(self._windows(ids)), len(text)))
            else:
                cuts.append(self._long(text, most))
        return cuts

    def read(self, text: str) -> str:
        """The text as the tokenizer reads it: letters folded, markup left out, if it does so."""
        normalizer = getattr(self._tokenizer, "normalizer", None)
        if not normalizer:
            return text
        with _translating_failures():
            return normalizer.normalize_str(without_lone_surrogates(text))

    def pieces(self, text: str) -> list[tuple[str, int, int]]:
        """The words and single signs of the text that read() returns.

        Each with its start and end in `text`, whose lone surrogates have been replaced: a word
        that the tokenizer folds, such as “𝐢𝐝<b>𝐢𝐨𝐭”, is “idiot”, from 0 to 8.
        """
        from tokenizers import PreTokenizedString, Regex
        from tokenizers.pre_tokenizers import Split

        normalizer = getattr(self._tokenizer, "normalizer", None)
        with _translating_failures():
            split = PreTokenizedString(text)
            if normalizer:
                split.normalize(normalizer.normalize)
            Split(Regex(PIECES), "removed", invert=True).pre_tokenize(split)
            found = split.get_splits("original", "char")
        return [(piece, start, end) for piece, (start, end), _ in found]

    def _long(self, text: str, most: int | None) -> Cut:
        parts, tokens, characters = [], 0, 0
        for piece in [text] if len(text) <= PIECE else _pieces(text):
            encoded = self._encoded(piece)
            ids = np.array(encoded.ids, dtype=np.int64)
            over = most is not None and tokens + len(ids) > most
            if most is not None and over:
                piece = self._shortened(piece, most - tokens, encoded)
                ids = self._ids(piece)
            parts.append(ids)
            tokens += len(ids)
            characters += len(piece)
            if over:
                break
        return Cut(list(self._windows(np.concatenate(parts))), characters)

    def _shortened(self, text: str, most: int, encoded: "Encoding") -> str:
        """The text's beginning of at most so many tokens, without half a word at its end."""
        end = encoded.offsets[most][0] if hasattr(encoded, "offsets") else None
        if end is None or len(self._ids(text[:end])) > most:  # it reads the beginning differently
            lengths = range(len(text) + 1)
            end = bisect_right(lengths, most, key=lambda length: len(self._ids(text[:length]))) - 1
        half_word = re.search(rf"\s\S{{0,{LONGEST_WORD}}}\Z", text[: end + 1][-LONGEST_WORD - 2 :])
        return text[: end + 1 - len(half_word[0])] if half_word else text[:end]

    def _ids(self, text: str) -> TokenIds:
        return np.array(self._encoded(text).ids, dtype=np.int64)

    def _encoded(self, text: str) -> "Encoding":
        with _translating_failures():
            return self._tokenizer.encode(text, add_special_tokens=False)

    def _windows(self, ids: Sequence[int] | TokenIds) -> Iterator[TokenIds]:
        start = 0
        while True:
            content = ids[start : start + self._content]
            yield np.array([*self._before, *content, *self._after], dtype=np.int64)
            if start + self._content >= len(ids):
                return
            start += self._step


@contextmanager
def _translating_failures() -> Iterator[None]:
    """Turn a tokenizer's failure, also a panic, which is no Exception, into a ModelError.

    Its message could quote the text, so it is left out.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        raise ModelError(
            f"the tokenizer failed on a text ({type(error).__name__}); leave the text out, or "
            "choose another model."
        ) from None


def _special_tokens(tokenizer: "Tokenizer") -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text, such as [CLS] and [SEP]."""
    with _translating_failures():
        content = tokenizer.encode("a", add_special_tokens=False).ids
        whole = tokenizer.encode("a").ids
    for start in range(len(whole) - len(content) + 1):
        end = start + len(content)
        if whole[start:end] == content:
            return whole[:start], whole[end:]
    raise ModelError("the tokenizer changes a text's tokens when it adds its special ones")


def _pieces(text: str) -> Iterator[str]:
    """Cut before white space, where no word is split; elsewhere only in a giant word."""
    for match in re.finditer(rf"(?s).{{1,{PIECE}}}(?=\s|\Z)|.{{{PIECE}}}", text):
        yield match[0]
