"""Text of visitors and files, made harmless for where it is shown; ui/markup.py has the HTML."""

import re

MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=@])")
# Invisible characters could garble the page, and lone surrogates cannot be sent to it.
UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")

# What is longer than these bounds is not an image; without them a hostile card would take minutes.
IMAGE = re.compile(
    r"!\[([^\]]{0,500})\](\([^)]{0,2000}\)|\[[^\]]{0,500}\])|<img[^>]{0,2000}>", re.I
)
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]+`", re.M | re.S)
IMAGE_MARK = re.compile(r"(?<!!)!++\[")  # from the first of several !: else “!![” leaves “![”
# What a page makes a link of without any mark: an address, a site, a mail address.
LINK = re.compile(r"(https?\\:)(?=//)|(www)(?=\\\.)|(\\@)(?=[\w-])", re.I)
HEADING = re.compile(r"^(#{1,4}) ", re.M)


def without_control_characters(text: str) -> str:
    """Replace the invisible characters that could garble the page; line breaks stay."""
    return UNSHOWABLE.sub("�", text)


def in_markdown(text: str) -> str:
    """Escape text for a Streamlit element that reads Markdown, such as st.error or a label.

    An address in it does not become a link: an invisible joiner breaks it.
    """
    escaped = MARKDOWN.sub(r"\\\1", " ".join(without_control_characters(text).split()))
    return LINK.sub("\\g<0>\u2060", escaped)


def without_images(markdown: str) -> str:
    """Make a stranger's Markdown harmless to show: no images, no headings above the page's own.

    An image would tell its server who reads the text. A form of image that is unknown here becomes
    a link. A $ begins no formula; code stays as it is.
    """
    text = IMAGE.sub(lambda match: match[1] or "", markdown)
    text = IMAGE_MARK.sub("[", text)
    pieces, end = [], 0
    for code in CODE.finditer(text):
        pieces += [_prose(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _prose(text[end:])])


def _prose(text: str) -> str:
    """Put headings two steps down, as the page has its own title."""
    return HEADING.sub(lambda match: "##" + match[0], text).replace("$", r"\$")


def shortened(text: str, characters: int = 160) -> str:
    """The beginning of a text on one line, with … where it was cut."""
    line = " ".join(text[: 4 * characters].split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"
