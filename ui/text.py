"""Foreign text, made harmless for where it is shown: in Markdown, and in HTML."""

import html
import re

MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=@])")
# Invisible ones, which could garble the page, and half characters, which cannot be sent to it.
UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")

LONGEST_ERROR = 1000  # characters; a sentence can quote a cell, or the names of all columns


def in_markdown(text: str) -> str:
    """Escape text for a Streamlit element that reads Markdown, such as st.error or a label."""
    return MARKDOWN.sub(r"\\\1", " ".join(UNSHOWABLE.sub("�", text).split()))


def in_html(text: str) -> str:
    """Escape text for st.html, between tags and within quoted attributes. Line breaks stay."""
    return html.escape(UNSHOWABLE.sub("�", text))


def shortened(text: str, characters: int = 160) -> str:
    """Give a text's beginning on one line, with … where it was cut."""
    line = " ".join(text[: 4 * characters].split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"
