"""The measures on rows small enough to count by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from finetune.audit.hatecheck import measure_function
from finetune.audit.identity import AT_LEAST, measure_identity
from finetune.audit.operating_points import THRESHOLDS, measure_operating_points
from finetune.audit.ranking import power_mean, roc_auc
from finetune.audit.robustness import DISGUISES, HELD_OUT, disguise, draw_rows, measure_robustness
from finetune.audit.transfer import measure_transfer
from finetune.data.noise import KINDS

# Identity: five harmless and five bad rows about A, and as many about B.
BAD = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1] * 2)
ABOUT_A = np.arange(20) < 10


def identity(scores, bad=BAD, **more):
    mentions = {"A": ABOUT_A[: len(bad)], "B": ~ABOUT_A[: len(bad)]}
    return measure_identity("rows", "toxic", bad, scores, 0.5, mentions, **more)


def by_term(report):
    return {term.term: term for term in report.terms}


def test_a_term_that_raises_scores_has_a_high_false_positive_rate_and_a_low_bpsn_auc():
    scores = np.where(BAD == 1, 0.7, 0.1) + np.where(ABOUT_A & (BAD == 0), 0.7, 0)
    terms = by_term(identity(scores))
    assert terms["A"].false_positive_rate == 1
    assert terms["B"].false_positive_rate == 0
    assert terms["A"].bpsn_auc == 0  # every harmless row about A above every bad row about B
    assert terms["A"].bnsp_auc == 1
    assert terms["B"].bnsp_auc == 0  # the same pairs, from B's side


def test_a_term_that_lowers_scores_has_a_high_false_negative_rate_and_a_low_bnsp_auc():
    scores = np.where(BAD == 1, 0.9, 0.3) - np.where(ABOUT_A & (BAD == 1), 0.8, 0)
    term = by_term(identity(scores))["A"]
    assert term.false_negative_rate == 1
    assert term.bnsp_auc == 0
    assert term.subgroup_auc == 0


def test_the_three_aucs_are_those_of_borkan_et_al():
    generator = np.random.default_rng(3)
    bad = generator.integers(0, 2, 200)
    scores = generator.random(200) * 0.5 + bad * 0.2
    about = generator.random(200) < 0.3
    term = by_term(measure_identity("rows", "toxic", bad, scores, 0.5, {"A": about}))["A"]
    bpsn, bnsp = (about & (bad == 0)) | (~about & (bad == 1)), (about == (bad == 1))
    for found, rows in (
        (term.subgroup_auc, about),
        (term.bpsn_auc, bpsn),
        (term.bnsp_auc, bnsp),
    ):
        assert found == pytest.approx(roc_auc_score(bad[rows], scores[rows]))


def test_a_term_with_too_few_rows_of_a_kind_has_no_figures_of_that_kind():
    bad = BAD[: 20 - AT_LEAST + 1].copy()
    report = identity(np.linspace(0, 1, len(bad)), bad)
    term = by_term(report)["B"]
    assert term.positives < AT_LEAST
    assert term.false_negative_rate is None
    assert term.subgroup_auc is None
    assert term.false_positive_rate is not None


def test_rows_that_name_nobody_are_the_background_and_have_rates_of_their_own():
    report = measure_identity("rows", "toxic", BAD, BAD * 0.9, 0.5, {"A": ABOUT_A})
    background = report.terms[0]
    assert (background.term, background.negatives, background.positives) == ("", 5, 5)
    assert report.highest_false_positive_rate.term == "A"  # the background is no identity


def test_unknown_and_blank_rows_are_left_out():
    bad, scores = BAD.astype(float), BAD * 0.9
    bad[0], scores[19] = np.nan, np.nan
    report = identity(scores, bad, kinds=["k"] * 20)
    assert report.rows == 18
    assert by_term(report)["A"].negatives == 4


def test_kinds_of_sentences_are_counted_by_what_they_should_be():
    kinds = ["insult" if bad else "praise" for bad in BAD]
    kinds[0] = "insult"  # not bad
    report = identity(np.where(np.arange(20) % 5 == 0, 0.9, 0.1), kinds=kinds)
    found = {(kind.kind, kind.bad): (kind.rows, kind.flagged) for kind in report.kinds}
    assert found == {
        ("insult", False): (1, 1.0),
        ("insult", True): (10, 0.2),
        ("praise", False): (9, pytest.approx(1 / 9)),
    }


def test_the_power_mean_lies_near_the_lowest():
    assert power_mean([0.5, 1.0, 1.0]) == pytest.approx(((0.5**-5 + 2) / 3) ** (-1 / 5))
    assert power_mean([0.8]) == pytest.approx(0.8)
    assert power_mean([0.0, 1.0]) == 0
    assert power_mean([]) is None


def test_roc_auc_is_scikit_learns_with_weights_and_equal_scores():
    generator = np.random.default_rng(7)
    truth, scores = generator.integers(0, 2, 300), generator.integers(0, 20, 300) / 20
    weights = generator.random(300)
    assert roc_auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores))
    weighted = roc_auc_score(truth, scores, sample_weight=weights)
    assert roc_auc(truth, scores, weights) == pytest.approx(weighted)


def test_a_ranking_of_one_class_is_none():
    assert roc_auc([1, 1], [0.2, 0.3]) is None
    assert roc_auc([0, 1], [0.2, 0.3], [1, 2]) == 1


# Function

FUNCTIONS = ["threat", "threat", "praise", "praise", "mixed", "mixed"]
HATEFUL = [1, 1, 0, 0, 1, 0]


def test_function_is_the_share_judged_right_by_functionality():
    report = measure_function(
        "cases", "hate", FUNCTIONS, HATEFUL, [0.9, 0.2, 0.1, 0.8, 0.7, 0.1], 0.5, ["x"] * 6
    )
    found = {group.name: (group.bad, group.accuracy) for group in report.functionalities}
    assert found == {"threat": (True, 0.5), "praise": (False, 0.5), "mixed": (None, 1.0)}
    assert report.accuracy == pytest.approx(4 / 6)
    assert report.accuracy_bad == pytest.approx(2 / 3)
    assert [group.rows for group in report.targets] == [6]


@pytest.mark.parametrize(
    ("scores", "accuracy", "threshold"),
    [
        ([0.04, 0.03, 0.01, 0.01, 0.02, 0.01], 1.0, 0.02),
        ([0.1, 0.1, 0.9, 0.9, 0.1, 0.9], 0.5, 1.0),  # nothing flagged is best
        ([0.5] * 6, 0.5, 1.0),
    ],
)
def test_the_best_threshold_is_found_where_the_models_own_is_off(scores, accuracy, threshold):
    report = measure_function("cases", "hate", FUNCTIONS, HATEFUL, scores, 0.95)
    assert report.best_accuracy == accuracy
    assert report.best_threshold == threshold


def test_a_score_at_the_threshold_is_a_flag_as_the_classifier_has_it():
    scores = np.full(20, 0.7, dtype=np.float32)  # which is below 0.7 in float64
    report = measure_function("cases", "hate", FUNCTIONS, HATEFUL, scores[:6], 0.7)
    assert report.accuracy_bad == 1
    about = measure_identity("rows", "toxic", BAD, scores, 0.7, {"A": ABOUT_A})
    assert by_term(about)["A"].false_positive_rate == 1
    points = measure_operating_points("rows", ["a"], BAD[:, None], scores[:, None], {"a": 0.7})
    assert points.labels["a"].chosen.flagged == 1


# Robustness


def test_what_is_lost_is_clean_less_disguised_with_weights():
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


def test_kinds_held_out_of_training_have_a_mean_of_their_own():
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
def test_a_text_without_words_to_disguise_stays(text):
    for change in HELD_OUT.values():
        assert change(text, np.random.default_rng(1)) == text


def test_dropped_vowels_keep_the_ends_of_a_word():
    change = HELD_OUT["dropped_vowels"]
    assert change("article", np.random.default_rng(1)) == "artcle"
    assert change("idiot", np.random.default_rng(1)) == "idt"


def test_rows_drawn_keep_rare_labels_and_stand_for_all():
    generator = np.random.default_rng(5)
    targets = np.zeros((5000, 2))
    targets[:20, 1] = 1
    targets[10:1000, 0] = 1
    weights = generator.random(5000) + 0.5
    places, drawn = draw_rows(targets, weights, 500, seed=1)
    assert len(places) == len(set(places.tolist())) == 500
    assert drawn.sum() == pytest.approx(weights.sum())
    assert targets[places, 1].sum() == 20
    for label in (0, 1):
        share = drawn @ targets[places, label] / drawn.sum()
        assert share == pytest.approx(weights @ targets[:, label] / weights.sum(), rel=0.02)


def test_all_rows_are_drawn_when_there_are_no_more():
    places, weights = draw_rows(np.zeros((3, 1)), [1, 2, 3], 3, seed=1)
    assert places.tolist() == [0, 1, 2]
    assert weights.tolist() == [1, 2, 3]


# Operating points and transfer

LABELS = ["toxic", "threat"]
TARGETS = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1]])
SCORES = np.array([[0.85, 0.1], [0.35, 0.9], [0.45, 0.2], [0.05, 0.65]])


def test_operating_points_count_rows_by_their_weights():
    report = measure_operating_points(
        "rows", LABELS, TARGETS, SCORES, {"toxic": 0.33, "threat": 0.5}, weights=[1, 1, 8, 10]
    )
    toxic = report.labels["toxic"]
    assert len(toxic.points) == len(THRESHOLDS) + 1
    assert toxic.chosen.threshold == 0.33
    assert toxic.chosen.flagged == pytest.approx(10 / 20)
    assert toxic.chosen.precision == pytest.approx(2 / 10)
    assert toxic.chosen.recall == 1
    threat = report.labels["threat"]
    assert len(threat.points) == len(THRESHOLDS)  # 0.5 is among them
    assert threat.chosen.flagged == pytest.approx(10 / 19)  # the unknown row is left out
    assert threat.chosen.precision == 1


def test_rows_that_weigh_nothing_are_not_counted():
    report = measure_operating_points(
        "rows", LABELS, TARGETS, SCORES, {"toxic": 0.5, "threat": 0.5}, weights=[1, 0, 0, 1]
    )
    assert report.rows == 2


def test_a_threshold_that_flags_nothing_has_no_precision():
    report = measure_operating_points(
        "rows", ["toxic"], TARGETS[:, :1], SCORES[:, :1], {"toxic": 0.5}
    )
    last = report.labels["toxic"].points[-1]
    assert (last.threshold, last.flagged, last.precision, last.recall) == (0.95, 0, None, 0)


def test_transfer_measures_the_labels_that_both_know():
    targets, scores = np.tile(TARGETS, (5, 1)), np.tile(SCORES, (5, 1))
    known = {"toxic": targets[:, 0], "spam": targets[:, 0], "threat": targets[:, 1]}
    toxic, threat = measure_transfer("there", LABELS, known, scores)
    assert (toxic.label, toxic.rows, toxic.positives) == ("toxic", 20, 10)
    assert toxic.roc_auc == pytest.approx(3 / 4)
    assert (threat.label, threat.rows, threat.positives) == ("threat", 15, 5)
    assert (threat.roc_auc, threat.average_precision) == (None, None)  # five rows are chance
