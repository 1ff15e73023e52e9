"""The sentences of a comment as the API reports them: at most 100."""

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
