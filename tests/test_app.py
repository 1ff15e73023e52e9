"""The page, run without a browser, with a stand-in for the model."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from classifier import load_classifier
from classifier.errors import ModelError

APP = Path(__file__).parent.parent / "ui" / "navigation.py"
THRESHOLDS = {
    "toxic": 0.5,
    "severe_toxic": 0.3,
    "obscene": 0.5,
    "threat": 0.2,
    "insult": 0.5,
    "identity_hate": 0.3,
}
TYPED = "what a visitor typed"
SCORES = [0.81, 0.02, 0.31, 0.001, 0.93, 0.12]


class FixedScores:
    """Gives every text the same scores, and remembers what it was asked."""

    single_label = False
    calibrated = True

    def __init__(self, thresholds=THRESHOLDS, scores=SCORES):
        self.labels = list(thresholds)
        self.thresholds = thresholds
        self.scores = scores
        self.asked = []

    def score(self, texts):
        self.asked += texts
        blank = [np.nan] * len(self.labels)
        return np.array([self.scores if t.strip() else blank for t in texts], dtype=np.float32)

    def flags(self, row):
        pairs = zip(self.labels, row, strict=True)
        return [label for label, score in pairs if score >= self.thresholds[label]]


class Choice(FixedScores):
    """A model whose labels exclude each other."""

    single_label = True
    calibrated = False

    def __init__(self):
        super().__init__({"negative": None, "positive": None}, [0.3, 0.7])
        self.thresholds = {}

    def flags(self, row):
        return [self.labels[int(np.argmax(row))]]


@pytest.fixture(autouse=True)
def no_model_from_another_test():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def serve(monkeypatch):
    """Return a function that opens the page with these models in its picker, by name."""

    def page_with(**models):
        monkeypatch.setattr("classifier.models.available_models", lambda: list(models))
        monkeypatch.setattr("classifier.load_classifier", models.__getitem__)
        return AppTest.from_file(APP, default_timeout=60).run()

    return page_with


def submit(page, text):
    page.text_area[0].set_value(text)
    return page.button[0].click().run()


def result(page):
    """The result's HTML, or nothing where there is none."""
    return "".join(block.proto.body for block in page.get("html"))


def shown(page):
    """Everything a visitor can read outside the text area."""
    elements = [node for node in page if isinstance(node, Element) and node.type != "text_area"]
    assert len(elements) > 3
    return "\n".join(str(element.proto) for element in elements)


def test_six_bars_stand_in_order_highest_first(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    bars = re.findall(r'<div class="line"><span>(.*?)</span> <span>(.*?)</span>', result(page))
    assert bars == [
        ("insult", "93 %"),
        ("toxic", "81 %"),
        ("obscene", "31 %"),
        ("identity hate", "12 %"),
        ("severe toxic", "2 %"),
        ("threat", "under 1 %"),
    ]


def test_each_bar_carries_its_threshold_as_a_mark_and_in_words(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert re.findall(r'class="mark" style="left: (.*?)%', result(page)) == [
        "50.00", "50.00", "50.00", "30.00", "30.00", "20.00"
    ]  # fmt: skip
    assert result(page).count("likely: reaches its threshold of 50 %") == 2
    assert "below its threshold of 20 %" in result(page)


def test_one_sentence_says_what_the_scores_amount_to(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert "Likely insult and toxic; the other four are below their thresholds." in result(page)


def test_a_fresh_page_names_its_model_and_shows_no_result(serve):
    page = serve(first=FixedScores(), second=FixedScores())
    assert page.selectbox[0].value == "first"
    assert page.selectbox[0].options == ["first", "second"]
    assert not result(page)
    assert not page.info


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_a_blank_comment_gets_one_friendly_sentence(serve, text):
    page = submit(serve(a=FixedScores()), text)
    assert [info.value for info in page.info] == [
        "There is nothing to score yet: type or paste a comment above."
    ]
    assert not result(page)


def test_of_a_megabyte_the_first_part_is_scored_and_the_page_says_so(serve):
    model = FixedScores()
    page = submit(serve(a=model), "ten chars " * 100_000)  # 1 MB
    assert len(model.asked[-1]) == 100_000
    assert [warning.value for warning in page.warning] == [
        "This comment has 1,000,000 characters; the first 100,000 were scored."
    ]
    assert "insult" in result(page)
    assert not page.exception


@pytest.mark.parametrize(
    "text",
    [
        "<script>document.title = 'xyzzy'</script><b>xyzzy</b>",
        "# xyzzy **xyzzy** ![xyzzy](https://example.org/xyzzy.png) $xyzzy$ :red[xyzzy]",
        "xyzzy 👩🏽‍🚀🏳️‍🌈",
        "\u202exyzzy مرحبا שלום",
        "xyzzy\x00\x07\x1b[31m\ufeff\ud7ff",
    ],
    ids=["html", "markdown", "emoji", "right-to-left", "control characters"],
)
def test_a_comment_reaches_the_model_as_it_is_and_the_page_as_text_only(serve, text):
    model = FixedScores()
    page = submit(serve(a=model), text)
    assert not page.exception
    assert model.asked[-1] == text
    assert page.text_area[0].value == text
    assert "insult" in result(page)
    assert "xyzzy" not in shown(page)


def test_label_names_of_a_strange_model_are_shown_as_text(serve):
    page = submit(serve(a=FixedScores({"<img src=x>": 0.5, "b": 0.5}, [0.9, 0.1])), "hello")
    assert "<img" not in result(page)
    assert "Likely <img src=x>; the other label" in unescape(result(page))


def test_a_model_is_loaded_once_whatever_is_typed_and_by_whom(serve, monkeypatch):
    first = serve(a=FixedScores())
    loaded = []
    monkeypatch.setattr("classifier.load_classifier", loaded.append)
    submit(first, TYPED)
    second = submit(AppTest.from_file(APP, default_timeout=60).run(), "another comment")
    assert loaded == []
    assert "insult" in result(second)
    assert TYPED not in shown(second) + second.text_area[0].value


def test_the_same_comment_is_scored_anew_when_asked_again(serve):
    """Were scores kept by text, the text would be kept as well."""
    model = FixedScores()
    page = serve(a=model)
    submit(page, "hello")
    submit(page, "hello")
    assert model.asked.count("hello") == 2


def test_a_comment_that_makes_the_model_fail_does_not_reach_the_log(serve, caplog, capfd):
    class Failing(FixedScores):
        def score(self, texts):
            if texts[0]:
                raise RuntimeError("out of memory")
            return super().score(texts)

    page = submit(serve(a=Failing()), TYPED)
    assert page.exception
    assert TYPED not in caplog.text + "".join(capfd.readouterr()) + page.exception[0].message


def test_another_model_scores_the_comment_that_is_there(serve):
    page = submit(serve(six=FixedScores(), two=Choice()), "lovely")
    page.selectbox[0].select("two").run()
    assert "Most likely positive." in result(page)
    assert 'class="mark"' not in result(page)
    assert any("not calibrated" in text.value for text in page.markdown)


def test_a_real_model_gives_the_scores_that_the_page_shows(serve, tiny_base):
    model = load_classifier(tiny_base)
    page = submit(serve(tiny=model), "you idiot, go away")
    scores = dict(zip(model.labels, model.score(["you idiot, go away"])[0], strict=True))
    widths = re.findall(r'class="fill" style="width: (.*?)%"', result(page))
    assert [float(width) for width in widths] == pytest.approx(
        sorted((100 * score for score in scores.values()), reverse=True), abs=0.01
    )


def test_where_there_is_no_model_the_page_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("classifier.models.ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    page = AppTest.from_file(APP, default_timeout=60).run()
    assert "No model 'toxic-minilm'" in page.error[0].value
    assert not page.exception


def test_the_page_itself_needs_neither_torch_nor_transformers():
    """They take seconds and hundreds of megabytes, and the embedded model does without them."""
    code = "import app, ui.navigation, sys; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=APP.parent.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_model_that_cannot_be_loaded_is_told_in_one_sentence(serve, monkeypatch):
    page = serve(a=FixedScores())
    st.cache_resource.clear()

    def fail(name):
        raise ModelError(f"models/{name}: no model.onnx; copy the whole folder anew.")

    monkeypatch.setattr("classifier.load_classifier", fail)
    page.run()
    assert [e.value for e in page.error] == ["models/a: no model.onnx; copy the whole folder anew."]
    assert not page.exception
