"""Text of visitors and files, made harmless for the page."""

import time

import pytest

from ui.markup import in_html, table
from ui.text import in_markdown, shortened, without_images


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


@pytest.mark.parametrize(
    "text", ["see http://a.example/b", "HTTPS://a.example", "www.a.example", "to me@a.example"]
)
def test_an_address_in_a_name_does_not_become_a_link(text):
    shown = in_markdown(text).replace("\\", "")
    assert shown.replace("\u2060", "") == text
    assert not any(mark in shown.lower() for mark in ("://", "www.", "@a"))


@pytest.mark.parametrize(
    "card",
    [
        "!![r]\n\n[r]: http://a.example/p.png",
        "!!!![r]",
        r"!![a\]b](http://a.example/p.png)",
        "![![a](b)](http://a.example/p.png)",
        "!<img src=x>[a](http://a.example/p.png)",
        r"\\![a](http://a.example/p.png)",
    ],
)
def test_no_image_of_a_card_is_left(card):
    shown = without_images(card)
    assert "![" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize("piece", ["!", "![", "!![a", "![](", "<img"])
def test_a_hostile_card_takes_no_time(piece):
    started = time.thread_time()
    without_images((piece * 200_000)[:200_000])
    assert time.thread_time() - started < 5
