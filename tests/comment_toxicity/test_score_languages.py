"""A model that is calibrated by language: which text gets which calibration."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.decision import Decision, LabelDecision
from comment_toxicity.disk import shortest_float
from comment_toxicity.explain import explain_flags
from comment_toxicity.files.score import score_file

TEXTS = [
    "Das ist wirklich ein sehr schöner Tag, und ich danke euch allen dafür.",
    "This is really a very nice day, and I thank you all for it.",
    "",
    "Tämä on todella mukava päivä, ja kiitän teitä kaikkia siitä.",
]


@pytest.fixture
def model(exported: Path, tmp_path: Path):
    folder = shutil.copytree(exported, tmp_path / "model")
    decision = Decision.load(folder)
    german = {"toxic": LabelDecision(slope=2.0, intercept=1.0, threshold=0.999)}
    english = {"toxic": LabelDecision(slope=1.0, intercept=-1.0, threshold=0.5)}
    hindi = {"toxic": LabelDecision(slope=3.0)}
    languages = {"de": german, "en": english, "hi-Latn": hindi}
    replace(decision, languages=languages).save(folder)
    return load_classifier(str(folder))


def test_languages_are_detected_and_others_have_none(model):
    assert model.languages(TEXTS) == ["de", "en", None, None]


def test_scores_follow_the_languages_that_are_given_else_those_detected(model):
    detected = model.score(TEXTS)
    np.testing.assert_array_equal(detected, model.score(TEXTS, ["de", "en", None, None]))
    np.testing.assert_array_equal(detected, model.score_beginnings(TEXTS)[0])
    given = model.score(TEXTS, ["en", "hi-Latn", "de", "de"])
    changed = detected != given
    assert changed[[0, 1, 3], 0].all()
    assert not changed[:2, 1:].any()  # the other labels have one calibration for all languages
    with pytest.raises(ValueError, match="1 languages for 4 texts"):
        model.score(TEXTS, ["de"])


def test_cuts_are_scored_for_any_language_unless_it_is_given(model):
    cuts = model.cut(TEXTS)
    general = model.decision.apply(model.logits(TEXTS))
    np.testing.assert_array_equal(model.score_cuts(cuts), general)
    np.testing.assert_array_equal(
        model.score_cuts(cuts, languages=["de", "en", None, None]), model.score(TEXTS)
    )


def test_flags_take_the_threshold_of_the_language(model):
    scores = np.full(len(model.labels), 0.6, dtype=np.float32)
    assert "toxic" in model.flags(scores)
    assert "toxic" not in model.flags(scores, "de")


def test_without_the_detector_every_text_has_the_general_calibration(model, monkeypatch):
    monkeypatch.setattr("comment_toxicity.classifier.find_spec", lambda name: None)
    np.testing.assert_array_equal(model.score(TEXTS), model.decision.apply(model.logits(TEXTS)))


def test_a_model_without_languages_detects_none(exported: Path, monkeypatch):
    plain = load_classifier(str(exported))
    monkeypatch.setattr("comment_toxicity.classifier.LanguageDetector", None)
    assert (
        plain.score(TEXTS, ["de", "en", None, None]).tolist()[0] == plain.score(TEXTS).tolist()[0]
    )
    assert plain.languages(TEXTS) == [None] * 4


def test_a_view_in_one_language_scores_and_flags_as_the_model_does_there(model):
    german = model.in_language("de")
    np.testing.assert_array_equal(german.score(TEXTS[1:2]), model.score(TEXTS[1:2], ["de"]))
    assert german.thresholds["toxic"] == 0.999
    assert model.thresholds["toxic"] != 0.999
    [scores] = model.score(TEXTS[:1])
    assert german.flags(scores) == model.flags(scores, "de")
    windows = model.window_logits(model.windows(TEXTS[0]))
    np.testing.assert_array_equal(model.combined(windows, "de"), scores)


def test_rows_of_a_file_are_flagged_by_the_thresholds_of_their_language(model, tmp_path):
    lines = [json.dumps({"comment_text": text}) for text in TEXTS[:2]]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    score_file(model, str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"))
    rows = list(map(json.loads, (tmp_path / "out.jsonl").read_text("utf-8").splitlines()))
    scores = model.score(TEXTS[:2])
    assert [row["toxic_score"] for row in rows] == [shortest_float(row[0]) for row in scores]
    expected = [model.flags(*each) for each in zip(scores, ["de", "en"], strict=True)]
    assert [row["flags"] for row in rows] == [";".join(flags) for flags in expected]


def test_an_explanation_has_the_scores_and_thresholds_of_the_language(model):
    found = explain_flags(model, TEXTS[0])
    assert found["language"] == "de"
    assert found["thresholds"]["toxic"] == 0.999
    [scores] = model.score(TEXTS[:1])
    assert found["scores"] == dict(zip(model.labels, map(shortest_float, scores), strict=True))
