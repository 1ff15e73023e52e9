"""A comment → its sentences, and places in it as UTF-16 code units, which is how clients count."""

import re
from collections.abc import Sequence

# A comment of thousands of one-word sentences would be thousands of scorings. Beyond this many,
# neighbours share a span.
MAX_SPANS = 100

# A sentence ends after . ! ? … (and the quotes and brackets that close it) before white space, or
# at a line's end. The lookbehind and the possessive quantifiers keep the search linear.
SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s)|\n")


def sentences(text: str) -> list[tuple[int, int]]:
    """Give the begin and end of each sentence in characters, end exclusive, without outer space."""
    found = []
    start = 0
    for stop in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        sentence = text[start:stop]
        if sentence.strip():
            begin = start + len(sentence) - len(sentence.lstrip())
            found.append((begin, start + len(sentence.rstrip())))
        start = stop
    if len(found) > MAX_SPANS:
        size = -(-len(found) // MAX_SPANS)
        groups = [found[first : first + size] for first in range(0, len(found), size)]
        found = [(group[0][0], group[-1][1]) for group in groups]
    return found


def utf16_length(text: str) -> int:
    """Count UTF-16 code units: two for what lies beyond the basic plane, such as most emoji."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf16_places(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Turn places in characters, ascending, into places in UTF-16 code units."""
    places = []
    characters = units = 0
    for begin, end in spans:
        units += utf16_length(text[characters:begin])
        first = units
        units += utf16_length(text[begin:end])
        characters = end
        places.append((first, units))
    return places
