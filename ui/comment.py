"""A comment's scores as HTML: the sentence, the bars, the marked words, and tables of the same.

Names of labels, texts and reasons come from files and visitors: all of it is escaped.
"""

from collections.abc import Iterable, Sequence

from comment_toxicity.explain import Explanation
from ui.catalog import definition
from ui.text import in_html, shortened
from ui.words import LabelScore, percent, sentence


def result(ranked: Sequence[LabelScore]) -> str:
    """Write the sentence and, for each label, a bar with a mark at its threshold.

    Score, threshold and verdict are written out too, since colour and length reach neither every
    eye nor a screen reader.
    """
    return (
        f'<div class="tox-sentence" role="status">{in_html(sentence(ranked))}</div>'
        f'<div class="tox-bars" role="list">{"".join(map(_bar, ranked))}</div>'
    )


def _bar(row: LabelScore) -> str:
    mark, verdict = "", "the likeliest" if row.flagged else ""
    if row.threshold is not None:
        mark = f'<div class="mark" style="left: {row.threshold:.2%}"></div>'
        reached = "likely: reaches" if row.flagged else "below"
        verdict = f"{reached} its threshold of {percent(row.threshold)}"
    said = " · ".join(filter(None, [verdict, definition(row.name)]))
    return (
        f'<div role="listitem" class="{"flagged" if row.flagged else "unflagged"}">'
        f'<div class="line"><span>{in_html(row.name)}</span> <span>{percent(row.score)}</span>'
        f'</div><div class="track" aria-hidden="true">'
        f'<div class="fill" style="width: {row.score:.2%}"></div>{mark}</div>'
        f'<div class="verdict">{in_html(said)}</div></div>'
    )


def marked(explanation: Explanation) -> str:
    """Write the text with the parts marked that move the score, stronger ones darker.

    What raises the score has a solid line below it, what lowers it a dotted one.
    """
    moving = explanation.strongest(most=len(explanation.parts))
    largest = max((abs(part.effect) for part in moving), default=1.0)
    pieces, end = [], 0
    for part in sorted(moving, key=lambda part: part.start):
        side = "up" if part.effect > 0 else "down"
        strength = 15 + 45 * abs(part.effect) / largest  # per cent of colour
        pieces.append(in_html(explanation.text[end : part.start]))
        pieces.append(
            f'<mark class="{side}" style="--strength: {strength:.0f}%">'
            f"{in_html(explanation.text[part.start : part.end])}</mark>"
        )
        end = part.end
    pieces.append(in_html(explanation.text[end:]))
    # A long one scrolls by itself, also by keyboard.
    return (
        '<div class="tox-marked" dir="auto" tabindex="0" role="region" '
        f'aria-label="comment with marked parts">{"".join(pieces)}</div>'
    )


def effects_table(explanation: Explanation) -> str:
    """Write the strongest parts as a table, for those who cannot see the marks."""
    rows = [
        (
            shortened(explanation.text[part.start : part.end], 120),
            f"{points(part.effect)}",
            percent(max(0.0, explanation.score - part.effect)),
        )
        for part in explanation.strongest()
    ]
    return table((explanation.unit, "moves the score by", "score without it"), rows)


def points(effect: float) -> str:
    """Write a difference of scores in percentage points, with its sign."""
    return f"{'+' if effect > 0 else '−'}{abs(100 * effect):.0f} points"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 2) -> str:
    """Write a table. The last `numbers` columns are figures; the first cell names its row."""
    first = len(header) - numbers

    def cells(values: Sequence[str], name: str) -> str:
        written = []
        for place, value in enumerate(values):
            tag = name if name == "th" or place else "th"
            scope = ' scope="col"' if name == "th" else ' scope="row"' if tag == "th" else ""
            kind = ' class="number"' if place >= first else ""
            written.append(f'<{tag}{scope}{kind} dir="auto">{in_html(value)}</{tag}>')
        return f"<tr>{''.join(written)}</tr>"

    body = "".join(cells(row, "td") for row in rows)
    # A table that is wider than a phone scrolls by itself, also by keyboard.
    return (
        '<div class="tox-scroll" tabindex="0" role="region" aria-label="table">'
        f'<table class="tox-table"><thead>{cells(header, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
