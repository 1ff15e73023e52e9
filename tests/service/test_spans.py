"""Sentences, and how places in a text are counted."""

import time

import pytest

from comment_toxicity.service.spans import MAX_SPANS, sentence_spans, utf16_places


def parts(text):
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
    ],
)
def test_sentences_end_where_a_reader_stops(text, expected):
    assert parts(text) == expected


def test_all_of_a_text_but_white_space_lies_in_its_sentences():
    text = "a.b! c?? (d.) “e.” f\n. g…h i" * 40
    assert "".join("".join(parts(text)).split()) == "".join(text.split())


def test_there_are_never_more_spans_than_a_request_can_pay_for():
    assert len(sentence_spans("No. " * 5000)) == MAX_SPANS


@pytest.mark.parametrize("text", ["." * 20_000, ".)" * 10_000, "?!" * 10_000 + "x", "a.\n" * 6_000])
def test_finding_them_takes_time_in_step_with_the_length(text):
    start = time.thread_time()
    sentence_spans(text)
    assert time.thread_time() - start < 1


def test_places_count_utf16_units():
    assert utf16_places("a😀b é", [(0, 3), (4, 5)]) == [(0, 4), (5, 6)]
