"""What people do to words to evade filters: one function per kind of noise, text → text.

    generator = np.random.default_rng(1)
    KINDS["leetspeak"]("you idiot", generator)      # 'you 1d10t', or so

The setting `noise` applies it to a share of the training rows, so that the model reads through it;
the robustness audit applies each kind to labelled rows. Each function changes about a quarter of
the words that have at least four letters, and at least one of them.
"""

import re
from collections.abc import Callable

import numpy as np

from finetune.data.confusables import LOOKALIKES

Noise = Callable[[str, np.random.Generator], str]

WORD = re.compile(r"[^\W\d_]{4,}")
SHARE = 0.25

LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1", "o": "0", "s": "5$", "t": "7"}
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u00ad"
NEIGHBOURS = {
    "a": "sqz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip


def add_noise(text: str, generator: np.random.Generator) -> str:
    """Apply one kind, drawn at random."""
    return KINDS[str(generator.choice(list(KINDS)))](text, generator)


def in_some_words(change: Noise) -> Noise:
    """Make a change of one word into a change of some words of a text."""

    def noisy(text: str, generator: np.random.Generator) -> str:
        spans = [match.span() for match in WORD.finditer(text)]
        if not spans:
            return text
        picked = generator.random(len(spans)) < SHARE
        picked[generator.integers(len(spans))] = True
        parts, end = [], 0
        for (start, stop), is_picked in zip(spans, picked, strict=True):
            word = text[start:stop]
            parts += [text[end:start], change(word, generator) if is_picked else word]
            end = stop
        return "".join([*parts, text[end:]])

    noisy.__doc__ = change.__doc__
    return noisy


@in_some_words
def misspelling(word: str, generator: np.random.Generator) -> str:
    """Swap two letters, drop one, double one or hit a neighbouring key; the first letter stays."""
    index = int(generator.integers(1, len(word) - 1))
    change = int(generator.integers(4))
    if change == 0:
        return word[:index] + word[index + 1] + word[index] + word[index + 2 :]
    if change == 1:
        return word[:index] + word[index + 1 :]
    if change == 2:
        return word[:index] + word[index] * 2 + word[index + 1 :]
    neighbours = NEIGHBOURS.get(word[index].lower(), word[index])
    return word[:index] + _one_of(neighbours, generator) + word[index + 1 :]


@in_some_words
def leetspeak(word: str, generator: np.random.Generator) -> str:
    """Replace letters by digits and symbols that look like them."""
    return _replace_letters(word, LEET, generator)


@in_some_words
def spaces(word: str, generator: np.random.Generator) -> str:
    """Space out a word, or break it in two."""
    if generator.random() < 0.5:
        return " ".join(word)
    index = int(generator.integers(1, len(word)))
    return f"{word[:index]} {word[index:]}"


@in_some_words
def punctuation(word: str, generator: np.random.Generator) -> str:
    """Put a symbol between all letters, or insert one, or replace a letter by one."""
    symbol = _one_of(".-*_,'", generator)
    if generator.random() < 0.5:
        return symbol.join(word)
    index = int(generator.integers(1, len(word) - 1))
    return word[:index] + symbol + word[index + int(generator.integers(2)) :]


@in_some_words
def repeated_letters(word: str, generator: np.random.Generator) -> str:
    """Stretch one letter to three to six."""
    index = int(generator.integers(1, len(word)))
    return word[:index] + word[index] * int(generator.integers(2, 6)) + word[index:]


@in_some_words
def homoglyphs(word: str, generator: np.random.Generator) -> str:
    """Replace letters by ones of other alphabets that look the same."""
    return _replace_letters(word, LOOKALIKES, generator)


@in_some_words
def zero_width(word: str, generator: np.random.Generator) -> str:
    """Put invisible characters between the letters."""
    return "".join(letter + _one_of(ZERO_WIDTH, generator) for letter in word[:-1]) + word[-1]


@in_some_words
def case(word: str, generator: np.random.Generator) -> str:
    """Mix capitals and small letters."""
    upper = generator.random(len(word)) < 0.5
    return "".join(
        letter.upper() if up else letter.lower() for letter, up in zip(word, upper, strict=True)
    )


KINDS: dict[str, Noise] = {
    "misspelling": misspelling,
    "leetspeak": leetspeak,
    "spaces": spaces,
    "punctuation": punctuation,
    "repeated_letters": repeated_letters,
    "homoglyphs": homoglyphs,
    "zero_width": zero_width,
    "case": case,
}


def _replace_letters(word: str, table: dict[str, str], generator: np.random.Generator) -> str:
    """Replace about half of the letters that are in the table, and at least one."""
    indices = [index for index, letter in enumerate(word) if letter.lower() in table]
    if not indices:
        return word
    letters = list(word)
    certain = int(generator.choice(indices))
    for index in indices:
        if index == certain or generator.random() < 0.5:
            letters[index] = _one_of(table[letters[index].lower()], generator)
    return "".join(letters)


def _one_of(characters: str, generator: np.random.Generator) -> str:
    return characters[int(generator.integers(len(characters)))]
