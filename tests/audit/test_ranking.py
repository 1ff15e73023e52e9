"""ROC-AUC and the generalized mean."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from finetune.audit.ranking import power_mean, roc_auc


def test_the_power_mean_is_near_the_lowest():
    assert power_mean([0.5, 1.0, 1.0]) == pytest.approx(((0.5**-5 + 2) / 3) ** (-1 / 5))
    assert power_mean([0.8]) == pytest.approx(0.8)
    assert power_mean([0.0, 1.0]) == 0
    assert power_mean([]) is None


def test_roc_auc_equals_that_of_scikit_learn_with_weights_and_ties():
    generator = np.random.default_rng(7)
    truth, scores = generator.integers(0, 2, 300), generator.integers(0, 20, 300) / 20
    weights = generator.random(300)
    assert roc_auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores))
    weighted = roc_auc_score(truth, scores, sample_weight=weights)
    assert roc_auc(truth, scores, weights) == pytest.approx(weighted)


def test_roc_auc_of_one_class_is_none():
    assert roc_auc([1, 1], [0.2, 0.3]) is None
    assert roc_auc([0, 1], [0.2, 0.3], [1, 2]) == 1
