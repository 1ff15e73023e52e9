"""Which parts of a text move a score."""

import io
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.__main__ import main
from comment_toxicity.cpu import cores
from comment_toxicity.explain import (
    PARTS_AT_MOST,
    PASSAGE,
    PASSAGES_AT_MOST,
    explain,
    explain_flags,
    explain_labels,
    passages_of,
    report,
)


class Counts:
    """Scores a text by how often it contains a word."""

    labels = ("other", "rude")

    def __init__(self, word="fool"):
        self.word, self.asked = word, []

    def score(self, texts):
        self.asked += texts
        counts = [min(0.9, 0.1 + 0.4 * text.count(self.word)) for text in texts]
        return np.array([[0.5, count] for count in counts], dtype=np.float32)

    def beginning(self, text, most=0):
        return text


def parts(found, least=0.01):
    return [found.text[part.start : part.end] for part in found.strongest(least)]


def test_the_word_that_raises_the_score_is_found():
    found = explain(Counts(), "oh you fool, listen", "rude")
    assert found.unit == "word"
    assert parts(found) == ["fool,"]
    assert found.strongest()[0].effect == pytest.approx(0.4)
    assert found.score == pytest.approx(0.5)


def test_each_word_is_left_out_once_and_all_in_one_call():
    model = Counts()
    explain(model, "one two\tthree", "rude")
    assert model.asked == ["one two\tthree", " two\tthree", "one \tthree", "one two\t"]


def test_a_tag_and_letters_between_single_spaces_are_not_taken_apart():
    model = Counts()
    explain(model, '<a href="x" rel="y">one</a> 🇦 🇧   🇨', "rude")
    assert model.asked[1:] == [
        " 🇦 🇧   🇨",
        '<a href="x" rel="y">one</a>    🇨',
        '<a href="x" rel="y">one</a> 🇦 🇧   ',
    ]


@pytest.mark.parametrize("insult", ["mo~~ron~~", "ᴍᴏʀᴏɴ", "mo<b></b>ron,", "&#109;oron", "🅼🅾🆁🅾🅽"])
def test_the_characters_of_a_disguised_insult_are_marked(insult: str):
    model = load_classifier()
    text = f"**Thanks** for the <i>lovely</i> photo of `the lake`, you {insult} of the week"
    assert parts(explain(model, text, "toxic"))[0] == insult


def test_a_longer_text_is_explained_by_its_sentences():
    text = "A calm sentence of seven plain words. " * 20 + "You fool! And then it went on."
    found = explain(Counts(), text, "rude")
    assert found.unit == "sentence"
    assert parts(found) == ["You fool!"]
    assert found.whole


def test_a_very_long_text_is_explained_by_its_highest_scoring_passage():
    text = "A calm sentence of plain words. " * 500 + "You fool! " + "It went on. " * 500
    found = explain(Counts(), text, "rude")
    assert not found.whole
    assert len(found.text) <= PASSAGE
    [part] = parts(found)
    assert "You fool!" in part


@pytest.mark.parametrize("text", ["", "  \n ", "fool"])
def test_one_word_or_less_has_no_explanation(text):
    assert explain(Counts(), text, "rude") is None


@pytest.mark.parametrize(
    "text", ["x" * 30_000, "word " * 20_000, "\n" * 30_000 + "a b", "!? " * 10_000, "🏳️‍🌈 " * 400]
)
def test_strange_texts_need_a_bounded_number_of_scorings(text):
    model = Counts()
    explain(model, text, "rude")
    assert len(model.asked) < 1200


@pytest.mark.parametrize("text", ["I. a! " * 330, "I a " * 70, "so\n" * 660])
def test_many_short_sentences_or_words_are_grouped_with_their_neighbours(text):
    model = Counts()
    found = explain(model, text + "fool", "rude")
    assert found.unit == "part"
    assert len(model.asked) <= PARTS_AT_MOST + 1
    assert [part.endswith("fool") for part in parts(found)] == [True]


def test_another_comment_is_scored_between_the_windows_of_a_long_one(monkeypatch):
    engine = load_classifier()._engine
    asked, done = [], []
    queue_is_full, both_asked, may = (threading.Event() for _ in range(3))
    submit = engine._pool.submit

    def asking(run, ids):
        asked.append(ids.tolist())
        if len(asked) == engine._queue_length:
            queue_is_full.set()
        if [2] in asked and [3] in asked:
            both_asked.set()
        return submit(run, ids)

    def when_both_have_asked(ids):
        may.wait()
        done.append(ids.tolist())
        return np.zeros((1, 6), dtype=np.float32)

    monkeypatch.setattr(engine._pool, "submit", asking)
    monkeypatch.setattr(engine, "_run", when_both_have_asked)
    windows = 100 * cores()
    with ThreadPoolExecutor(2) as callers:
        try:
            long = callers.submit(engine.logits, [np.array([1])] * windows)
            assert queue_is_full.wait(60)
            short = callers.submit(engine.logits, [np.array([2]), np.array([3])])
            assert both_asked.wait(60)
        finally:
            may.set()
    assert (len(long.result()), len(short.result())) == (windows, 2)
    assert done.index([3]) < windows / 2


def test_explained_parts_are_in_the_order_of_the_text():
    text = "First one. Second…   third?\nFourth without an end " + "long " * 200
    found = explain(Counts(), text, "rude")
    ends = [0, *(part.end for part in found.parts)]
    assert all(end <= part.start < part.end for end, part in zip(ends, found.parts, strict=False))


def test_a_real_model_is_explained_by_its_own_scores(tiny):
    text = "you stupid idiot go away"
    found = explain(tiny, text, "insult")
    column = tiny.labels.index("insult")
    whole, without = tiny.score([text, "you  idiot go away"])[:, column]
    assert found.parts[1].effect == pytest.approx(whole - without, abs=1e-6)


# The command


def test_the_command_prints_scores_flags_and_the_words_that_carry_them(capsys):
    assert main(["explain", "Thank you, you idiot."]) == 0
    table, toxic = capsys.readouterr().out.split("\n\n")[:2]
    assert [line.split()[0] for line in table.splitlines()[1:]] == load_classifier().labels
    assert table.splitlines()[1].endswith("  flagged")
    assert toxic.splitlines()[1].endswith("  idiot.")


def test_the_command_reads_standard_input_and_prints_json(monkeypatch, capsys):
    text = "You idiot. 😀\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))
    assert main(["explain", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model = load_classifier()
    [scores] = model.score([text])
    assert np.array_equal(np.float32(list(found["scores"].values())), scores)
    assert found["flags"] == model.flags(scores)
    assert set(found["explanations"]) == set(found["flags"])
    for explanation in found["explanations"].values():
        for part in explanation["parts"]:
            assert text[part["start"] : part["end"]] == part["text"]


def test_parts_are_located_in_code_points_and_in_utf16_of_the_whole_text():
    text = "😀 A calm sentence of plain words. " * 100 + "You 😀 fool! " + "It went on. " * 200
    found = explain(Counts(), text, "rude")
    assert found.offset > 0
    [part] = found.located(text)
    assert "You 😀 fool!" in text[part["start"] : part["end"]]
    units = text.encode("utf-16-le")[2 * part["utf16"]["start"] : 2 * part["utf16"]["end"]]
    assert units.decode("utf-16-le") == text[part["start"] : part["end"]]
    assert part["utf16"]["start"] > part["start"]


def test_labels_of_one_passage_share_their_scorings():
    model = Counts()
    found = explain_labels(model, "oh you fool, listen", ["rude", "other"])
    assert list(found) == ["rude", "other"]
    assert len(model.asked) == 5
    assert [part.effect for part in found["other"].parts] == [0, 0, 0, 0]


def test_a_long_text_is_scored_a_bounded_number_of_times_for_all_labels():
    model = Counts()
    text = "You fool, I mean it. No! " * 800
    explain_labels(model, text, ["rude", "other"])
    passages = len(passages_of(text))
    assert passages == 10
    assert len(model.asked) <= passages + PASSAGES_AT_MOST * (PARTS_AT_MOST + 1)


def test_labels_are_explained_in_the_passages_where_most_of_them_score_highest():
    class Letters(Counts):
        labels = ("a", "b", "c", "d")
        words = ("first", "first", "second", "third")

        def score(self, texts):
            self.asked += texts
            rows = [[0.1 + 0.2 * text.count(word) for word in self.words] for text in texts]
            return np.array(rows, dtype=np.float32)

    calm = "A calm sentence of plain words. " * 62
    text = f"{calm}A first one. {calm}A second one. {calm}A third one. {calm}"
    found = explain_labels(Letters(), text, Letters.labels)
    assert list(found) == ["a", "b", "c", "d"]
    assert parts(found["a"]) == parts(found["b"])
    assert "first" in parts(found["a"])[0]
    assert "second" in parts(found["c"])[0]
    assert len({explanation.offset for explanation in found.values()}) == PASSAGES_AT_MOST


@pytest.mark.parametrize(
    ("given", "message"),
    [(b" \n", "the text is blank"), (b"\xff", "not UTF-8"), (b"you " * 5_000_000, "more than")],
)
def test_an_unexplainable_comment_ends_in_one_clear_error(monkeypatch, capsys, given, message):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), "utf-8"))
    assert main(["explain"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("text", ["idiot", "\ud83d idiot"])
def test_the_command_accepts_one_word_and_lone_surrogates(capsys, text):
    assert main(["explain", text]) == 0
    assert "flagged" in capsys.readouterr().out


def test_a_text_that_expands_to_very_many_tokens_is_explained_in_part():
    model = load_classifier()
    text = "You fool. " + "\ufdfa " * 5_000
    found = explain_flags(model, text)
    assert 1_000 < found["scored_characters"] < len(text)
    assert f"first {found['scored_characters']:,} characters" in report(found)
    explanation = explain(model, text, "toxic")
    assert not explanation.whole
    assert text.startswith(explanation.text)
    assert model.cut([explanation.text])[0].tokens < 1_300  # with overlaps
