"""A row of scores in order and in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from classifier.summary import percent, rank, sentence


def ranked(scores, thresholds):
    model = SimpleNamespace(
        labels=list(scores),
        thresholds=thresholds,
        flags=lambda row: [
            label
            for label, score in zip(scores, row, strict=True)
            if score >= thresholds.get(label, 0.5)
        ],
    )
    return rank(model, np.array(list(scores.values())))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.1, 0.2, 0.3], "No label reaches its threshold."),
        ([0.1, 0.9, 0.3], "Likely b; the other two are below their thresholds."),
        ([0.7, 0.1, 0.8], "Likely c and a; the other label is below its threshold."),
        ([0.7, 0.9, 0.8], "Likely b, c and a."),
    ],
)
def test_the_sentence_names_what_is_flagged_highest_first(scores, words):
    rows = ranked(dict(zip("abc", scores, strict=True)), dict.fromkeys("abc", 0.5))
    assert sentence(rows) == words


def test_labels_without_thresholds_are_a_choice():
    assert sentence(ranked({"bad": 0.2, "good": 0.8}, {})) == "Most likely good."


def test_a_label_is_named_in_words():
    assert sentence(ranked({"identity_hate": 0.9}, {"identity_hate": 0.5})) == (
        "Likely identity hate."
    )


def test_equal_scores_keep_the_models_order():
    names = ["a", "b", "c"]
    rows = ranked(dict.fromkeys(names, 0.4), dict.fromkeys(names, 0.5))
    assert [row.label for row in rows] == names


def test_many_labels_are_counted_in_figures():
    names = [f"label{n}" for n in range(20)]
    scores = dict.fromkeys(names, 0.1) | {"label3": 0.9}
    words = sentence(ranked(scores, dict.fromkeys(names, 0.5)))
    assert words == "Likely label3; the other 19 are below their thresholds."


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "under 1 %"), (0.006, "1 %"), (0.5, "50 %"), (0.994, "99 %"), (1.0, "over 99 %")],
)
def test_nothing_is_said_to_be_certain(share, words):
    assert percent(share) == words
