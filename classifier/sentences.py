"""A comment → its sentences."""

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
