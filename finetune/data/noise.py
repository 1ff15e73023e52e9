"""What people do to words to get past a filter: one function a kind, text → text.

    generator = np.random.default_rng(1)
    KINDS["leetspeak"]("you idiot", generator)      # 'you 1d10t', or so

Training rows get a share of it (the setting `noise`), so that the model reads through it; the
robustness measure applies each kind to rows with known labels. Each function changes about a
quarter of the words that have at least four letters, and at least one of them.
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


def _words(change: Noise) -> Noise:
    """Make a change of one word into a change of some words of a text."""

    def noisy(text: str, generator: np.random.Generator) -> str:
        places = [match.span() for match in WORD.finditer(text)]
        if not places:
            return text
        picked = generator.random(len(places)) < SHARE
        picked[generator.integers(len(places))] = True
        parts, end = [], 0
        for (start, stop), is_picked in zip(places, picked, strict=True):
            word = text[start:stop]
            parts += [text[end:start], change(word, generator) if is_picked else word]
            end = stop
        return "".join([*parts, text[end:]])

    noisy.__doc__ = change.__doc__
    return noisy


@_words
def misspelling(word: str, generator: np.random.Generator) -> str:
    """Swap two letters, drop one, double one or hit the key beside it; the first letter stays."""
    place = int(generator.integers(1, len(word) - 1))
    kind = int(generator.integers(4))
    if kind == 0:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == 1:
        return word[:place] + word[place + 1 :]
    if kind == 2:
        return word[:place] + word[place] * 2 + word[place + 1 :]
    beside = NEIGHBOURS.get(word[place].lower(), word[place])
    return word[:place] + _one_of(beside, generator) + word[place + 1 :]


@_words
def leetspeak(word: str, generator: np.random.Generator) -> str:
    """Write digits and signs for letters that look like them."""
    return _replace_letters(word, LEET, generator)


@_words
def spaces(word: str, generator: np.random.Generator) -> str:
    """Space out a word, or break it in two."""
    if generator.random() < 0.5:
        return " ".join(word)
    place = int(generator.integers(1, len(word)))
    return f"{word[:place]} {word[place:]}"


@_words
def punctuation(word: str, generator: np.random.Generator) -> str:
    """Put a sign between all letters, or over one in the middle."""
    sign = _one_of(".-*_,'", generator)
    if generator.random() < 0.5:
        return sign.join(word)
    place = int(generator.integers(1, len(word) - 1))
    return word[:place] + sign + word[place + int(generator.integers(2)) :]


@_words
def repeated_letters(word: str, generator: np.random.Generator) -> str:
    """Stretch one letter to three to six."""
    place = int(generator.integers(1, len(word)))
    return word[:place] + word[place] * int(generator.integers(2, 6)) + word[place:]


@_words
def homoglyphs(word: str, generator: np.random.Generator) -> str:
    """Write letters of other alphabets that look the same."""
    return _replace_letters(word, LOOKALIKES, generator)


@_words
def zero_width(word: str, generator: np.random.Generator) -> str:
    """Put characters that nobody sees between the letters."""
    return "".join(letter + _one_of(ZERO_WIDTH, generator) for letter in word[:-1]) + word[-1]


@_words
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
    """Replace about half of the letters that the table knows, and at least one."""
    places = [place for place, letter in enumerate(word) if letter.lower() in table]
    if not places:
        return word
    letters = list(word)
    sure = int(generator.choice(places))
    for place in places:
        if place == sure or generator.random() < 0.5:
            letters[place] = _one_of(table[letters[place].lower()], generator)
    return "".join(letters)


def _one_of(signs: str, generator: np.random.Generator) -> str:
    return signs[int(generator.integers(len(signs)))]
