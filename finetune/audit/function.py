"""Which kinds of hate are understood, and which harmless sentences are taken for it? HateCheck.

HateCheck (Röttger et al. 2021, arXiv:2012.15606) has short cases by functionality: threats, slurs,
negated hate, counter-speech that quotes it, misspelt hate, … The figure is the share judged right.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ranking import roc_auc
from .reports import FunctionReport, GroupFigures


def measure_function(
    source: str,
    label: str,
    functionalities: Sequence[str],
    hateful: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    targets: Sequence[str] | None = None,
) -> FunctionReport:
    """Judge cases by one label.

    functionalities, targets: (cases,), names; a target is the group that a case is about.
    hateful: (cases,), 0 or 1.  scores: (cases,), without NaN.
    """
    truth, values = np.asarray(hateful, dtype=bool), np.asarray(scores, dtype=float)
    right = (values >= np.float32(threshold)) == truth
    best_accuracy, best_threshold = _best(truth, values)
    return FunctionReport(
        source=source,
        label=label,
        threshold=float(threshold),
        rows=len(truth),
        accuracy=float(right.mean()),
        accuracy_hateful=float(right[truth].mean()) if truth.any() else None,
        accuracy_not_hateful=float(right[~truth].mean()) if not truth.all() else None,
        roc_auc=roc_auc(truth, values),
        best_accuracy=best_accuracy,
        best_threshold=best_threshold,
        functionalities=_groups(functionalities, truth, right),
        targets=_groups(targets, truth, right) if targets is not None else [],
    )


def _groups(
    names: Sequence[str], truth: NDArray[np.bool_], right: NDArray[np.bool_]
) -> list[GroupFigures]:
    table = np.asarray(names)
    groups = []
    for name in dict.fromkeys(table.tolist()):
        rows = table == name
        same = truth[rows].all() or not truth[rows].any()
        hateful = bool(truth[rows][0]) if same else None
        groups.append(GroupFigures(name, hateful, int(rows.sum()), float(right[rows].mean())))
    return groups


def _best(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, float]:
    """Find the highest accuracy that any threshold gives on these cases, and where."""
    order = np.argsort(-scores, kind="stable")
    descending, hits = scores[order], np.cumsum(np.where(truth[order], 1, -1))
    last_of_ties = np.append(descending[1:] != descending[:-1], True)
    right = np.append(0, hits[last_of_ties]) + (~truth).sum()
    places = np.append(np.inf, descending[last_of_ties])
    best = int(np.argmax(right))
    return float(right[best] / len(truth)), float(min(places[best], 1.0))
