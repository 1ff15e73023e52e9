"""A sentence in another dress: the same words to a reader, other characters to a program.

    dressed("You are such a [fool].", "bold inside")     # "You are such a fo**ol**."

The word in square brackets is the one that markup goes into. Letters without a form in the dress
stay as they are.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

MARKED = re.compile(r"\[(\w+)\]")


def plain_sentence(sentence: str) -> str:
    """Return the sentence without the brackets around its marked word."""
    return MARKED.sub(r"\1", sentence)


def dressed(sentence: str, dress: str) -> str:
    """Return the sentence in one of DRESSES."""
    return DRESSES[dress](sentence)


@cache
def _letters(name: str) -> dict[int, str]:
    """Return a table for str.translate from letters of both cases to those of a Unicode name."""
    table = {}
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        try:
            found = unicodedata.lookup(f"{name} {letter}")
        except KeyError:
            continue  # Unicode has no small capital X
        table[ord(letter)] = table[ord(letter.lower())] = found
    return table


def _in_letters(name: str, between: str = "") -> Callable[[str], str]:
    def write(sentence: str) -> str:
        words = plain_sentence(sentence).split()
        return (between * 3 or " ").join(
            between.join(word.translate(_letters(name))) for word in words
        )

    return write


def _around(before: str, after: str) -> Callable[[str], str]:
    return lambda sentence: f"{before}{plain_sentence(sentence)}{after}"


def _inside(before: str, after: str) -> Callable[[str], str]:
    """Put markup around the second half of the marked word."""

    def write(sentence: str) -> str:
        def split(match: re.Match[str]) -> str:
            word = match[1]
            half = len(word) // 2
            return word[:half] + before + word[half:] + after

        return MARKED.sub(split, sentence)

    return write


def _letter_as_entity(sentence: str) -> str:
    return MARKED.sub(lambda match: f"{match[1][:1]}&#{ord(match[1][1])};{match[1][2:]}", sentence)


DRESSES: dict[str, Callable[[str], str]] = {
    "small capitals": _in_letters("LATIN LETTER SMALL CAPITAL"),
    "squared letters": _in_letters("SQUARED LATIN CAPITAL LETTER"),
    "dark squared letters": _in_letters("NEGATIVE SQUARED LATIN CAPITAL LETTER"),
    "parenthesized letters": _in_letters("PARENTHESIZED LATIN SMALL LETTER"),
    "flag letters": _in_letters("REGIONAL INDICATOR SYMBOL LETTER"),
    "flag letters, spaced": _in_letters("REGIONAL INDICATOR SYMBOL LETTER", " "),
    "code block": _around("```\n", "\n```"),
    "code block with a language": _around("```text\n", "\n```"),
    "bold inside": _inside("**", "**"),
    "italics inside": _inside("*", "*"),
    "struck inside": _inside("~~", "~~"),
    "spoiler inside": _inside("||", "||"),
    "code inside": _inside("`", "`"),
    "HTML around": _around('<div class="post"><p><span>', "</span></p>\n</div>"),
    "HTML tag inside": _inside("<b>", "</b>"),
    "empty HTML tag inside": _inside("<i></i>", ""),
    "HTML comment inside": _inside("<!-- -->", ""),
    "HTML entity inside": _letter_as_entity,
}
