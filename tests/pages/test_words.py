"""A row of scores in order and in words."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from comment_toxicity.decision import Decision, LabelDecision, Weights
from comment_toxicity.telling import Telling
from ui.catalog import MEANINGS, is_harmful
from ui.words import decided_by, meaning, meaning_of, most_telling, others, percent, rank, verdict


def ranked(scores, thresholds, own=None):
    labels = {label: LabelDecision(threshold=thresholds.get(label)) for label in scores}
    decision = Decision("sigmoid" if thresholds else "softmax", labels)
    model = SimpleNamespace(name="toxic-minilm", labels=list(scores), decision=decision)
    return rank(model, np.array(list(scores.values()), dtype=np.float32), own)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.1, 0.2, 0.15], "Nothing flagged."),
        ([0.1, 0.9, 0.15], "Likely: b."),
        ([0.7, 0.9, 0.8], "Likely: b, c and a."),
        ([0.1, 0.23, 0.15], "Worth a look: b (23 %)."),
        ([0.7, 0.23, 0.15], "Likely: a. Worth a look: b (23 %)."),
    ],
)
def test_the_verdict_is_likely_only_from_a_half_on(scores, words):
    rows = ranked(dict(zip("abc", scores, strict=True)), dict.fromkeys("abc", 0.23))
    assert verdict(rows) == words


def test_the_verdict_on_known_labels_is_a_sentence():
    rows = ranked({"insult": 0.9, "identity_hate": 0.6}, {"insult": 0.5, "identity_hate": 0.5})
    assert verdict(rows) == "Likely insulting and hateful."


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"bad": 0.2, "good": 0.8}, "Likely good."),
        ({"bad": 0.3, "good": 0.4, "so so": 0.3}, "Closest to good, at only 40 %."),
    ],
)
def test_a_single_label_verdict_names_the_most_likely_class(scores, words):
    assert verdict(ranked(scores, {})) == words


@pytest.mark.parametrize(
    ("name", "single_label", "harmful"),
    [
        ("ham", True, False), ("positive", True, False), ("neutral", True, False),
        ("not toxic", True, False), ("non-toxic", False, False), ("nothate", True, False),
        ("inoffensive", True, False), ("sports", True, False), ("no harm", False, False),
        ("spam", True, True), ("abuse", True, True), ("negative", True, True),
        ("insult", True, True), ("insult", False, True), ("anything else", False, True),
    ],
)  # fmt: skip
def test_a_harmless_class_does_not_speak_against_a_comment(name, single_label, harmful):
    assert is_harmful(name, single_label) == harmful


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.1], "a: 10 %"),
        ([0.4, 0.1], "two others, the highest a with 40 %"),
        ([0.015, 0.001, 0.0], "three others, all under 2 %"),
        ([0.001, 0.001], "two others, all under 1 %"),
        ([0.5] * 19, "19 others, the highest a with 50 %"),
    ],
)
def test_the_other_labels_are_one_line(scores, words):
    names = [chr(ord("a") + n) for n in range(len(scores))]
    rows = ranked(dict(zip(names, scores, strict=True)), dict.fromkeys(names, 0.9))
    assert others(rows) == words


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.54, "54 % means: of 100 comments scored like this one, about 54 were labelled"),
        (0.01, "about 1 was labelled"),
        (0.0, "Under 1 % means: of 100 comments scored like this one, fewer than 1 was labelled"),
        (1.0, "over 99 were labelled"),
    ],
)
def test_a_score_is_explained_with_its_own_number(score, words):
    [row] = ranked({"toxic": score}, {"toxic": 0.5})
    assert words in meaning_of(row, SimpleNamespace(calibrated=True))
    assert "not calibrated" in meaning_of(row, SimpleNamespace(calibrated=False))


@pytest.mark.parametrize(
    ("named", "without", "words"),
    [
        (["troll"], 0.24, "Mainly ‘troll’: toxic 54 % → 24 % without it."),
        (["a", "b"], 0.2, "Mainly ‘a’ and ‘b’: toxic 54 % → 20 % without them."),
        (["a"], 0.51, "Partly ‘a’: toxic 54 % → 51 % without it."),
        (["a"], None, "It is all in ‘a’: toxic 54 %."),
        ([], 0.54, "The score is not down to a few words: toxic 54 %."),
    ],
)
def test_the_words_that_decide_are_said_in_one_sentence(named, without, words):
    assert decided_by(Telling("toxic", "text", True, 0.54, without, named, []), "toxic") == words


def test_equal_scores_keep_the_models_order():
    names = ["a", "b", "c"]
    rows = ranked(dict.fromkeys(names, 0.4), dict.fromkeys(names, 0.5))
    assert [row.label for row in rows] == names


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
    assert verdict(rank(model, np.array([0.7, 0.2, 0.1]))) == "Likely negative."


def decision_by(activation, criterion):
    labels = {"a": LabelDecision(threshold=None if activation == "softmax" else 0.5)}
    return Decision(activation, labels, Weights("model.onnx", ""), criterion, 1234)


def test_the_meaning_of_a_score_and_the_choice_of_thresholds_are_explained():
    words = meaning(decision_by("sigmoid", "min-precision:0.9"))
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
    assert meaning(decision_by("sigmoid", criterion)).endswith(words)


def test_the_meaning_of_single_label_scores_says_that_they_add_up():
    words = meaning(decision_by("softmax", "best-f1"))
    assert "add up to 100 %" in words
    assert "threshold" not in words


def test_the_meanings_of_labels_are_those_in_the_readme_of_the_sample():
    """The page shortens the definitions in data/README.md, in the same words."""
    readme = (Path(__file__).parents[2] / "data" / "README.md").read_text(encoding="utf-8")
    for label, words in MEANINGS.items():
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{label}` |"))
        for word in re.findall(r"\w{6,}", words):
            assert word in line, (label, word)
