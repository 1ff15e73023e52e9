"""How the model ranks the comments of other places, labelled by other people.

Only ranking is compared (ROC-AUC, average precision): what counts as toxic differs from place to
place, and so would any threshold.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from .ranking import roc_auc
from .reports import TransferFigures

AT_LEAST = 10  # rows with a label, and without; below, its figures would be chance


def measure_transfer(
    source: str,
    labels: Sequence[str],
    targets: Mapping[str, ArrayLike],
    scores: ArrayLike,
    weights: ArrayLike | None = None,
) -> list[TransferFigures]:
    """Measure the ranking of each label that the source knows.

    labels: the model's, in the order of the scores.  scores: (rows, labels); NaN rows left out.
    targets: label → (rows,), 0, 1 or NaN; labels that the model lacks are left out.
    """
    from sklearn.metrics import average_precision_score

    values = np.asarray(scores, dtype=float)
    row_weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    figures = []
    for label in (name for name in targets if name in labels):
        truth, column = np.asarray(targets[label], dtype=float), values[:, labels.index(label)]
        known = ~np.isnan(truth) & ~np.isnan(column)
        truth, column, used = truth[known], column[known], row_weights[known]
        enough = min(truth.sum(), len(truth) - truth.sum()) >= AT_LEAST
        figures.append(
            TransferFigures(
                source=source,
                label=label,
                rows=len(truth),
                positives=int(truth.sum()),
                roc_auc=roc_auc(truth, column, used) if enough else None,
                average_precision=float(average_precision_score(truth, column, sample_weight=used))
                if enough
                else None,
            )
        )
    return figures
