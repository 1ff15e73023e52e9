"""One comment's scores as HTML: the sentence, the bars, the marked words and their table."""

from collections.abc import Iterator, Sequence

from comment_toxicity.explain import Explanation
from ui.catalog import definition
from ui.html import Bar, bars, marked_text, status, table
from ui.text import shortened
from ui.words import LabelScore, percent, sentence


def result(ranked: Sequence[LabelScore]) -> str:
    """The sentence and, for each label, a bar with a tick at its threshold."""
    return status(sentence(ranked)) + bars(map(_bar, ranked))


def _bar(row: LabelScore) -> Bar:
    verdict = "the most likely" if row.flagged else ""
    if row.threshold is not None:
        reached = "flagged: reaches" if row.flagged else "below"
        verdict = f"{reached} its threshold of {percent(row.threshold)}"
    note = " · ".join(filter(None, [verdict, definition(row.name)]))
    return Bar(row.name, percent(row.score), row.score, row.threshold, note, row.flagged)


def marked(explanation: Explanation) -> str:
    """The text with the parts marked that move the score."""
    return marked_text(_pieces(explanation))


def _pieces(explanation: Explanation) -> Iterator[tuple[str, float]]:
    """Cut the text at the parts that move the score. Strength: the share of the largest effect."""
    moving = explanation.strongest(most=len(explanation.parts))
    largest = max((abs(part.effect) for part in moving), default=1.0)
    end = 0
    for part in sorted(moving, key=lambda part: part.start):
        yield explanation.text[end : part.start], 0.0
        yield explanation.text[part.start : part.end], part.effect / largest
        end = part.end
    yield explanation.text[end:], 0.0


def effects_table(explanation: Explanation) -> str:
    """The strongest parts as a table, for those who cannot see the marks."""
    rows = [
        (
            shortened(explanation.text[part.start : part.end], 120),
            points(part.effect),
            percent(max(0.0, explanation.score - part.effect)),
        )
        for part in explanation.strongest()
    ]
    return table((explanation.unit, "moves the score by", "score without it"), rows)


def points(effect: float) -> str:
    """A difference of scores in percentage points, with its sign."""
    return f"{'+' if effect > 0 else '−'}{abs(100 * effect):.0f} points"
