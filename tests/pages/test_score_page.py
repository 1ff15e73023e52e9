"""The Score page: one comment's scores, in bars, in words, and explained."""

import re
from dataclasses import replace
from html import unescape

import pytest

from comment_toxicity import load_classifier
from comment_toxicity.cache import shared_models
from comment_toxicity.errors import ModelError
from tests.pages.standins import Choice, FixedScores, WordCounts, html, shown, visit
from ui.examples import SAMPLES

TYPED = "what a visitor typed"


def submit(page, text):
    page.text_area(key="comment").set_value(text)
    return page.button[0].click().run()


def bars(page):
    """The bars' HTML, or nothing where there is no result."""
    found = re.search(
        r'<div class="tox-sentence".*?(?=<div class="tox-marked|\Z)', html(page), re.S
    )
    return found.group() if found else ""


def test_six_bars_are_shown_highest_score_first(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert re.findall(r'<div class="line"><span>(.*?)</span> <span>(.*?)</span>', bars(page)) == [
        ("insult", "93 %"),
        ("toxic", "81 %"),
        ("obscene", "31 %"),
        ("identity hate", "12 %"),
        ("severe toxic", "2 %"),
        ("threat", "under 1 %"),
    ]


def test_each_bar_carries_its_threshold_as_a_mark_and_in_words(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert re.findall(r'class="mark" style="left: (.*?)%', bars(page)) == [
        "50.00", "50.00", "50.00", "30.00", "30.00", "20.00"
    ]  # fmt: skip
    assert bars(page).count("flagged: reaches its threshold of 50 %") == 2
    assert "below its threshold of 20 %" in bars(page)


def test_each_bar_has_the_meaning_of_its_label(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert "demeans a person or a group" in bars(page)


def test_the_verdict_is_shown_with_the_bars(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert "Flagged as insult and toxic; the other four are below their thresholds." in bars(page)


def test_a_fresh_page_names_its_model_and_shows_no_result(serve):
    page = serve(first=FixedScores(), second=FixedScores())
    picker = page.selectbox(key="model")
    assert picker.value == "first"
    assert picker.options[:2] == ["first · in models/", "second · in models/"]
    assert not bars(page)
    assert not page.info


def test_the_four_listed_hub_models_can_be_chosen(serve):
    options = "\n".join(serve(a=FixedScores()).selectbox(key="model").options)
    for name in ("finetuned-bert-uncased", "sst-2-english", "twitter-roberta", "bertweet"):
        assert name in options


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_a_blank_comment_shows_one_hint(serve, text):
    page = submit(serve(a=FixedScores()), text)
    assert [info.value for info in page.info] == [
        "Nothing to score yet. Type or paste a comment above."
    ]
    assert not bars(page)


def test_only_the_first_part_of_a_huge_comment_is_scored_with_a_warning(serve):
    model = FixedScores()
    page = submit(serve(a=model), "ten chars " * 100_000)  # 1 MB
    assert max(map(len, model.asked)) == 100_000
    assert [warning.value for warning in page.warning] == [
        "This comment has 1,000,000 characters; the first 100,000 were scored."
    ]
    assert "insult" in bars(page)
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
    assert text in model.asked
    assert page.text_area(key="comment").value == text
    marked = re.search(r'<div class="tox-marked"[^>]*>(.*?)</div>', html(page), re.S)
    rest = shown(page)
    if marked:
        assert not re.search(r"<(?!/?mark)|[\x00-\x08\x1b]", marked[1])
        rest = html(page).replace(marked[0], "")
    assert "xyzzy" not in rest
    assert not any("xyzzy" in element.value for element in [*page.markdown, *page.caption])


def test_html_in_a_label_name_is_escaped(serve):
    page = submit(serve(a=FixedScores({"<img src=x>": 0.5, "b": 0.5}, [0.9, 0.1])), "hello")
    assert "<img" not in bars(page)
    assert "Flagged as <img src=x>; the other label" in unescape(bars(page))


def test_a_model_is_loaded_once_whatever_is_typed_and_by_whom(serve, monkeypatch):
    first = submit(serve(a=FixedScores()), TYPED)
    loaded = []
    monkeypatch.setattr("comment_toxicity.classifier.load_classifier", loaded.append)
    submit(first, "something else")
    second = submit(visit(), "another comment")
    assert loaded == []
    assert "insult" in bars(second)
    assert TYPED not in shown(second) + second.text_area(key="comment").value


def test_the_same_comment_is_scored_again_rather_than_cached(serve):
    """Were scores kept by text, the text would be kept as well."""
    model = FixedScores()
    page = submit(serve(a=model), "hello")
    before = model.asked.count("hello")
    submit(page, "hello")
    assert model.asked.count("hello") > before


def test_a_comment_that_makes_the_model_fail_does_not_reach_the_log(serve, caplog, capfd):
    class Failing(FixedScores):
        def score(self, texts):
            if TYPED in texts:
                raise RuntimeError("out of memory")
            return super().score(texts)

    page = submit(serve(a=Failing()), TYPED)
    assert page.exception
    assert TYPED not in caplog.text + "".join(capfd.readouterr()) + page.exception[0].message


def test_another_model_scores_the_comment_that_is_there(serve):
    page = submit(serve(six=FixedScores(name="six"), two=Choice("two")), "lovely day")
    page.selectbox(key="model").select("two").run()
    assert "Most likely positive." in bars(page)
    assert 'class="mark"' not in bars(page)
    assert any("not calibrated" in text.value for text in page.caption)
    assert any("add up to 100 %" in text.value for text in page.caption)


def test_two_models_are_shown_side_by_side(serve):
    page = submit(serve(six=FixedScores(name="six"), two=Choice("two")), "lovely day")
    page.selectbox(key="second model").select("two").run()
    assert "Flagged as insult and toxic" in html(page)
    assert "Most likely positive." in html(page)
    assert {"**six**", "**two**"} <= {text.value for text in page.markdown}


def test_the_words_that_drive_the_score_are_marked_and_listed(serve):
    page = submit(serve(a=WordCounts("fool")), "you fool, you")
    assert '<mark class="up" style="--strength: 60%">fool,</mark>' in html(page)
    table = html(page).split('<table class="tox-table">')[1]
    assert re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table)[3:6] == [
        "fool,", "+30 points", "under 1 %"
    ]  # fmt: skip


def test_another_label_can_be_explained(serve):
    page = submit(serve(a=WordCounts("fool")), "you fool, you")
    choice = next(box for box in page.selectbox if box.label == "What drives the score for")
    assert choice.value == "toxic"
    choice.select("insult").run()
    assert "<mark" not in html(page)
    assert any("No single word changes" in text.value for text in page.caption)


def test_each_comment_is_explained_by_its_own_most_telling_label(serve):
    model = FixedScores({"a": 0.5, "b": 0.1}, [0.9, 0.11])
    page = submit(serve(a=model), "one two")
    model.scores = [0.9, 0.8]  # the same order, but b is further over its threshold
    submit(page, "three four")
    choice = next(box for box in page.selectbox if box.label == "What drives the score for")
    assert choice.value == "b"


def test_markdown_in_the_criterion_of_a_model_is_escaped(serve):
    model = FixedScores()
    model.decision = replace(model.decision, criterion="![x](https://example.org/x.png)")
    page = submit(serve(a=model), "hello you")
    assert any(r"\!\[x\]" in text.value for text in page.caption)
    assert not any("![x](" in text.value for text in page.caption)


def test_a_comment_that_begins_with_a_megabyte_of_blanks_shows_a_hint(serve):
    page = submit(serve(a=FixedScores()), " " * 1_000_000 + "you fool")
    assert not page.exception
    assert page.info[0].value.startswith("The first 100,000 characters are blank")


def test_nan_scores_are_blamed_on_the_model_and_not_on_the_comment(serve):
    page = submit(serve(a=FixedScores(scores=[float("nan")] * 6)), "you fool")
    assert not page.exception
    assert page.error[0].value.startswith("This model gave no valid scores for this comment")
    assert not page.info
    assert "nan" not in html(page)


def test_a_model_with_one_label_has_one_bar(serve):
    page = submit(serve(a=FixedScores({"spam": 0.5}, [0.9])), "hello you")
    assert not page.exception
    assert "Flagged as spam." in bars(page)
    assert html(page).count("spam 90 %</td>") == len(SAMPLES)


def test_a_sample_fills_the_comment_and_is_scored(serve):
    model = FixedScores()
    page = serve(a=model)
    page.selectbox(key="sample").select(SAMPLES[2]).run()
    assert page.text_area(key="comment").value == SAMPLES[2]
    assert "insult" in bars(page)


def test_all_ten_samples_are_listed_with_their_two_highest_scores(serve):
    page = serve(a=FixedScores())
    assert len(SAMPLES) == 10
    assert html(page).count("insult 93 %</td>") == html(page).count("toxic 81 %</td>") == 10


def test_a_real_model_gives_the_scores_that_the_page_shows(serve, tiny_base):
    model = load_classifier(tiny_base)
    page = submit(serve(tiny=model), "you idiot, go away")
    scores = dict(zip(model.labels, model.score(["you idiot, go away"])[0], strict=True))
    widths = re.findall(r'class="fill" style="width: (.*?)%"', bars(page))
    assert [float(width) for width in widths] == pytest.approx(
        sorted((100 * score for score in scores.values()), reverse=True), abs=0.01
    )


def test_without_any_model_the_page_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("comment_toxicity.fetch.find.project_folders", lambda: [tmp_path])
    monkeypatch.chdir(tmp_path)
    page = visit()
    assert "toxic" in page.error[0].value
    assert not page.exception


def test_the_error_of_a_model_that_cannot_be_loaded_is_escaped(serve, monkeypatch):
    def fail(name):
        raise ModelError(f"models/{name}: no *model.onnx*; copy the whole folder anew.")

    serve(a=FixedScores())
    monkeypatch.setattr("comment_toxicity.classifier.load_classifier", fail)
    shared_models().clear()
    page = visit()
    assert [re.sub(r"\\(.)", r"\1", error.value) for error in page.error] == [
        "models/a: no *model.onnx*; copy the whole folder anew."
    ]
    assert r"\*model\.onnx\*" in page.error[0].value
    assert not page.exception


def test_a_missing_model_is_not_reported_as_a_missing_comment(serve, monkeypatch):
    def fail(name):
        raise ModelError(f"{name}: the Hub cannot be reached.")

    page = serve(a=FixedScores())
    shared_models().clear()
    monkeypatch.setattr("comment_toxicity.classifier.load_classifier", fail)
    submit(page, "you fool")
    assert len(page.error) == 1
    assert not page.info


def test_thresholds_chosen_in_the_session_replace_those_of_the_model(serve):
    page = serve(a=FixedScores())
    page.session_state["thresholds"] = {"a": {"insult": 0.95, "toxic": 0.95, "obscene": 0.3}}
    submit(page, "you fool")
    assert "Flagged as obscene; the other five" in bars(page)
