"""A row of scores in order and in words."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from comment_toxicity.decision import Decision, LabelDecision, Weights
from ui.catalog import MEANINGS
from ui.words import meaning, most_telling, percent, rank, sentence


def ranked(scores, thresholds, own=None):
    labels = {label: LabelDecision(threshold=thresholds.get(label)) for label in scores}
    decision = Decision("sigmoid" if thresholds else "softmax", labels)
    model = SimpleNamespace(name="toxic-minilm", labels=list(scores), decision=decision)
    return rank(model, np.array(list(scores.values()), dtype=np.float32), own)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.1, 0.2, 0.3], "No label reaches its threshold."),
        ([0.1, 0.9, 0.3], "Flagged as b; the other two are below their thresholds."),
        ([0.7, 0.1, 0.8], "Flagged as c and a; the other label is below its threshold."),
        ([0.7, 0.9, 0.8], "Flagged as b, c and a."),
    ],
)
def test_the_sentence_names_what_is_flagged_highest_first(scores, words):
    rows = ranked(dict(zip("abc", scores, strict=True)), dict.fromkeys("abc", 0.5))
    assert sentence(rows) == words


def test_a_single_label_verdict_names_the_most_likely_class():
    assert sentence(ranked({"bad": 0.2, "good": 0.8}, {})) == "Most likely good."


def test_a_label_name_is_shown_without_underscores():
    assert sentence(ranked({"identity_hate": 0.9}, {"identity_hate": 0.5})) == (
        "Flagged as identity hate."
    )


def test_equal_scores_keep_the_models_order():
    names = ["a", "b", "c"]
    rows = ranked(dict.fromkeys(names, 0.4), dict.fromkeys(names, 0.5))
    assert [row.label for row in rows] == names


def test_ten_or_more_labels_are_counted_in_digits():
    names = [f"label{n}" for n in range(20)]
    scores = dict.fromkeys(names, 0.1) | {"label3": 0.9}
    words = sentence(ranked(scores, dict.fromkeys(names, 0.5)))
    assert words == "Flagged as label3; the other 19 are below their thresholds."


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "under 1 %"), (0.006, "1 %"), (0.5, "50 %"), (0.994, "99 %"), (1.0, "over 99 %")],
)
def test_no_probability_is_shown_as_certain(share, words):
    assert percent(share) == words


def test_chosen_thresholds_replace_those_of_the_model():
    rows = ranked({"a": 0.4, "b": 0.3}, {"a": 0.5, "b": 0.5}, own={"b": 0.2})
    assert [(row.label, row.threshold, row.flagged) for row in rows] == [
        ("a", 0.5, False),
        ("b", 0.2, True),
    ]


def test_a_score_at_its_threshold_is_flagged_though_it_is_a_float32():
    assert ranked({"a": 0.1}, {"a": 0.1})[0].flagged


def test_the_most_telling_score_is_the_one_furthest_over_its_threshold():
    rows = ranked({"toxic": 0.6, "threat": 0.5}, {"toxic": 0.5, "threat": 0.2})
    assert most_telling(rows).label == "threat"


def test_a_label_without_a_name_gets_the_one_on_the_card():
    labels = ["LABEL_0", "LABEL_1", "LABEL_2"]
    model = SimpleNamespace(
        name="cardiffnlp/twitter-roberta-base-sentiment@main",
        labels=labels,
        decision=Decision.uncalibrated(labels, "softmax"),
    )
    assert sentence(rank(model, np.array([0.7, 0.2, 0.1]))) == "Most likely negative."


def model_with(activation, criterion):
    labels = {"a": LabelDecision(threshold=None if activation == "softmax" else 0.5)}
    decision = Decision(activation, labels, Weights("model.onnx", ""), criterion, 1234)
    return SimpleNamespace(decision=decision, calibrated=True, single_label=activation == "softmax")


def test_the_meaning_of_a_score_and_the_choice_of_thresholds_are_explained():
    words = meaning(model_with("sigmoid", "min-precision:0.9"))
    assert "of 100 comments scored like this one" in words
    assert "keep precision at 0.9 or more on 1,234 comments" in words


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        ("best-f1; by hand: a, b", "(best F1) on 1,234 comments. Chosen by hand: a, b."),
        ("by hand: a", "is not recorded. Chosen by hand: a."),
    ],
)
def test_thresholds_chosen_by_hand_are_named(criterion, words):
    assert meaning(model_with("sigmoid", criterion)).endswith(words)


def test_the_meaning_of_single_label_scores_says_that_they_add_up():
    words = meaning(model_with("softmax", "best-f1"))
    assert "add up to 100 %" in words
    assert "threshold" not in words


def test_the_meanings_of_labels_are_those_in_the_readme_of_the_sample():
    """The page shortens the definitions in data/README.md, in the same words."""
    readme = (Path(__file__).parents[2] / "data" / "README.md").read_text(encoding="utf-8")
    for label, words in MEANINGS.items():
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{label}` |"))
        for word in re.findall(r"\w{6,}", words):
            assert word in line, (label, word)
