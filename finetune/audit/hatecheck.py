"""Which kinds of hate or threats a label recognises, and which harmless sentences it flags.

HateCheck (Röttger et al. 2021, arXiv:2012.15606) has short cases of hate by functionality: threats,
slurs, negated hate, counter-speech that quotes it, misspelt hate, … data/threats.csv has threats by
kind, and harmless sentences in their words. The metric is the share judged right.
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
from finetune.measure.report import frame_of, plain
from finetune.measure.tables import METRICS, Column, Table, count, decimals, percentage

CASES = Column("cases", count)


@dataclass(frozen=True)
class GroupMetrics:
    """The share judged right of one functionality, or of cases about one group of people.

    bad: whether its cases should be flagged; None where only some should.
    """

    name: str
    bad: bool | None
    rows: int
    accuracy: float


@dataclass(frozen=True)
class FunctionReport:
    """Cases judged by one label at its threshold.

    bad: what the cases that should be flagged are called, such as “hateful”.
    best_accuracy, best_threshold: of the best threshold, chosen on these very cases.
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
    functionalities: list[GroupMetrics]
    targets: list[GroupMetrics]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() returned."""
        groups = {
            name: [GroupMetrics(**group) for group in record[name]]
            for name in ("functionalities", "targets")
        }
        return cls(**{**record, **groups})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def frame(self) -> pd.DataFrame:
        """One line per functionality, in the order of the file."""
        return frame_of(self.functionalities, GroupMetrics).rename(
            columns={"name": "functionality", "bad": self.bad}
        )

    def table(self) -> str:
        """The report as text for the terminal."""
        lines = [
            f"{self.source}: {self.rows:,} cases, {self.label} at {decimals(self.threshold)}",
            f"judged right {percentage(self.accuracy)} ({self.by_class()}), "
            f"ROC-AUC {decimals(self.roc_auc)}; best {percentage(self.best_accuracy)} at "
            f"{decimals(self.best_threshold)}",
            self.functionality_table().text(),
        ]
        if self.targets:
            lines.append(self.target_table().text())
        return "\n".join(lines)

    def functionality_table(self) -> Table:
        """One row per functionality, the weakest first."""
        columns = [Column("functionality"), Column(self.bad), CASES, METRICS["right"]]
        weakest_first = sorted(self.functionalities, key=lambda group: group.accuracy)
        rows = [(group.name, group.bad, group.rows, group.accuracy) for group in weakest_first]
        return Table(columns=columns, rows=rows)

    def target_table(self) -> Table:
        """One row per group of people targeted."""
        columns = [Column("target"), CASES, METRICS["right"]]
        rows = [(group.name, group.rows, group.accuracy) for group in self.targets]
        return Table(columns=columns, rows=rows)

    def by_class(self) -> str:
        """The share judged right of the bad cases and of the others, as text."""
        return (
            f"{self.bad} {percentage(self.accuracy_bad)}, "
            f"others {percentage(self.accuracy_harmless)}"
        )


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
    truth: (cases,), 1 for what should be flagged, else 0.  scores: (cases,), without NaN.
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
) -> list[GroupMetrics]:
    group_of = np.asarray(names)
    groups = []
    for name in dict.fromkeys(group_of.tolist()):
        rows = group_of == name
        same = truth[rows].all() or not truth[rows].any()
        bad = bool(truth[rows][0]) if same else None
        groups.append(GroupMetrics(name, bad, int(rows.sum()), float(right[rows].mean())))
    return groups


def _best(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the highest accuracy of any threshold on these cases, and that threshold."""
    order = np.argsort(-scores, kind="stable")
    descending, hits = scores[order], np.cumsum(np.where(truth[order], 1, -1))
    last_of_ties = np.append(descending[1:] != descending[:-1], True)
    right = np.append(0, hits[last_of_ties]) + (~truth).sum()
    thresholds = np.append(np.inf, descending[last_of_ties])
    best = int(np.argmax(right))
    return float(right[best] / len(truth)), float(min(thresholds[best], 1.0))
