"""All the HTML of the page: bars, marked text, tables, buttons. Whatever is given is escaped.

Names of labels, texts and reasons come from files and visitors. ui/style.py has the CSS.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finetune.measure.tables import Column, Table, words
from ui.text import without_control_characters


def in_html(text: str) -> str:
    """Escape text for st.html, between tags and within quoted attributes. Line breaks stay."""
    return html.escape(without_control_characters(text))


@dataclass(frozen=True)
class Bar:
    """A share as a bar.

    share: 0 to 1; value: the same in words. mark: where on the bar a tick is, or None.
    note: a line below it. flagged: whether it stands out.
    """

    name: str
    value: str
    share: float
    mark: float | None
    note: str
    flagged: bool


def status(text: str) -> str:
    """A headline that a screen reader announces when it changes."""
    return f'<div class="tox-sentence" role="status">{in_html(text)}</div>'


def bars(rows: Iterable[Bar]) -> str:
    """A list of bars. Colour and length do not reach everybody, so the words say it all."""
    return f'<div class="tox-bars" role="list">{"".join(map(_bar, rows))}</div>'


def _bar(row: Bar) -> str:
    tick = "" if row.mark is None else f'<div class="mark" style="left: {row.mark:.2%}"></div>'
    return (
        f'<div role="listitem" class="{"flagged" if row.flagged else "unflagged"}">'
        f'<div class="line"><span>{in_html(row.name)}</span> <span>{in_html(row.value)}</span>'
        f'</div><div class="track" aria-hidden="true">'
        f'<div class="fill" style="width: {row.share:.2%}"></div>{tick}</div>'
        f'<div class="verdict">{in_html(row.note)}</div></div>'
    )


def marked_text(pieces: Iterable[tuple[str, float]]) -> str:
    """A text, of which some pieces are marked.

    pieces: a text and its strength from -1 to 1, 0 for no mark. A solid line below means above 0,
    a dotted one below 0; a stronger piece is darker.
    """
    written = []
    for text, strength in pieces:
        if strength:
            direction = "up" if strength > 0 else "down"
            colour = 15 + 45 * abs(strength)  # per cent
            written.append(f'<mark class="{direction}" style="--strength: {colour:.0f}%">')
        written.append(in_html(text))
        if strength:
            written.append("</mark>")
    # A long one scrolls by itself, also by keyboard.
    return (
        '<div class="tox-marked" dir="auto" tabindex="0" role="region" '
        f'aria-label="comment with marked parts">{"".join(written)}</div>'
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 2) -> str:
    """A table. The last `numbers` columns hold numbers; the first cell names its row."""
    first_number = len(header) - numbers
    columns = [
        Column(title, str if index >= first_number else words) for index, title in enumerate(header)
    ]
    return Table(columns=columns, rows=list(rows)).html(in_html)


def download_buttons(links: Iterable[tuple[str, str, str]]) -> str:
    """Links that look like buttons. links: address, title and size of each file."""
    written = (
        f'<a class="tox-button" href="{in_html(address)}" download>'
        f"{in_html(title)} <small>{in_html(size)}</small></a>"
        for address, title, size in links
    )
    return f'<div class="tox-buttons">{"".join(written)}</div>'
