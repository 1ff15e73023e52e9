"""Ranking of comments from other sites."""

import numpy as np
import pytest

from finetune.audit.transfer import measure_transfer

LABELS = ["toxic", "threat"]
TARGETS = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1]])
SCORES = np.array([[0.85, 0.1], [0.35, 0.9], [0.45, 0.2], [0.05, 0.65]])


def test_only_labels_of_both_model_and_file_are_measured():
    targets, scores = np.tile(TARGETS, (5, 1)), np.tile(SCORES, (5, 1))
    known = {"toxic": targets[:, 0], "spam": targets[:, 0], "threat": targets[:, 1]}
    toxic, threat = measure_transfer("there", LABELS, known, scores)
    assert (toxic.label, toxic.rows, toxic.positives) == ("toxic", 20, 10)
    assert toxic.roc_auc == pytest.approx(3 / 4)
    assert (threat.label, threat.rows, threat.positives) == ("threat", 15, 5)
    assert (threat.roc_auc, threat.average_precision) == (None, None)  # five rows are chance
