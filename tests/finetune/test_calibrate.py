import numpy as np
import pytest

from comment_toxicity.errors import SettingsError
from finetune.calibrate import ENOUGH, fit_decision, natural_weights
from finetune.measure.evaluate import calibration_error, reliability
from finetune.thresholds import Criterion, choose_threshold

BEST_F1 = Criterion.parse("best-f1")
LABELS = ["rude", "threat"]


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def comments(rows, seed):
    """True log odds and targets of two labels; who threatens is nearly always rude as well."""
    generator = np.random.default_rng(seed)
    rude = generator.normal(-3.5, 2.5, rows)
    threat = 0.8 * rude - 3 + generator.normal(0, 1, rows)
    odds = np.stack([rude, threat], axis=1)
    return odds, (generator.random(odds.shape) < sigmoid(odds)).astype(float)


def enriched(odds, targets, seed):
    """A random sample of the rows, and beside it all of the others that carry a label."""
    natural = np.random.default_rng(seed).random(len(targets)) < 0.25
    keep = natural | (targets.sum(axis=1) > 0)
    return odds[keep], targets[keep], natural[keep].astype(float)


def test_an_enriched_sample_is_calibrated_for_the_natural_mix():
    all_odds, all_targets = comments(40_000, seed=1)
    odds, targets, natural = enriched(all_odds, all_targets, seed=2)
    shares = dict(zip(LABELS, all_targets.mean(axis=0), strict=True))
    fitted = fit_decision(1.5 * odds + 1, targets, LABELS, "sigmoid", BEST_F1, shares, natural)

    new_odds, new_targets = comments(40_000, seed=3)
    scores = fitted.decision.apply(1.5 * new_odds + 1)
    for column, label in enumerate(LABELS):
        points = reliability(new_targets[:, column], scores[:, column], np.ones(len(scores)))
        assert calibration_error(points) < 0.01
        assert fitted.report.labels[label].calibration_error < 0.01
    assert fitted.report.rows == natural.sum()

    as_it_comes = fit_decision(1.5 * odds + 1, targets, LABELS, "sigmoid", BEST_F1)
    points = reliability(
        new_targets[:, 0], as_it_comes.decision.apply(1.5 * new_odds + 1)[:, 0], np.ones(40_000)
    )
    assert calibration_error(points) > 0.05


def test_calibration_never_changes_the_order_of_scores():
    odds, targets = comments(2_000, seed=1)
    decision = fit_decision(-odds, targets, LABELS, "sigmoid", BEST_F1).decision
    assert all(label.slope > 0 for label in decision.labels.values())


def test_few_cleanly_separated_positives_give_a_finite_slope():
    logits = np.concatenate([np.full(200, -2.0), np.full(3, 2.0)])[:, None]
    targets = (logits > 0).astype(float)
    decision = fit_decision(logits, targets, ["rude"], "sigmoid", BEST_F1).decision
    assert decision.labels["rude"].slope < 5
    assert decision.apply(np.array([[2.0]]))[0, 0] == pytest.approx(4 / 5, abs=0.01)


def test_the_mean_score_of_a_rare_label_is_its_share():
    """30 of 300 rows carry what 3 of 1,000 comments do."""
    generator = np.random.default_rng(1)
    ratios = []
    for _ in range(20):
        targets = (np.arange(300) < 30).astype(float)[:, None]
        logits = generator.normal(0, 1.5, (300, 1)) + 4 * targets - 3
        fitted = fit_decision(logits, targets, ["threat"], "sigmoid", BEST_F1, {"threat": 0.003})
        truth = (np.arange(100_000) < 300).astype(float)[:, None]
        new = generator.normal(0, 1.5, (100_000, 1)) + 4 * truth - 3
        ratios.append(fitted.decision.apply(new).mean() / 0.003)
    assert np.median(ratios) == pytest.approx(1, abs=0.3)


def test_a_label_missing_from_the_random_sample_gives_a_warning():
    logits = np.array([[-2.0], [-1.0], [1.0], [2.0]] * 5)
    fitted = fit_decision(logits, logits > 0, ["rude"], "sigmoid", BEST_F1, {"rude": 0.0})
    assert fitted.warnings == [
        "rude: no row of the random sample has it, so its natural share is unknown and its scores "
        "are too high; add rows to the random sample."
    ]


def test_natural_weights_of_one_label_are_the_prior_shift_correction():
    targets = np.array([1, 1, 0, 0, 0])[:, None]
    weights = natural_weights(targets, [0.1], np.ones(5))
    assert weights == pytest.approx([0.1 / 0.4] * 2 + [0.9 / 0.6] * 3)


def test_natural_weights_give_every_label_its_share_at_once():
    targets = np.array([[1, 1], [1, 0], [1, 0], [0, 0], [0, 1], [0, np.nan]], dtype=float)
    weights = natural_weights(targets, [0.2, 0.1], np.ones(6))
    assert weights.sum() == pytest.approx(6)
    assert weights @ targets[:, 0] / 6 == pytest.approx(0.2, rel=1e-4)
    known = ~np.isnan(targets[:, 1])
    assert np.average(targets[known, 1], weights=weights[known]) == pytest.approx(0.1, rel=1e-4)


def test_a_label_with_one_class_does_not_change_the_weights():
    targets = np.array([[1, 0], [0, 0]], dtype=float)
    assert natural_weights(targets, [0.5, 0.01], np.ones(2)) == pytest.approx([1, 1])


def test_unknown_targets_and_blank_rows_do_not_move_the_fit():
    odds, targets = comments(1_000, seed=5)
    logits, known = (
        np.vstack([odds, [[9, 9], [np.nan] * 2]]),
        np.vstack([targets, [[np.nan] * 2, [1, 1]]]),
    )
    more = fit_decision(logits, known, LABELS, "sigmoid", BEST_F1).decision
    assert more.labels == fit_decision(odds, targets, LABELS, "sigmoid", BEST_F1).decision.labels


def test_a_label_without_positives_stays_uncalibrated_and_a_warning_says_so():
    odds, targets = comments(100, seed=5)
    targets[:, 1] = 0
    fitted = fit_decision(odds, targets, LABELS, "sigmoid", BEST_F1)
    threat = fitted.decision.labels["threat"]
    assert (threat.slope, threat.threshold, threat.positives) == (1, 0.5, 0)
    assert "threat: 0 of 100" in fitted.warnings[0]


def test_the_decision_records_how_it_was_made():
    odds, targets = comments(1_000, seed=5)
    decision = fit_decision(
        odds, targets, LABELS, "sigmoid", Criterion.parse("min-recall:0.8")
    ).decision
    assert (decision.criterion, decision.rows) == ("min-recall:0.8", 1_000)
    assert decision.labels["rude"].positives == targets[:, 0].sum()
    assert decision.labels["rude"].recall >= 0.8
    assert list(decision.labels) == LABELS


def test_a_single_label_model_gets_one_temperature():
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (5_000, 3))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    cumulated = (odds / odds.sum(axis=1, keepdims=True)).cumsum(axis=1)
    answers = (generator.random((5_000, 1)) > cumulated).sum(axis=1)
    fitted = fit_decision(4 * logits, np.eye(3)[answers], ["a", "b", "c"], "softmax", BEST_F1)
    slopes = {label.slope for label in fitted.decision.labels.values()}
    assert len(slopes) == 1
    assert slopes.pop() == pytest.approx(0.25, rel=0.05)
    assert fitted.decision.labels["a"].threshold is None
    assert fitted.report.calibration_error < 0.03


def test_few_rows_all_judged_right_give_a_finite_temperature():
    answers = np.arange(20) % 2
    logits = np.where(np.eye(2)[answers] == 1, 1.0, -1.0)
    fitted = fit_decision(logits, np.eye(2)[answers], ["a", "b"], "softmax", BEST_F1)
    assert fitted.decision.apply(logits).max(axis=1) == pytest.approx(21 / 22, abs=0.001)


def choose(targets, scores, criterion, weights=None):
    ones = np.ones(len(scores)) if weights is None else np.array(weights, dtype=float)
    return choose_threshold(
        np.array(targets, dtype=float), np.array(scores), ones, Criterion.parse(criterion)
    )


def test_a_threshold_is_between_two_scores():
    chosen = choose([1, 1, 0, 0], [0.9, 0.8, 0.4, 0.1], "best-f1")
    assert chosen.value == pytest.approx(0.6)
    assert (chosen.precision, chosen.recall) == (1, 1)


def test_min_precision_is_met_with_the_highest_recall():
    chosen = choose([1, 0, 1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], "min-precision:0.75")
    assert 0.5 < chosen.value < 0.6
    assert (chosen.precision, chosen.recall, chosen.met) == (0.75, 0.75, True)


def test_min_recall_is_met_with_the_highest_precision():
    chosen = choose([1, 1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5], "min-recall:0.6")
    assert 0.7 < chosen.value < 0.8
    assert chosen.precision == 1


def test_an_unreachable_precision_falls_back_to_the_nearest_with_a_warning():
    chosen = choose([0, 1, 0, 1], [0.9, 0.8, 0.7, 0.2], "min-precision:0.9")
    assert (chosen.met, chosen.precision) == (False, 0.5)
    generator = np.random.default_rng(1)
    targets = (generator.random((400, 1)) < 0.2).astype(float)
    fitted = fit_decision(
        generator.normal(size=(400, 1)), targets, ["rude"], "sigmoid",
        Criterion.parse("min-precision:1"),
    )  # fmt: skip
    assert "rude: no threshold gives a precision of 1" in fitted.warnings[0]


def test_weights_move_the_threshold():
    targets, scores = [1, 0, 1, 0], [0.9, 0.6, 0.5, 0.1]
    assert choose(targets, scores, "best-f1").value == pytest.approx(0.3)
    assert choose(targets, scores, "best-f1", [1, 9, 1, 1]).value == pytest.approx(0.75)


def test_equal_scores_are_never_separated():
    chosen = choose([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.1], "min-precision:0.9")
    assert chosen.value < 0.5
    assert not chosen.met


@pytest.mark.parametrize(
    "text", ["f1", "best-f1:1", "min-recall", "min-precision:90", "min-recall:x"]
)
def test_an_unknown_criterion_ends_in_one_clear_error(text):
    with pytest.raises(SettingsError, match=r"give best-f1, or min-precision:LEVEL"):
        Criterion.parse(text)


def test_a_criterion_prints_as_it_is_written():
    assert str(Criterion.parse("min-precision:0.90")) == "min-precision:0.9"


def in_two_languages(seed):
    """The same comments twice; in German the model's logits are too low by 3."""
    odds, targets = comments(6_000, seed)
    german = np.arange(len(odds)) % 2 == 1
    return odds - 3 * german[:, None], targets, np.where(german, "de", "en").tolist()


def test_each_language_is_calibrated_to_its_own_rows():
    logits, targets, languages = in_two_languages(seed=7)
    shares = dict(zip(LABELS, targets.mean(axis=0), strict=True))
    fitted = fit_decision(logits, targets, LABELS, "sigmoid", BEST_F1, shares, None, languages)
    german, english = (fitted.decision.languages[name]["rude"] for name in ("de", "en"))
    assert german.intercept == pytest.approx(3, abs=0.5)
    assert english.intercept == pytest.approx(0, abs=0.5)
    together = fit_decision(logits, targets, LABELS, "sigmoid", BEST_F1, shares)
    assert fitted.decision.labels == together.decision.labels
    assert fitted.report.means["f1"] > together.report.means["f1"] + 0.03
    assert fitted.report.labels["rude"].calibration_error < 0.02


def test_a_label_with_few_rows_in_a_language_keeps_the_general_calibration():
    logits, targets, languages = in_two_languages(seed=8)
    rare = np.flatnonzero((np.array(languages) == "de") & (targets[:, 1] == 1))
    targets[rare[ENOUGH - 1 :], 1] = np.nan
    decision = fit_decision(
        logits, targets, LABELS, "sigmoid", BEST_F1, None, None, languages
    ).decision
    assert list(decision.languages["de"]) == ["rude"]
    assert list(decision.languages["en"]) == LABELS


def test_all_languages_are_calibrated_to_one_prevalence():
    """German rows were picked: half of them are rude, of which the scores must not speak."""
    logits, targets, languages = in_two_languages(seed=9)
    german = np.array(languages) == "de"
    kept = ~german | (targets[:, 0] == 1) | (np.arange(len(german)) % 10 == 1)
    shares = dict(zip(LABELS, targets.mean(axis=0), strict=True))
    names = [name for name, is_kept in zip(languages, kept, strict=True) if is_kept]
    fitted = fit_decision(
        logits[kept], targets[kept], LABELS, "sigmoid", BEST_F1, shares, None, names
    )
    scores = fitted.decision.apply(logits, languages)
    assert scores[german, 0].mean() == pytest.approx(shares["rude"], rel=0.1)
