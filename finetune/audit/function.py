"""Which kinds of hate are understood, and which harmless sentences are taken for it? HateCheck.

HateCheck (Röttger et al. 2021, arXiv:2012.15606) has short cases by functionality: threats, slurs,
negated hate, counter-speech that quotes it, misspelt hate, … The figure is the share judged right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from finetune.report import plain

from .operating_points import THRESHOLDS
from .ranking import roc_auc
from .tables import as_text, frame_of, shown


@dataclass(frozen=True)
class GroupFigures:
    """One functionality, or one group of people that cases are about: share judged right."""

    name: str
    hateful: bool | None
    rows: int
    accuracy: float


@dataclass(frozen=True)
class FunctionReport:
    """HateCheck, judged by one label at its threshold.

    best_accuracy, best_threshold: what another threshold would give, chosen on these very cases.
    accuracy_at: threshold → accuracy.
    """

    source: str
    label: str
    threshold: float
    rows: int
    accuracy: float
    accuracy_hateful: float | None
    accuracy_not_hateful: float | None
    roc_auc: float | None
    best_accuracy: float
    best_threshold: float
    accuracy_at: dict[str, float]
    functionalities: list[GroupFigures]
    targets: list[GroupFigures]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() gave."""
        groups = {
            name: [GroupFigures(**group) for group in record[name]]
            for name in ("functionalities", "targets")
        }
        return cls(**{**record, **groups})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def frame(self) -> pd.DataFrame:
        """One line a functionality, in the order of the file."""
        return frame_of(self.functionalities, GroupFigures).rename(
            columns={"name": "functionality"}
        )

    def table(self) -> str:
        """All functionalities, groups, and the whole."""
        targets = frame_of(self.targets, GroupFigures).rename(columns={"name": "target"})
        return "\n".join(
            [
                f"{self.source}: {self.rows:,} cases, {self.label} at {self.threshold:.3f}",
                f"accuracy {shown(self.accuracy)} (hateful {shown(self.accuracy_hateful)}, "
                f"not hateful {shown(self.accuracy_not_hateful)}), ROC-AUC {shown(self.roc_auc)}; "
                f"best {shown(self.best_accuracy)} at {self.best_threshold:.3g}",
                as_text(self.frame()),
                as_text(targets.drop(columns="hateful")),
            ]
        )


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
        accuracy_at={
            f"{limit:g}": float(((values >= np.float32(limit)) == truth).mean())
            for limit in THRESHOLDS
        },
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
