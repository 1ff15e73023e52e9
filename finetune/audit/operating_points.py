"""What each threshold gives, and whether the probabilities say what they mean.

For each label: precision, recall, F1 and the share of all rows flagged at several thresholds and at
the model's own; and reliability with its calibration error, as finetune/evaluate.py has them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from .reports import LabelPoints, OperatingPoint, OperatingReport

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def measure_operating_points(
    source: str,
    labels: Sequence[str],
    targets: ArrayLike,
    probabilities: ArrayLike,
    thresholds: Mapping[str, float],
    weights: ArrayLike | None = None,
) -> OperatingReport:
    """Measure each label at THRESHOLDS and at its own.

    targets: (rows, labels), 0, 1 or NaN.  probabilities: (rows, labels); NaN rows are left out.
    thresholds: by label.  weights: (rows,), how much a row counts.
    """
    from finetune.evaluate import evaluate_labels

    def figures(limits: Mapping[str, float]) -> dict:
        # A score in float32 is compared with a threshold in float32, as Classifier.flags does.
        exact = {label: float(np.float32(limit)) for label, limit in limits.items()}
        return evaluate_labels(targets, probabilities, labels, exact, weights).labels

    own = figures(thresholds)
    at = {limit: figures(dict.fromkeys(labels, limit)) for limit in THRESHOLDS}
    found = {}
    for label in labels:
        points = {limit: by_label[label] for limit, by_label in at.items()}
        points[thresholds[label]] = own[label]
        found[label] = LabelPoints(
            roc_auc=own[label].roc_auc,
            average_precision=own[label].average_precision,
            threshold=float(thresholds[label]),
            calibration_error=own[label].calibration_error,
            reliability=own[label].reliability,
            points=[_point(limit, points[limit]) for limit in sorted(points)],
        )
    rows = int((~np.isnan(np.asarray(probabilities, dtype=float)).any(axis=1)).sum())
    return OperatingReport(source, rows, weights is not None, found)


def _point(threshold: float, figures) -> OperatingPoint:
    cells = figures.confusion
    flagged = cells.true_positive + cells.false_positive
    total = flagged + cells.false_negative + cells.true_negative
    return OperatingPoint(
        threshold=float(threshold),
        flagged=flagged / total if total else 0.0,
        precision=cells.precision,
        recall=cells.recall,
        f1=cells.f1,
    )
