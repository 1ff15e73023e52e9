"""What can be said of a text without a model: whether it is blank, and where its sentences are."""

import re

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
    return found


def is_blank(text: str | float | None) -> bool:
    """Whether there is nothing to score: None, NaN, or nothing but white space."""
    if isinstance(text, str):
        return not text.strip()
    return text is None or text != text


def without_lone_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON escapes can make, by �: tokenizers refuse them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
