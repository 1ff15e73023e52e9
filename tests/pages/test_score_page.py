"""The Score page: one comment's scores, in bars, in words, and explained."""

import ast
import json
import re
import shlex
from html import unescape

import pytest

from comment_toxicity import load_classifier
from comment_toxicity.cache import shared_models
from comment_toxicity.errors import ModelError
from tests.pages.standins import Choice, FixedScores, WordCounts, button, html, shown, visit
from ui.code import programs
from ui.examples import EXAMPLES, FIRST, SAMPLES
from ui.footer import footer

TYPED = "what a visitor typed"


def submit(page, text):
    page.text_area(key="comment").set_value(text)
    return page.button[0].click().run()


def bars(page):
    """The result's HTML, or nothing where there is no result."""
    found = re.search(r'<div class="tox-sentence".*', html(page), re.S)
    return found.group() if found else ""


def names_and_scores(written):
    return re.findall(r'<div class="line"><span>(.*?)</span> <span>(.*?)</span>', written)


def test_flagged_labels_are_bars_and_the_others_one_line_highest_score_first(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    shown, folded = bars(page).split("<details")
    assert names_and_scores(shown) == [("insult", "93 %"), ("toxic", "81 %")]
    assert "<summary>four others, the highest obscene with 31 %</summary>" in folded
    assert names_and_scores(folded) == [
        ("obscene", "31 %"), ("identity hate", "12 %"), ("severe toxic", "2 %"),
        ("threat", "under 1 %"),
    ]  # fmt: skip


def test_each_bar_carries_its_threshold_as_a_mark_and_in_words(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert re.findall(r'class="mark" style="left: (.*?)%', bars(page))[:6] == [
        "50.00", "50.00", "50.00", "30.00", "30.00", "20.00"
    ]  # fmt: skip
    assert "flagged from 20 %" in bars(page)


def test_each_bar_has_the_meaning_of_its_label(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    assert "demeans a person or a group" in bars(page)


def test_the_verdict_comes_first_then_the_comment_then_the_bars(serve):
    written = html(submit(serve(a=FixedScores()), "you fool"))
    order = ["Likely insulting and toxic.", 'class="tox-marked"', 'class="tox-bars"', "<details"]
    assert sorted(order, key=written.index) == order


def test_where_nothing_is_flagged_the_nearest_label_is_named_and_has_the_bar(serve):
    model = FixedScores({"a": 0.5, "b": 0.1}, [0.3, 0.08])
    shown = bars(submit(serve(a=model), "hello you"))
    assert "Nothing flagged." in shown
    assert "Nearest: b, 8 % (flagged from 10 %)" in shown
    assert names_and_scores(shown)[0] == ("b", "8 %")


def test_the_colour_warns_of_a_flag_alarms_at_a_high_score_and_leaves_a_harmless_class(serve):
    model = FixedScores({"a": 0.2, "b": 0.2, "ham": 0.2, "c": 0.2}, [0.9, 0.3, 0.8, 0.1])
    tones = re.findall(r'role="listitem" class="(\w+)"', bars(submit(serve(a=model), "you fool")))
    assert tones[:4] == ["high", "chosen", "flagged", "plain"]


def test_a_fresh_page_names_its_model_and_has_scored_a_sample(serve):
    model = FixedScores()
    page = serve(first=model, second=FixedScores())
    picker = page.selectbox(key="model")
    assert picker.value == "first"
    assert picker.options[:2] == ["first · in models/", "second · in models/"]
    assert page.text_area(key="comment").value == SAMPLES[FIRST]
    assert "Likely insulting and toxic." in bars(page)
    assert not page.info


def test_the_four_listed_hub_models_can_be_chosen(serve):
    options = "\n".join(serve(a=FixedScores()).selectbox(key="model").options)
    for name in ("finetuned-bert-uncased", "sst-2-english", "twitter-roberta", "bertweet"):
        assert name in options


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_a_blank_comment_shows_one_hint(serve, text):
    page = submit(serve(a=FixedScores()), text)
    assert [info.value for info in page.info] == [
        "Nothing to score yet. Type or paste a comment, or take an example."
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
    rest = html(page)
    written = re.findall(r'<div class="tox-(?:marked|decided)[^>]*>(.*?)</div>', rest, re.S)
    assert written
    for piece in written:
        assert not re.search(r"<(?!/?mark)|[\x00-\x08\x1b]", piece)
        rest = rest.replace(piece, "")
    assert "xyzzy" not in rest
    assert not any("xyzzy" in element.value for element in [*page.markdown, *page.caption])


def test_html_in_a_label_name_is_escaped(serve):
    page = submit(serve(a=FixedScores({"<img src=x>": 0.5, "b": 0.5}, [0.9, 0.1])), "hello")
    assert "<img" not in bars(page)
    assert "Likely: <img src=x>." in unescape(bars(page))


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
        def score(self, texts, languages=None):
            if TYPED in texts:
                raise RuntimeError("out of memory")
            return super().score(texts)

    page = submit(serve(a=Failing()), TYPED)
    assert page.exception
    assert TYPED not in caplog.text + "".join(capfd.readouterr()) + page.exception[0].message


def test_another_model_scores_the_comment_that_is_there(serve):
    page = submit(serve(six=FixedScores(name="six"), two=Choice("two")), "lovely day")
    page.selectbox(key="model").select("two").run()
    assert "Likely positive." in bars(page)
    assert 'class="mark"' not in bars(page)
    assert any("not calibrated" in text.value for text in page.caption)


def test_two_models_are_shown_side_by_side(serve):
    page = submit(serve(six=FixedScores(name="six"), two=Choice("two")), "lovely day")
    page.selectbox(key="second model").select("two").run()
    assert "Likely insulting and toxic." in html(page)
    assert "Likely positive." in html(page)
    assert {"**six**", "**two**"} <= {text.value for text in page.markdown}


def test_the_words_that_decide_are_marked_and_said_in_a_sentence(serve):
    page = submit(serve(a=WordCounts("fool", also=0.3)), "you fool, you")
    assert '<mark style="--strength: 60%">fool</mark>, you' in html(page)
    assert "Mainly ‘fool’: toxic 60 % → 30 % without it." in html(page)


def test_words_for_a_harmless_class_are_not_marked_as_a_warning(serve):
    page = submit(serve(a=Choice("a")), "lovely day")
    assert 'class="tox-marked harmless"' in html(page)
    assert 'class="chosen"' in html(page)


def test_a_low_score_is_not_explained_and_the_comment_stays_unmarked(serve):
    model = FixedScores({"a": 0.5}, [0.02])
    page = submit(serve(a=model), "one two three")
    assert model.asked.count("one three") == 0
    assert ">one two three</div>" in html(page)
    assert "tox-decided" not in html(page)


def test_of_a_long_comment_what_is_around_the_marked_words_is_shown(serve):
    plain = "It goes on and on, and never ends. " * 20
    page = submit(serve(a=WordCounts("fool", also=0.3)), f"{plain}You fool. {plain}")
    [shown] = re.findall(r'<div class="tox-marked"[^>]*>(.*?)</div>', html(page), re.S)
    assert "fool</mark>" in shown
    assert len(shown) < 500
    assert shown.count(" … ") == 2


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
    assert "Likely: spam." in bars(page)
    assert "<details" not in bars(page)
    assert html(page).count("spam 90 %</td>") == len(SAMPLES)


def test_an_example_fills_the_comment_is_scored_and_stays_lit_until_it_is_changed(serve):
    page = serve(a=FixedScores())
    examples = page.pills(key="example")
    assert examples.value == list(EXAMPLES)[FIRST]
    examples.set_value("Criticism").run()
    assert page.text_area(key="comment").value == SAMPLES[1]
    assert SAMPLES[1][:40] in bars(page)
    submit(page, SAMPLES[1] + " Really.")
    assert page.pills(key="example").value is None


def test_the_browser_is_told_which_text_the_result_is_for(serve):
    page = submit(serve(a=FixedScores()), "you fool")
    sent = [json.loads(each.proto.json)[0] for each in page.get("bidi_component")]
    [live] = [data for data in sent if "scored" in data]
    assert live["scored"] == "you fool"
    assert live["said"] == "Likely insulting and toxic."
    assert "“you fool”" in live["outdated"]


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
    assert "Worth a look: obscene (31 %)." in bars(page)


def test_a_comment_that_is_hardly_english_gets_a_sentence_before_its_scores(serve):
    page = submit(serve(a=FixedScores()), "你这个白痴")
    assert [warning.value for warning in page.warning] == [
        "This looks like Chinese. The model reads English only: its scores mean nothing here."
    ]
    assert "Likely insulting" in bars(page)
    assert not [each for each in page.caption if "of 100 comments" in each.value]
    page = submit(page, "You are an idiot.")
    assert not page.warning
    assert [each for each in page.caption if "of 100 comments" in each.value]


def test_a_model_that_reads_the_language_is_offered(serve, bilingual):
    page = submit(serve(a=FixedScores(), many=bilingual), "你这个白痴")
    button(page, "Use many").click().run()
    assert page.selectbox(key="model").value == "many"
    assert not page.warning


def test_the_operator_can_let_a_model_that_reads_the_language_answer(serve, bilingual, monkeypatch):
    monkeypatch.setenv("TOXICITY_BY_LANGUAGE", "1")
    page = submit(serve(a=FixedScores(), many=bilingual), "你这个白痴")
    assert not page.warning
    assert r"Scored by many\." in [caption.value for caption in page.caption]
    assert "Likely" not in bars(page)
    assert page.selectbox(key="model").value == "a"
    assert "Likely insulting" in bars(submit(page, "You are an idiot."))


def test_a_second_model_with_other_labels_says_so_in_the_list():
    options = visit().selectbox(key="second model").options
    [sentiment] = [option for option in options if option.startswith("sentiment-minilm")]
    assert "· other labels: negative" in sentiment


def test_a_model_of_another_task_is_not_compared_without_a_word(serve):
    page = submit(serve(six=FixedScores(name="six"), two=Choice("two")), "lovely day")
    second = page.selectbox(key="second model")
    assert sum(option.endswith("· sentiment, not toxicity") for option in second.options) == 3
    second.select("two").run()
    assert "another question (negative, positive)" in page.info[0].value


def test_the_programs_hold_the_comment_as_it_is_and_can_be_run():
    text = """It's "odd"; $(touch x) `y` \\ é"""
    code = {title: code for title, (code, _) in programs(text, "runs/a", "http://host:1").items()}
    assert shlex.split(code["curl"])[:2] == ["curl", "http://host:1/v1/score"]
    assert json.loads(shlex.split(code["curl"])[3]) == {"texts": [text]}
    for title in ("Python", "Perspective client"):
        strings = [node.value for node in ast.walk(ast.parse(code[title]))
                   if isinstance(node, ast.Constant)]  # fmt: skip
        assert text in strings
    assert "load_classifier('runs/a')" in ast.unparse(ast.parse(code["Python"]))
    assert "http://host:1/$discovery/rest" in code["Perspective client"]


def test_every_page_ends_with_links_and_no_page_is_named_that_is_not_known():
    assert "openapi.json" in footer("")
    assert footer("").count("<a ") == 1
    assert 'href="https://host/us/it/issues"' in footer("https://host/us/it")
