"""Sentences, and positions in UTF-16 units."""

import time

import pytest

from comment_toxicity.service.spans import MAX_SPANS, sentence_spans
from comment_toxicity.text import to_utf16


def sentences(text):
    return [text[begin:end] for begin, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "Go." Then left...  So?', ['He said "Go."', "Then left...", "So?"]),
        ("one\n\n two ", ["one", "two"]),
        ("version 3.5 is out", ["version 3.5 is out"]),
        (" . ", ["."]),
        ("no end", ["no end"]),
        ("Waiting… still", ["Waiting…", "still"]),
        ("Ｏｎｅ！　Ｔｗｏ．", ["Ｏｎｅ！", "Ｔｗｏ．"]),
        ("<p>One.</p><p>Two!<br>Three</p>", ["<p>One.", "</p><p>Two!", "<br>Three</p>"]),
        ("e.g.<3", ["e.g.<3"]),
    ],
)
def test_a_sentence_ends_where_a_reader_stops(text, expected):
    assert sentences(text) == expected


def test_sentences_cover_all_of_a_text_but_white_space():
    text = "a.b! c?? (d.) “e.” f\n. g…h i" * 40
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_thousands_of_sentences_share_at_most_100_spans():
    assert len(sentence_spans("No. " * 5000)) == MAX_SPANS


@pytest.mark.parametrize("text", ["." * 20_000, ".)" * 10_000, "?!" * 10_000 + "x", "a.\n" * 6_000])
def test_finding_sentences_takes_time_linear_in_the_length(text):
    start = time.thread_time()
    sentence_spans(text)
    assert time.thread_time() - start < 1


def test_spans_are_converted_to_utf16_units():
    assert to_utf16("a😀b é", [(0, 3), (4, 5)]) == [(0, 4), (5, 6)]
