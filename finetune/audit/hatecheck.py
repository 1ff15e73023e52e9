"""Which kinds of what a label means are understood, and what harmless is taken for it.

HateCheck (Röttger et al. 2021, arXiv:2012.15606) has short cases of hate by functionality: threats,
slurs, negated hate, counter-speech that quotes it, misspelt hate, … data/threats.csv has threats by
kind, and harmless sentences in their words. The figure is the share judged right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from comment_toxicity.decision import reaches
from finetune.audit.operating_points import THRESHOLDS
from finetune.audit.ranking import roc_auc
from finetune.audit.tables import as_text, frame_of, shown
from finetune.measure.report import plain


@dataclass(frozen=True)
class GroupFigures:
    """One functionality, or one group of people that cases are about: share judged right.

    bad: whether its cases are what the label means; None where some are.
    """

    name: str
    bad: bool | None
    rows: int
    accuracy: float


@dataclass(frozen=True)
class FunctionReport:
    """Cases judged by one label at its threshold.

    bad: what those that should be flagged are called, as “hateful”.
    best_accuracy, best_threshold: what another threshold would give, chosen on these very cases.
    accuracy_at: threshold → accuracy.
    """

    source: str
    label: str
    bad: str
    threshold: float
    rows: int
    accuracy: float
    accuracy_bad: float | None
    accuracy_harmless: float | None
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
            columns={"name": "functionality", "bad": self.bad}
        )

    def table(self) -> str:
        """All functionalities, groups, and the whole."""
        lines = [
            f"{self.source}: {self.rows:,} cases, {self.label} at {self.threshold:.3f}",
            f"accuracy {shown(self.accuracy)} ({self.halves()}), ROC-AUC {shown(self.roc_auc)}; "
            f"best {shown(self.best_accuracy)} at {self.best_threshold:.3g}",
            as_text(self.frame()),
        ]
        if self.targets:
            targets = frame_of(self.targets, GroupFigures).rename(columns={"name": "target"})
            lines.append(as_text(targets.drop(columns="bad")))
        return "\n".join(lines)

    def halves(self) -> str:
        """Say how the bad cases and the others are judged, each by itself."""
        return f"{self.bad} {shown(self.accuracy_bad)}, others {shown(self.accuracy_harmless)}"


def measure_function(
    source: str,
    label: str,
    functionalities: Sequence[str],
    truth: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    targets: Sequence[str] | None = None,
    bad: str = "hateful",
) -> FunctionReport:
    """Judge cases by one label.

    functionalities, targets: (cases,), names; a target is the group that a case is about.
    truth: (cases,), 1 for what the label means, else 0.  scores: (cases,), without NaN.
    bad: what the cases of 1 are called.
    """
    should, values = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=float)
    right = reaches(values, threshold) == should
    best_accuracy, best_threshold = _best(should, values)
    return FunctionReport(
        source=source,
        label=label,
        bad=bad,
        threshold=float(threshold),
        rows=len(should),
        accuracy=float(right.mean()),
        accuracy_bad=float(right[should].mean()) if should.any() else None,
        accuracy_harmless=float(right[~should].mean()) if not should.all() else None,
        roc_auc=roc_auc(should, values),
        best_accuracy=best_accuracy,
        best_threshold=best_threshold,
        accuracy_at={
            f"{limit:g}": float((reaches(values, limit) == should).mean()) for limit in THRESHOLDS
        },
        functionalities=_groups(functionalities, should, right),
        targets=_groups(targets, should, right) if targets is not None else [],
    )


def _groups(
    names: Sequence[str], truth: NDArray[np.bool_], right: NDArray[np.bool_]
) -> list[GroupFigures]:
    table = np.asarray(names)
    groups = []
    for name in dict.fromkeys(table.tolist()):
        rows = table == name
        same = truth[rows].all() or not truth[rows].any()
        bad = bool(truth[rows][0]) if same else None
        groups.append(GroupFigures(name, bad, int(rows.sum()), float(right[rows].mean())))
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
