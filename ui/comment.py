"""One judged comment: the verdict, the words that decide it, and the labels as bars.

show_comment() is the whole of it, for the Score page and for a row of a file. It reads nothing of
the page's state, and caches nothing.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from comment_toxicity import Classifier
from comment_toxicity.telling import Telling, telling_words
from ui.catalog import definition
from ui.markup import Bar, bars, folded, marked_text, paragraph, status
from ui.text import in_markdown
from ui.thresholds import Figures, consequence, figures_of, make_bars_movable, moved
from ui.words import (
    HIGH,
    LabelScore,
    decided_by,
    meaning_of,
    most_telling,
    others,
    percent,
    rank,
    verdict,
)

EXPLAINED_FROM = 0.1  # what moves a lower score is noise
LONG = 600  # characters; of a longer comment, what is around the marks is shown
AROUND = 120  # characters on each side of a mark


def show_comment(
    classifier: Classifier,
    text: str,
    scores: NDArray[np.floating],
    thresholds: Mapping[str, float] | None = None,
    announced: bool = True,
    movable: bool = False,
    foreign: bool = False,
) -> str:
    """Show one comment as it was judged: the bars at once, the words as soon as they are found.

    scores: (labels,), the text's row of classifier.score(); not blank.
    thresholds: by label, in place of the model's own; labels left out keep theirs.
    announced: whether a screen reader is told the verdict from here.
    movable: whether the ticks can be moved, for this visitor and all pages.
    foreign: the model does not read the text's language, so no score of it has a meaning.
    Returns the verdict.
    """
    ranked = rank(classifier, scores, thresholds)
    telling_row = most_telling(ranked)
    headline = verdict(ranked)
    st.html(status(headline, nearest(ranked), announced))
    words = st.empty()
    words.html(marked(text, None, telling_row.harmful))
    figures = figures_of(classifier)
    st.html(labels(ranked, figures, moved(classifier.decision, figures, thresholds or {})))
    if movable and classifier.thresholds:
        make_bars_movable(classifier, {row.label: row.name for row in ranked})
    if not foreign:
        st.caption(in_markdown(meaning_of(telling_row, classifier)))
    if telling_row.flagged or telling_row.score >= EXPLAINED_FROM:
        found = telling_words(classifier, text, telling_row.label, telling_row.threshold)
        words.html(
            marked(text, found, telling_row.harmful)
            + paragraph(decided_by(found, telling_row.name), "decided")
        )
    return headline


def nearest(ranked: Sequence[LabelScore]) -> str:
    """Where nothing is flagged, the label that is nearest to its threshold."""
    row = most_telling(ranked)
    if any(each.flagged for each in ranked) or row.threshold is None:
        return ""
    return f"Nearest: {row.name}, {percent(row.score)} (flagged from {percent(row.threshold)})"


def labels(
    ranked: Sequence[LabelScore],
    figures: Mapping[str, Figures],
    kept: Set[str] = frozenset(),
) -> str:
    """A bar with a tick at its threshold for each flagged label; the others behind one line.

    kept: labels that have a bar in any case.
    """
    shown = [row for row in ranked if row.flagged or row.label in kept]
    shown = shown or [most_telling(ranked)]
    rest = [row for row in ranked if row not in shown]
    drawn = bars(bar(row, figures.get(row.label)) for row in shown)
    if not rest:
        return drawn
    return drawn + folded(others(rest), bars(bar(row, figures.get(row.label)) for row in rest))


def bar(row: LabelScore, figures: Figures | None = None) -> Bar:
    """A label's score as a bar: orange where it is flagged, red where the score is high."""
    tone = "plain"
    if row.flagged:
        tone = "chosen" if not row.harmful else "high" if row.score >= HIGH else "flagged"
    limit = consequence(row.threshold, figures) if row.threshold is not None else ""
    note = definition(row.name)
    score = percent(row.score)
    return Bar(row.name, score, row.score, row.threshold, limit, note, tone, row.label)


def marked(text: str, found: Telling | None, harmful: bool) -> str:
    """The comment with its telling words marked; of a long one, the surroundings of the marks."""
    if found is None:
        return marked_text([(text if len(text) <= LONG else text[:LONG] + " …", 0.0)], harmful)
    return marked_text(_pieces(found), harmful)


def _pieces(found: Telling) -> Iterator[tuple[str, float]]:
    """Cut the text at its marks; of a long one, leave out what is far from any mark."""
    end = 0
    for start, stop, strength in found.marks:
        yield _between(found, end, start), 0.0
        yield found.text[start:stop], strength
        end = stop
    yield _between(found, end, len(found.text)), 0.0


def _between(found: Telling, start: int, stop: int) -> str:
    """What is between two marks, shortened where the text is long."""
    text = found.text[start:stop]
    before = AROUND if start else 0  # after a mark
    after = AROUND if stop < len(found.text) else 0
    if not found.marks:
        before = LONG
    if len(found.text) <= LONG or len(text) <= before + after + 10:
        return text
    return f"{text[:before]} … {text[len(text) - after :]}"
