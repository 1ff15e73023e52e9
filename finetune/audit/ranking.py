"""ROC-AUC that is None where there is nothing to rank, and the generalized mean of several."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

POWER = -5.0


def roc_auc(
    truth: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None, at_least: int = 1
) -> float | None:
    """Return the share of pairs of a positive and a negative row that the scores order correctly.

    truth: (rows,), 0 or 1.  scores: (rows,).  weights: (rows,), 0 or more.
    None with fewer than `at_least` positives or negatives.
    """
    # Not scikit-learn's, whose checks take longer: identity.py has hundreds of small subsets.
    positive = np.asarray(truth, dtype=bool)
    if min(positive.sum(), (~positive).sum()) < at_least:
        return None
    counts = np.ones(len(positive)) if weights is None else np.asarray(weights, dtype=float)
    ranks = np.unique(np.asarray(scores, dtype=float), return_inverse=True)[1]
    of_positives = np.bincount(ranks, counts * positive)
    of_negatives = np.bincount(ranks, counts * ~positive, minlength=len(of_positives))
    pairs = of_positives.sum() * of_negatives.sum()
    lower = np.cumsum(of_negatives) - of_negatives / 2  # an equal score counts half
    return float(of_positives @ lower / pairs) if pairs > 0 else None


def power_mean(values: Sequence[float], power: float = POWER) -> float | None:
    """Return (mean of value^p)^(1/p), which for p = -5 is near the lowest (Borkan et al. 2019)."""
    if not values:
        return None
    if min(values) <= 0:
        return 0.0  # the limit for p < 0
    return float(np.mean(np.power(values, power)) ** (1 / power))
