"""Error rates and rankings by identity term, on rows few enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from finetune.audit.identity import AT_LEAST, kind_table, measure_identity

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


def test_a_term_with_too_few_bad_rows_has_no_false_negative_rate_and_no_auc():
    bad = BAD[: 20 - AT_LEAST + 1].copy()
    report = identity(np.linspace(0, 1, len(bad)), bad)
    term = by_term(report)["B"]
    assert term.positives < AT_LEAST
    assert term.false_negative_rate is None
    assert term.subgroup_auc is None
    assert term.false_positive_rate is not None


def test_rows_without_a_term_are_the_background_and_get_their_own_rates():
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


def test_each_kind_of_sentence_is_counted_as_harmless_or_bad():
    kinds = ["insult" if bad else "praise" for bad in BAD]
    kinds[0] = "insult"  # not bad
    report = identity(np.where(np.arange(20) % 5 == 0, 0.9, 0.1), kinds=kinds)
    found = {(kind.kind, kind.bad): (kind.rows, kind.flagged) for kind in report.kinds}
    assert found == {
        ("insult", False): (1, 1.0),
        ("insult", True): (10, 0.2),
        ("praise", False): (9, pytest.approx(1 / 9)),
    }


def test_a_score_at_the_threshold_is_flagged():
    scores = np.full(20, 0.7, dtype=np.float32)  # which is below 0.7 in float64
    report = measure_identity("rows", "toxic", BAD, scores, 0.7, {"A": ABOUT_A})
    assert by_term(report)["A"].false_positive_rate == 1


def test_terms_are_ordered_by_their_false_positive_rate_and_then_by_their_bpsn_auc():
    scores = BAD * 0.4 + np.where(ABOUT_A & (BAD == 0), 0.3, 0)
    assert [term.term for term in identity(scores).worst_first()] == ["A", "B"]
    scores = np.where(BAD == 1, 0.6, 0.1) + np.where(ABOUT_A & (BAD == 0), 0.45, 0)
    assert [term.term for term in identity(scores).worst_first()] == ["A", "B"]


def test_the_table_of_kinds_has_a_column_for_each_label():
    kinds = ["insult" if bad else "praise" for bad in BAD]
    toxic = identity(BAD * 0.9, kinds=kinds)
    hate = replace(toxic, label="hate")
    assert kind_table([toxic, hate]).cells() == [
        ["praise", "no", "0.0 %", "0.0 %"],
        ["insult", "yes", "100.0 %", "100.0 %"],
    ]
