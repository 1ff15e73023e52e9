"""A comment's sentences as the API reports them, and places in UTF-16 units, as clients count."""

from collections.abc import Sequence

from comment_toxicity.text import sentences

# A comment of thousands of one-word sentences would be thousands of scorings. Beyond this many,
# neighbours share a span.
MAX_SPANS = 100


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Give sentences' places in characters, as sentences() does, but at most MAX_SPANS of them."""
    found = sentences(text)
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
