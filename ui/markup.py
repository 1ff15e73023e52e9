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
    limit, note: what is below it, about the tick and else. label: names it in a script.
    tone: "plain", or how it stands out: "chosen", "flagged" or "high".
    """

    name: str
    value: str
    share: float
    mark: float | None
    limit: str
    note: str
    tone: str
    label: str


def status(text: str, note: str = "", announced: bool = True) -> str:
    """A headline and a note below it. announced: a screen reader reads them when they change."""
    below = f'<div class="note">{in_html(note)}</div>' if note else ""
    role = ' role="status"' if announced else ""
    return f'<div class="tox-sentence"{role}>{in_html(text)}{below}</div>'


def bars(rows: Iterable[Bar]) -> str:
    """A list of bars. Colour and length do not reach everybody, so the words say it all."""
    return f'<div class="tox-bars" role="list">{"".join(map(_bar, rows))}</div>'


def folded(summary: str, content: str) -> str:
    """HTML that a click on one line opens."""
    return f'<details class="tox-folded"><summary>{in_html(summary)}</summary>{content}</details>'


def paragraph(text: str, kind: str) -> str:
    """A line of text. kind: its class in ui/style.py."""
    return f'<div class="tox-{kind}">{in_html(text)}</div>'


def _bar(row: Bar) -> str:
    tick = "" if row.mark is None else f'<div class="mark" style="left: {row.mark:.2%}"></div>'
    limit = f'<span class="limit">{in_html(row.limit)}</span>' if row.limit else ""
    notes = filter(None, [limit, in_html(row.note)])
    return (
        f'<div role="listitem" class="{row.tone}">'
        f'<div class="line"><span>{in_html(row.name)}</span> <span>{in_html(row.value)}</span>'
        f'</div><div class="track" data-label="{in_html(row.label)}">'
        f'<div class="fill" style="width: {row.share:.2%}"></div>{tick}</div>'
        f'<div class="verdict">{" · ".join(notes)}</div></div>'
    )


def marked_text(pieces: Iterable[tuple[str, float]], harmful: bool) -> str:
    """A text, of which some pieces are marked.

    pieces: a text and its strength from 0, for no mark, to 1; a stronger piece is darker.
    harmful: False paints the marks in a calm colour.
    """
    written = []
    for text, strength in pieces:
        if strength:
            written.append(f'<mark style="--strength: {15 + 45 * strength:.0f}%">')
        written.append(in_html(text))
        if strength:
            written.append("</mark>")
    calm = "" if harmful else " harmless"
    # A long one scrolls by itself, also by keyboard.
    return (
        f'<div class="tox-marked{calm}" dir="auto" tabindex="0" role="region" '
        f'aria-label="comment with marked words">{"".join(written)}</div>'
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    written = (f"<dt>{in_html(name)}</dt><dd>{in_html(value)}</dd>" for name, value in pairs)
    return f'<dl class="tox-facts">{"".join(written)}</dl>'


def heading(text: str, level: int) -> str:
    """A heading in the size of a card's name."""
    return f'<h{level} class="tox-name">{in_html(text)}</h{level}>'


def log(text: str) -> str:
    """What a program printed, which also scrolls by keyboard."""
    return f'<pre class="tox-log" tabindex="0" role="region" aria-label="log">{in_html(text)}</pre>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 2) -> str:
    """A table. The last `numbers` columns hold numbers; the first cell names its row."""
    first_number = len(header) - numbers
    columns = [
        Column(title, str if index >= first_number else words) for index, title in enumerate(header)
    ]
    return Table(columns=columns, rows=list(rows)).html(in_html)


def rows_table(columns: Sequence[str], rows: Iterable[Sequence[str]], lit: str) -> str:
    """The rows of a file, as wide as they are. lit: the column that stands out."""
    chosen = [' class="lit"' if name == lit else "" for name in columns]
    header = "".join(
        f"<th scope=col{style}>{in_html(name)}</th>"
        for name, style in zip(columns, chosen, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{style} dir=auto>{in_html(cell)}</td>"
            for cell, style in zip(row, chosen, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="tox-scroll tox-rows" tabindex="0" role="region" '
        f'aria-label="first rows of the file"><table><thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def download_buttons(links: Iterable[tuple[str, str]]) -> str:
    """Links that look like buttons. links: address and title of each file."""
    written = (
        f'<a class="tox-button" href="{in_html(address)}" download>{in_html(title)}</a>'
        for address, title in links
    )
    return f'<div class="tox-buttons">{"".join(written)}</div>'
