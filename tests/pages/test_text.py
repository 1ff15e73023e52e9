"""Text of visitors and files, made harmless for the page."""

from ui.html import in_html, table
from ui.text import in_markdown, shortened


def test_markdown_is_escaped():
    assert in_markdown("a *b* [c](d) $e$ :red[f]\n# g") == (
        r"a \*b\* \[c\]\(d\) \$e\$ \:red\[f\] \# g"
    )


def test_a_long_text_is_shortened_to_a_line():
    assert shortened("one\n two " * 100, 20) == "one two one two one…"


def test_an_escaped_text_neither_opens_a_tag_nor_ends_an_attribute():
    assert in_html('<b a="1">\x00') == "&lt;b a=&quot;1&quot;&gt;\ufffd"


def test_the_cells_of_a_table_are_escaped():
    assert "<b>" not in table(("<b>", "n"), [("<b>", "<b>")], numbers=1)
