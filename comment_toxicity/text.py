"""Text without a model: blank or not, its sentences and words, lone surrogates."""

import re

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
