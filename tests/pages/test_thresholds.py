"""A visitor's thresholds: what they give, presets, and the file of them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from comment_toxicity import load_classifier
from comment_toxicity.decision import Decision, LabelDecision, Weights
from comment_toxicity.fetch.find import EMBEDDED, find_model
from tests.pages.standins import FixedScores, button, html
from ui.thresholds import (
    BALANCED,
    CAREFUL,
    THOROUGH,
    Figures,
    by_hand,
    consequence,
    decision_file,
    figures_of,
    preset,
)

CURVE = {"thresholds": [0.2, 0.4, 0.9], "precision": [0.5, 0.7, None], "recall": [0.95, 0.8, 0.0]}
FIGURES = Figures([0.1, 0.5, 0.9], [0.4, 0.6, 0.9], [1.0, 0.9, 0.3])


def model_in(folder: Path, sha256="abc"):
    decision = Decision("sigmoid", {"a": LabelDecision(threshold=0.5)}, Weights("m.onnx", sha256))
    return SimpleNamespace(folder=SimpleNamespace(path=folder), decision=decision)


def write(folder: Path, name: str, record):
    (folder / name).write_text(json.dumps(record), encoding="utf-8")


def audit_of(sha256):
    points = [{"threshold": 0.3, "precision": 0.6, "recall": 0.7}]
    return {
        "weights": {"sha256": sha256},
        "operating_points": {"labels": {"a": {"points": points}}},
    }


def test_the_curve_of_metrics_json_is_read_without_points_that_flag_nothing(tmp_path):
    write(tmp_path, "metrics.json", {"test": {"labels": {"a": {"curve": CURVE}, "b": {}}}})
    write(tmp_path, "audit.json", audit_of("abc"))
    assert figures_of(model_in(tmp_path)) == {"a": Figures([0.2, 0.4], [0.5, 0.7], [0.95, 0.8])}


def test_without_a_curve_the_points_of_an_audit_of_the_same_weights_are_read(tmp_path):
    write(tmp_path, "metrics.json", {"test": {"labels": {"a": {}}}})
    write(tmp_path, "audit.json", audit_of("abc"))
    assert figures_of(model_in(tmp_path)) == {"a": Figures([0.3], [0.6], [0.7])}
    assert figures_of(model_in(tmp_path, "another")) == {}


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"test": {"labels": {"a": {"curve": 3}}}}']
)
def test_a_model_without_readable_figures_has_none(tmp_path, text):
    for name in ("metrics.json", "audit.json"):
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8")
    assert figures_of(model_in(tmp_path)) == {}


def test_the_shipped_model_says_what_its_thresholds_give():
    model = load_classifier()
    figures = figures_of(model)
    assert list(figures) == model.labels
    test = json.loads((find_model(EMBEDDED) / "metrics.json").read_text(encoding="utf-8"))["test"]
    for label, metrics in test["labels"].items():
        precision, recall = figures[label].at(model.thresholds[label])
        # Threats are rare: from one measured threshold to the next, their precision rises by 0.12.
        assert precision == pytest.approx(metrics["precision"], abs=0.05)
        assert recall == pytest.approx(metrics["recall"], abs=0.02)


def test_the_consequence_of_a_threshold_lies_between_the_measured_ones():
    assert consequence(0.3, FIGURES) == (
        "flagged from 30 %: 50 of 100 flags are right, 95 of 100 found"
    )
    assert consequence(0.3, None) == "flagged from 30 %"


@pytest.mark.parametrize(
    ("name", "own", "chosen"),
    [
        (CAREFUL, 0.5, 0.77),  # 80 of 100 right
        (CAREFUL, 0.85, None),  # its own is as careful
        (THOROUGH, 0.6, 0.5),  # 90 of 100 found
        (THOROUGH, 0.3, None),
        (BALANCED, 0.5, None),
    ],
)
def test_a_preset_reaches_its_level_and_never_turns_a_threshold_the_other_way(name, own, chosen):
    decision = Decision("sigmoid", {"a": LabelDecision(threshold=own), "b": LabelDecision()})
    found = preset(name, decision, {"a": FIGURES})
    assert found == ({} if chosen is None else {"a": pytest.approx(chosen)})


def test_a_careful_preset_out_of_reach_still_finds_something():
    figures = Figures([0.1, 0.9], [0.3, 0.6], [0.9, 0.1])
    [threshold] = preset(
        CAREFUL, Decision("sigmoid", {"a": LabelDecision(threshold=0.2)}), {"a": figures}
    ).values()
    assert figures.at(threshold)[1] >= 0.2


def test_the_file_of_chosen_thresholds_is_a_decision_of_the_same_weights(tmp_path):
    model = load_classifier()
    chosen = by_hand(model.decision, {"toxic": 0.7, "unknown": 0.1}, {"toxic": {"recall": 0.6}})
    shutil.copytree(find_model(EMBEDDED), tmp_path / "copy")
    (tmp_path / "copy" / "decision.json").write_text(decision_file(chosen), encoding="utf-8")
    copy = load_classifier(tmp_path / "copy")
    assert copy.thresholds == {**model.thresholds, "toxic": 0.7}
    assert copy.decision.labels["toxic"].recall == 0.6
    assert copy.decision.labels["toxic"].precision is None  # that of another threshold
    assert copy.decision.criterion == "best-f1; by hand: toxic"


# On the Score page


@pytest.fixture
def measured(tmp_path):
    """A model whose label insult has figures."""
    model = FixedScores()
    model.folder.path = tmp_path
    write(tmp_path, "metrics.json", {"test": {"labels": {"insult": {"curve": CURVE}}}})
    return model


def presets(page):
    """The choice of a preset."""
    return next(each for each in page.segmented_control if each.label == "Thresholds")


def test_a_preset_changes_the_thresholds_of_the_session_and_offers_a_file(serve, measured):
    page = serve(a=measured)
    assert presets(page).value == BALANCED
    assert not page.get("download_button")
    presets(page).set_value(THOROUGH).run()
    assert presets(page).value == THOROUGH
    assert page.session_state["thresholds"]["a"] == {"insult": pytest.approx(0.26)}
    assert "flagged from 26 %: 56 of 100 flags are right, 90 of 100 found" in html(page)
    assert page.get("download_button")
    presets(page).set_value(BALANCED).run()
    assert page.session_state["thresholds"]["a"] == {}


def test_thresholds_set_one_by_one_are_no_preset_and_keep_their_bars(serve, measured):
    page = serve(a=measured)
    page.session_state["thresholds"] = {"a": {"insult": 0.96}}
    page.run()
    assert presets(page).value is None
    shown, _ = html(page).split("<details")
    assert "flagged from 96 %" in shown
    assert button(page, "Score")


def test_a_model_without_figures_has_its_own_thresholds_alone(serve):
    page = serve(a=FixedScores())
    assert presets(page).options == [BALANCED]
    assert "of 100 flags" not in html(page)
