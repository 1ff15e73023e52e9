"""Text without a model: blank or not, sentences and words, lone surrogates, UTF-16 positions."""

import re
from collections.abc import Sequence

# A sentence ends after . ! ? … (and the quotes and brackets that close it) before white space or an
# HTML tag, or at a line's end. The lookbehind and the possessive quantifiers keep it linear.
SENTENCE_END = re.compile(r"(?<![.!?…．！？])[.!?…．！？]++[\"'”’)\]]*+(?=\s|</?[A-Za-z])|\n")

# A word ends at white space, except in an HTML tag, and between letters of flags: “🇦 🇧”.
WORD = re.compile(r"(?:</?[A-Za-z][^<>]{0,500}>|[🇦-🇿] (?=[🇦-🇿])|\S)+")


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence in characters, end exclusive, without surrounding space."""
    spans = []
    start = 0
    for stop in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        sentence = text[start:stop]
        if sentence.strip():
            begin = start + len(sentence) - len(sentence.lstrip())
            spans.append((begin, start + len(sentence.rstrip())))
        start = stop
    return spans


def words(text: str) -> list[tuple[int, int]]:
    """Start and end of each word in characters, end exclusive, with the signs at it."""
    return [match.span() for match in WORD.finditer(text)]


def is_blank(text: str | float | None) -> bool:
    """Whether there is nothing to score: None, NaN, or only white space."""
    if isinstance(text, str):
        return not text.strip()
    return text is None or text != text


def without_lone_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON escapes can make, with �: tokenizers reject them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def utf16_length(text: str) -> int:
    """Count UTF-16 code units: two for a character beyond the basic plane, such as most emoji."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


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
