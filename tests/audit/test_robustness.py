"""Disguised words, and what they cost."""

import numpy as np
import pytest

from finetune.audit.robustness import DISGUISES, HELD_OUT, disguise, draw_rows, measure_robustness
from finetune.data.noise import KINDS


def test_the_loss_is_clean_minus_disguised_and_weighted():
    targets = np.array([[1.0], [0.0], [0.0]])
    clean, noisy = np.array([[0.9], [0.1], [0.2]]), np.array([[0.15], [0.1], [0.2]])
    report = measure_robustness(
        "rows", ["toxic"], targets, clean, {"case": noisy}, {"toxic": 0.5}, weights=[1, 1, 3]
    )
    (kind,) = report.kinds
    assert report.roc_auc == 1
    assert kind.roc_auc_lost == pytest.approx(3 / 4)  # the pair that is turned weighs 3 of 4
    assert kind.rows_flipped == pytest.approx(1 / 5)
    assert (kind.flags_lost, kind.flags_gained) == (1, 0)
    assert (kind.worst_label, report.mean_roc_auc_lost) == ("toxic", kind.roc_auc_lost)


def test_held_out_disguises_are_averaged_separately():
    assert not set(HELD_OUT) & set(KINDS)
    targets, clean = np.array([[1.0], [0.0]]), np.array([[0.9], [0.1]])
    noisy = {"case": clean, "glued_words": clean[::-1]}
    report = measure_robustness("rows", ["toxic"], targets, clean, noisy, {"toxic": 0.5})
    assert report.mean_roc_auc_lost == 0
    assert report.held_out_roc_auc_lost == 1


@pytest.mark.parametrize("kind", DISGUISES)
def test_a_disguise_changes_texts_and_repeats_with_its_seed(kind):
    texts = ["Nobody believes this stupid article any more.", "hello there stranger"]
    changed = disguise(texts, kind, seed=1)
    assert changed != texts
    assert changed == disguise(texts, kind, seed=1)
    assert changed != disguise(texts, kind, seed=2)


@pytest.mark.parametrize("text", ["", "a", "🙂?!", "no"])
def test_a_text_without_words_to_disguise_is_unchanged(text):
    for change in HELD_OUT.values():
        assert change(text, np.random.default_rng(1)) == text


def test_dropped_vowels_keep_the_ends_of_a_word():
    change = HELD_OUT["dropped_vowels"]
    assert change("article", np.random.default_rng(1)) == "artcle"
    assert change("idiot", np.random.default_rng(1)) == "idt"


def test_drawn_rows_keep_rare_labels_and_the_total_weight():
    generator = np.random.default_rng(5)
    targets = np.zeros((5000, 2))
    targets[:20, 1] = 1
    targets[10:1000, 0] = 1
    weights = generator.random(5000) + 0.5
    positions, drawn = draw_rows(targets, weights, 500, seed=1)
    assert len(positions) == len(set(positions.tolist())) == 500
    assert drawn.sum() == pytest.approx(weights.sum())
    assert targets[positions, 1].sum() == 20
    for label in (0, 1):
        share = drawn @ targets[positions, label] / drawn.sum()
        assert share == pytest.approx(weights @ targets[:, label] / weights.sum(), rel=0.02)


def test_all_rows_are_drawn_when_there_are_no_more():
    positions, weights = draw_rows(np.zeros((3, 1)), [1, 2, 3], 3, seed=1)
    assert positions.tolist() == [0, 1, 2]
    assert weights.tolist() == [1, 2, 3]
