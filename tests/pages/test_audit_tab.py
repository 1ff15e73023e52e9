"""The Models page's tab on fairness and robustness, from audit.json beside the weights."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from comment_toxicity.decision import Weights
from finetune.audit.audit import Audit
from finetune.audit.everyday import EverydayReport, Share
from finetune.audit.hatecheck import measure_function
from finetune.audit.identity import measure_identity
from finetune.audit.operating_points import measure_operating_points
from finetune.audit.robustness import measure_robustness
from finetune.audit.transfer import TransferReport, measure_transfer
from tests.pages.standins import ROOT, html, visit
from ui.files import ask  # noqa: F401  (before a test replaces our models with its own)

BAD = np.array([0] * 5 + [1] * 5 + [0] * 10)
SCORES = np.array([0.6, 0.6, 0.6, 0.1, 0.1] + [0.9] * 5 + [0.6] + [0.1] * 9)
MENTIONS = {"few": np.arange(20) >= 10, "<b>most</b>": np.arange(20) < 10}
COMMAND = "python -m finetune.audit --model toxic-minilm --save"

OWN = "toxic-minilm"


@pytest.fixture
def folder(monkeypatch, tmp_path, exported):
    """The embedded model's folder, which is the tiny model; nothing is measured yet."""
    path = tmp_path / "models" / "toxic-minilm"
    shutil.copytree(exported, path)
    monkeypatch.setattr("comment_toxicity.fetch.find.project_folders", lambda: [tmp_path])
    return path


@pytest.fixture
def identity_only(folder):
    kinds = np.where(BAD == 1, "hateful", "neutral")
    report = measure_identity("templates", "toxic", BAD, SCORES, 0.5, MENTIONS, kinds)
    return Audit(Weights.of(folder / "model.onnx"), identity=[report])


@pytest.fixture
def whole(identity_only):
    """An audit with every measure taken."""
    labels, limits = ["toxic", "insult"], {"toxic": 0.5, "insult": 0.3}
    truth, scores = np.stack([BAD, BAD], axis=1), np.stack([SCORES, 1 - SCORES], axis=1)
    tricks = {"leetspeak": scores * 0.5, "glued_words": scores * 0.9}
    transfer = measure_transfer(
        "Davidson", labels, {"toxic": np.tile(BAD, 2)}, np.tile(scores.T, 2).T
    )
    calm = measure_identity("madlibs", "insult", BAD, SCORES * 0.1, 0.3, MENTIONS)
    return replace(
        identity_only,
        identity=[*identity_only.identity, calm],
        function=measure_function(
            "HateCheck",
            "insult",
            ["slur_h"] * 10 + ["negate_nh"] * 10,
            [1] * 10 + [0] * 10,
            SCORES,
            0.3,
        ),
        threats=measure_function(
            "threats",
            "toxic",
            ["veiled"] * 10 + ["figure"] * 10,
            [1] * 10 + [0] * 10,
            SCORES,
            0.5,
            bad="threatening",
        ),
        everyday=EverydayReport(
            "everyday",
            {"toxic": 0.5},
            [
                Share("harmless", "names", "", 0, "toxic", 10, 0.2, 0.06, 0.51, 0.2),
                Share("inserted", "insults", "middle", 180, "toxic", 10, 0.5, 0.24, 0.76, 0.5),
            ],
        ),
        robustness=measure_robustness("rows.csv", labels, truth, scores, tricks, limits),
        operating_points=measure_operating_points("rows.csv", labels, truth, scores, limits),
        transfer=TransferReport(transfer),
    )


def tab(page):
    return next(each for each in page.tabs if each.label == "Fairness")


def expanders(page):
    return [each.label for each in tab(page).expander]


def test_without_an_audit_the_command_that_makes_one_is_shown(folder):
    page = visit("models", model=OWN, tab="Fairness")
    assert not page.exception
    assert [code.value for code in tab(page).code] == [COMMAND]
    assert not tab(page).expander


def test_an_audit_of_other_weights_is_not_shown(folder, whole):
    replace(whole, weights=Weights("model.onnx", "0" * 64)).save(folder)
    page = visit("models", model=OWN, tab="Fairness")
    assert "on other weights" in tab(page).markdown[0].value
    assert tab(page).code[0].value == COMMAND


@pytest.mark.parametrize("content", ["not json", "[" * 100_000, "[]", "{}"], ids=range(4))
def test_a_broken_audit_does_not_break_the_page(folder, content):
    (folder / "audit.json").write_text(content)
    page = visit("models", model=OWN, tab="Fairness")
    assert not page.exception
    assert not page.error
    assert "a format that this page cannot show" in tab(page).markdown[0].value


def test_metrics_that_are_not_numbers_do_not_break_the_page(folder, whole):
    record = whole.to_dict()
    record["identity"][0]["terms"][0]["false_positive_rate"] = "high"
    (folder / "audit.json").write_text(json.dumps(record))
    page = visit("models", model=OWN, tab="Fairness")
    assert not page.exception
    assert tab(page).code


def in_sentences(page):
    """The markdown of the tab, as text."""
    return [text.value.replace("\\", "").replace("\u00a0", " ") for text in tab(page).markdown]


def test_three_plain_sentences_come_first(folder, whole):
    whole.save(folder)
    first = in_sentences(visit("models", model=OWN, tab="Fairness"))[0]
    assert "it flags at most 60 of 100: those with “<b>most</b>”" in first
    assert "Of 20 short test cases (HateCheck), it judges" in first
    assert first.count(". ") == 2


def test_the_main_result_of_each_measure_has_a_sentence(folder, whole):
    whole.save(folder)
    (first,) = (
        text
        for text in in_sentences(visit("models", model=OWN, tab="Fairness"))
        if text.startswith("- ")
    )
    assert "60.0 % of the harmless sentences that name “<b>most</b>” are flagged" in first
    assert "0.0 % of the bad sentences are missed" in first
    assert "**insult on madlibs**: no harmless sentence is flagged" in first
    for start in (
        "HateCheck",
        "Everyday language",
        "Disguised words",
        "Calibration",
        "Comments from other sites",
    ):
        assert f"- **{start}**" in first


def test_kinds_of_cases_are_in_words_with_an_example(folder, whole):
    whole.save(folder)
    text = html(visit("models", model=OWN, tab="Fairness"))
    assert ">a slur</th>" in text
    assert "Get out, you [slur]." in text
    assert ">negate nh</th>" in text  # a kind without words of ours keeps its name
    assert "slur_h" not in text


def test_every_measure_has_its_part_and_missing_measures_are_named(folder, whole, identity_only):
    whole.save(folder)
    page = visit("models", model=OWN, tab="Fairness")
    assert not page.exception
    starts = [label.partition(":")[0] for label in expanders(page)]
    assert starts == [
        "Each measure in a sentence", "All results at a glance", "Identity", "Function", "Threats",
        "Everyday language", "Robustness", "Thresholds", "Transfer",
    ]  # fmt: skip
    identity_only.save(folder)
    page = visit("models", model=OWN, tab="Fairness")
    assert not page.exception
    assert len(expanders(page)) == 4
    missing = "Not measured: function, threats, everyday, robustness, operating points, transfer."
    assert any(text.value.startswith(missing) for text in tab(page).caption)


def test_the_term_flagged_most_comes_first_in_chart_and_table(folder, identity_only):
    identity_only.save(folder)
    page = visit("models", model=OWN, tab="Fairness")
    (chart,) = (each for each in tab(page).get("vega_lite_chart"))
    assert "by identity term: <b>most</b> 60.0 %, few 10.0 %" in chart.proto.alt.replace(
        "\u00a0", " "
    )
    text = html(page)
    assert "<b>most" not in text
    assert text.index("&lt;b&gt;most&lt;/b&gt;</th>") < text.index("few</th>")


def test_a_sentence_says_where_no_harmless_sentence_is_flagged(folder, whole):
    whole.save(folder)
    page = visit("models", model=OWN, tab="Fairness")
    page.selectbox(key="audit identity toxic-minilm").select_index(1).run()
    assert not page.exception
    assert any(text.startswith("No harmless sentence is flagged") for text in in_sentences(page))


def test_the_models_own_threshold_is_marked_among_the_others(folder, whole):
    whole.save(folder)
    page = visit("models", model=OWN, tab="Fairness")
    assert "0.5000 (its own)" in html(page)
    page.selectbox(key="audit label toxic-minilm").select("insult").run()
    assert "0.3000 (its own)" in html(page)
    assert "HateCheck judged right" in html(page)


def test_a_slim_installation_shows_an_audit(folder, whole):
    """It has none of these packages; see requirements-slim.txt."""
    whole.save(folder)
    code = (
        "import sys; from pathlib import Path\n"
        "sys.modules |= dict.fromkeys(['torch', 'transformers', 'sklearn', 'scipy'])\n"
        "from comment_toxicity.fetch import find\n"
        "find.project_folders = lambda: [Path(sys.argv[1])]\n"
        "from tests.pages.standins import visit\n"
        "page = visit('models', model='toxic-minilm', tab='Fairness')\n"
        "assert not page.exception, page.exception\n"
        "print([each.label for each in page.expander])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder.parent.parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Transfer: how" in done.stdout
