"""The table by language: metrics.json, terminal and card."""

import numpy as np
import pytest

from finetune.measure.languages import LanguagesReport, measure_languages

LANGUAGES = ["de", "de", "de", "de", "pl", "pl"]
TARGETS = [1, 1, 0, 0, 0, np.nan]
SCORES = [0.9, 0.2, 0.6, 0.1, 0.3, 0.9]
FLAGS = np.array([True, False, True, False, False, True])


@pytest.fixture
def report() -> LanguagesReport:
    neutral = {"de": np.array([False, True, False, False]), "sv": np.zeros(5, dtype=bool)}
    return measure_languages(
        "toxic", LANGUAGES, TARGETS, SCORES, FLAGS, np.ones(6), ["de"], neutral
    )


def test_each_language_is_measured_on_its_own_rows(report):
    german = report.languages["de"]
    assert (german.rows, german.positives, german.roc_auc, german.f1) == (4, 2, 0.75, 0.5)
    assert german.neutral.flagged == 0.25


def test_what_the_rows_cannot_give_is_missing(report):
    polish, swedish = report.languages["pl"], report.languages["sv"]
    assert (polish.rows, polish.roc_auc, polish.neutral) == (1, None, None)
    assert (swedish.rows, swedish.calibration_error, swedish.neutral.rows) == (0, None, 5)


def test_a_language_without_toxic_training_rows_is_marked(report):
    written = report.table().markdown()
    assert "| de | 4 | 2 | 0.7500 |" in written
    assert "| pl * | 1 | 0 | – |" in written
    assert written.endswith("it comes from other languages.")


def test_weights_count(report):
    weights = np.array([1, 0, 1, 1, 1, 1])
    weighted = measure_languages("toxic", LANGUAGES, TARGETS, SCORES, FLAGS, weights)
    assert weighted.languages["de"].roc_auc == 1.0
