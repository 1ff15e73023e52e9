"""Scores → flags: the one comparison of a score with a threshold."""

import json

import numpy as np
import pytest

from comment_toxicity.decision import Decision, LabelDecision, Weights, midway, reaches
from comment_toxicity.errors import ModelError
from finetune.measure.evaluate import evaluate_labels

HUNDREDTHS = [number / 100 for number in range(1, 100)]


def decision(*thresholds):
    labels = {f"label{n}": LabelDecision(threshold=each) for n, each in enumerate(thresholds)}
    return Decision("sigmoid", labels)


@pytest.mark.parametrize("threshold", [0.07, 0.7, 0.29])
def test_a_score_equal_to_its_threshold_is_flagged_by_the_model_and_by_the_report(threshold):
    scores = np.array([[threshold]], dtype=np.float32)
    assert decision(threshold).flags(scores).all()
    report = evaluate_labels([[1.0]], scores, ["label0"], {"label0": threshold})
    assert report.labels["label0"].recall == 1


def test_a_score_equal_to_any_slider_position_reaches_it():
    assert reaches(np.array(HUNDREDTHS, dtype=np.float32), HUNDREDTHS).all()
    just_below = np.nextafter(np.array(HUNDREDTHS, dtype=np.float32), np.float32(0))
    assert not reaches(just_below, HUNDREDTHS).any()


def test_thresholds_of_the_caller_replace_those_of_the_model():
    scores = np.array([[0.5, 0.5]], dtype=np.float32)
    assert decision(0.4, 0.6).flags(scores).tolist() == [[True, False]]
    assert decision(0.4, 0.6).flags(scores, {"label0": 0.9}).tolist() == [[False, False]]


def test_a_row_without_scores_has_no_flags():
    blank = np.full((1, 2), np.nan, dtype=np.float32)
    assert not decision(0.0, 0.0).flags(blank).any()
    assert not Decision.uncalibrated(["good", "bad"], "softmax").flags(blank).any()


def test_a_single_label_model_flags_the_likeliest_class_of_each_row():
    classes = Decision.uncalibrated(["good", "bad"], "softmax")
    scores = np.array([[0.4, 0.6], [0.5, 0.5]], dtype=np.float32)
    assert classes.flags(scores).tolist() == [[False, True], [True, False]]
    assert classes.thresholds == {}


@pytest.mark.parametrize("lower", [0.0, 0.1, 0.3, 0.7])
def test_a_midway_threshold_separates_neighbouring_float32_scores(lower):
    low = np.float32(lower)
    for high in (np.nextafter(low, np.float32(1)), np.float32(0.9)):
        assert reaches([low, high], midway(low, high)).tolist() == [False, True]


GERMAN = {"label0": LabelDecision(2.0, 1.0, 0.9)}
BY_LANGUAGE = Decision(
    "sigmoid",
    {"label0": LabelDecision(threshold=0.5), "label1": LabelDecision(0.5, -1.0, 0.4)},
    Weights("model.onnx", "0" * 64),
    "best-f1",
    100,
    {"de": GERMAN},
)
LOGITS = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [np.nan, np.nan]], dtype=np.float32)


def test_a_language_has_its_own_calibration_and_thresholds_where_it_has_some():
    languages = ["de", "de-AT", "fr", None]
    scores = BY_LANGUAGE.apply(LOGITS, languages)
    general = BY_LANGUAGE.apply(LOGITS)
    assert scores[:2, 0] == pytest.approx(1 / (1 + np.exp(-3)))
    assert scores[2].tolist() == general[2].tolist()
    assert scores[:3, 1].tolist() == general[:3, 1].tolist()  # German has no label1 of its own
    assert np.isnan(scores[3]).all()
    low = np.full((3, 2), 0.6, dtype=np.float32)
    assert BY_LANGUAGE.flags(low, languages=["de", "fr", None])[:, 0].tolist() == [
        False,
        True,
        True,
    ]
    assert BY_LANGUAGE.flags(low, {"label0": 0.55}, ["de", "fr", None])[:, 0].all()
    assert BY_LANGUAGE.apply(LOGITS[:0], []).shape == (0, 2)


def test_languages_are_saved_and_an_older_file_has_none(tmp_path):
    BY_LANGUAGE.save(tmp_path)
    assert Decision.load(tmp_path) == BY_LANGUAGE
    path = tmp_path / "decision.json"
    record = json.loads(path.read_text())
    del record["languages"]
    path.write_text(json.dumps(record))
    assert Decision.load(tmp_path).languages == {}
    Decision.load(tmp_path).save(tmp_path)
    assert "languages" not in json.loads(path.read_text())


@pytest.mark.parametrize("languages", [{"de": {"other": {}}}, ["de"], {"de": {"label0": 3}}])
def test_languages_of_another_form_end_in_one_clear_error(tmp_path, languages):
    BY_LANGUAGE.save(tmp_path)
    path = tmp_path / "decision.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"languages": languages}))
    with pytest.raises(ModelError, match="not a decision file"):
        Decision.load(tmp_path)
