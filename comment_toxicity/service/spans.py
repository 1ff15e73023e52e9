"""The sentences of a comment as the API reports them: at most 100, in UTF-16 units."""

from collections.abc import Sequence

from comment_toxicity.text import sentences

# A comment of thousands of one-word sentences would need as many scorings. Beyond this many,
# neighbouring sentences share a span.
MAX_SPANS = 100


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return (begin, end) of the sentences in characters; at most MAX_SPANS."""
    spans = sentences(text)
    if len(spans) > MAX_SPANS:
        size = -(-len(spans) // MAX_SPANS)
        groups = [spans[first : first + size] for first in range(0, len(spans), size)]
        spans = [(group[0][0], group[-1][1]) for group in groups]
    return spans


def utf16_length(text: str) -> int:
    """Count UTF-16 code units: two for a character beyond the basic plane, such as most emoji."""
    return len(text) + sum(character > "\uffff" for character in text)


def to_utf16(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Convert ascending spans in characters to spans in UTF-16 code units."""
    converted = []
    characters = units = 0
    for begin, end in spans:
        units += utf16_length(text[characters:begin])
        first = units
        units += utf16_length(text[begin:end])
        characters = end
        converted.append((first, units))
    return converted
