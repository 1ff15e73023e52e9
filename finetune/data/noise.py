"""What people do to words to evade filters: one function per kind of noise, text → text.

    generator = np.random.default_rng(1)
    KINDS["leetspeak"]("you idiot", generator)      # 'you 1d10t', or so

The setting `noise` applies it to a share of the training rows, so that the model reads through it;
the robustness audit applies each kind to labelled rows. Each function changes about a quarter of
the words that have at least four letters, and at least one of them.

Every script has words: of Arabic, Hindi or Korean from two letters, where a letter is one with its
signs; Chinese, Japanese and Thai, which do not space words, are cut into two to four letters. A
kind that a script does not have, such as capitals in Hindi, leaves such a text as it is.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from finetune.data.confusables import LOOKALIKES

Noise = Callable[[str, np.random.Generator], str]

# Scripts without capitals: those that space their words (Hebrew to Kannada, Georgian to Ethiopic,
# Korean), and those that do not (Thai to Myanmar, Khmer, kana, Chinese).
SPACED = r"\u0590-\u0dff\u10d0-\u137f\u3130-\u318f\uac00-\ud7ff"
UNSPACED = r"\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
MARKS = "".join(
    chr(code) for code in range(0x0590, 0x1800) if unicodedata.category(chr(code))[0] == "M"
)
"""Signs that belong to the letter before them, such as the vowels of Hindi."""
LETTER = rf"[^\W\d_][{MARKS}]*"
WORD = re.compile(
    rf"[^\W\d_{SPACED}{UNSPACED}]{{4,}}"
    rf"|(?:(?=[{SPACED}]){LETTER}){{2,}}|(?:(?=[{UNSPACED}]){LETTER}){{2,4}}"
)
LETTERS = re.compile(rf".[{MARKS}]*", re.DOTALL)
SHARE = 0.25

LEET = {
    "a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1", "o": "0", "s": "5$", "t": "7",
    "а": "4@", "б": "6", "в": "8", "е": "3", "з": "3", "о": "0", "т": "7", "ч": "4",
}  # fmt: skip
HOMOGLYPHS = {
    other: latin for latin, row in LOOKALIKES.items() for other in row if other not in LOOKALIKES
} | LOOKALIKES
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u00ad"
NEIGHBOURS = {
    "a": "sqz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip


def add_noise(text: str, generator: np.random.Generator) -> str:
    """Apply one kind, drawn at random; where the text's script does not have it, another."""
    changed = KINDS[str(generator.choice(list(KINDS)))](text, generator)
    if changed != text:
        return changed
    return KINDS[str(generator.choice(ANY_SCRIPT))](text, generator)


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
    letters = _letters(word)
    index = int(generator.integers(1, max(2, len(letters) - 1)))
    before, letter, after = letters[:index], letters[index], letters[index + 1 :]
    change = int(generator.integers(4))
    if change == 0 and after:
        changed = [after[0], letter, *after[1:]]
    elif change == 2:
        changed = [letter, letter, *after]
    elif change == 3 and letter.lower() in NEIGHBOURS:
        changed = [_one_of(NEIGHBOURS[letter.lower()], generator), *after]
    else:
        changed = list(after)
    return "".join([*before, *changed])


@in_some_words
def leetspeak(word: str, generator: np.random.Generator) -> str:
    """Replace letters by digits and symbols that look like them."""
    return _replace_letters(word, LEET, generator)


@in_some_words
def spaces(word: str, generator: np.random.Generator) -> str:
    """Space out a word, or break it in two."""
    if generator.random() < 0.5:
        return " ".join(_letters(word))
    letters = _letters(word)
    index = int(generator.integers(1, len(letters)))
    return f"{''.join(letters[:index])} {''.join(letters[index:])}"


@in_some_words
def punctuation(word: str, generator: np.random.Generator) -> str:
    """Put a symbol between all letters, or insert one, or replace a letter by one."""
    symbol = _one_of(".-*_,'", generator)
    letters = _letters(word)
    if generator.random() < 0.5:
        return symbol.join(letters)
    index = int(generator.integers(1, max(2, len(letters) - 1)))
    rest = letters[index + int(generator.integers(2)) :]
    return "".join([*letters[:index], symbol, *rest])


@in_some_words
def repeated_letters(word: str, generator: np.random.Generator) -> str:
    """Stretch one letter to three to six."""
    letters = _letters(word)
    index = int(generator.integers(1, len(letters)))
    return "".join(
        [*letters[:index], *[letters[index]] * int(generator.integers(2, 6)), *letters[index:]]
    )


@in_some_words
def homoglyphs(word: str, generator: np.random.Generator) -> str:
    """Replace letters by ones of other alphabets that look the same."""
    return _replace_letters(word, HOMOGLYPHS, generator)


@in_some_words
def zero_width(word: str, generator: np.random.Generator) -> str:
    """Put invisible characters between the letters."""
    *letters, last = _letters(word)
    return "".join(letter + _one_of(ZERO_WIDTH, generator) for letter in letters) + last


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
ANY_SCRIPT = ("misspelling", "spaces", "punctuation", "repeated_letters", "zero_width")


def _letters(word: str) -> Sequence[str]:
    """The letters of a word, each with its signs."""
    return LETTERS.findall(word)


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
