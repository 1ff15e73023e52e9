"""How the model ranks comments from other sites, labelled by other people.

Only the ranking is compared (ROC-AUC, average precision): what counts as toxic differs from site to
site, and so would any threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from finetune.audit.ranking import roc_auc
from finetune.measure.report import frame_of, mean, plain
from finetune.measure.tables import METRICS, Column, Table

AT_LEAST = 10  # rows with a label, and without; with fewer, its metrics would be chance


@dataclass(frozen=True)
class TransferMetrics:
    """One label on one set of comments."""

    source: str
    label: str
    rows: int
    positives: int
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class TransferReport:
    """How the model ranks comments from other sites than its main training rows."""

    figures: list[TransferMetrics]  # its name in audit.json

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() returned."""
        return cls([TransferMetrics(**metrics) for metrics in record["figures"]])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    @property
    def sources(self) -> list[str]:
        """The sets of comments, each once."""
        return list(dict.fromkeys(metrics.source for metrics in self.figures))

    def mean_roc_auc(self, source: str) -> float | None:
        """Mean over the labels of one source."""
        return mean(metrics.roc_auc for metrics in self.figures if metrics.source == source)

    def frame(self) -> pd.DataFrame:
        """A row for each source and label."""
        return frame_of(self.figures, TransferMetrics)

    def table(self) -> str:
        """The report as text for the terminal."""
        return self.label_table().text()

    def label_table(self) -> Table:
        """One row per source and label."""
        names = ("rows", "positives", "roc_auc", "average_precision")
        return Table(
            columns=[Column("comments"), Column("label"), *(METRICS[name] for name in names)],
            rows=[
                (metrics.source, metrics.label, *(getattr(metrics, name) for name in names))
                for metrics in self.figures
            ],
        )


def measure_transfer(
    source: str,
    labels: Sequence[str],
    targets: Mapping[str, ArrayLike],
    scores: ArrayLike,
    weights: ArrayLike | None = None,
) -> list[TransferMetrics]:
    """Measure the ranking of each label that the source has.

    labels: the model's, in the order of the scores.  scores: (rows, labels); NaN rows left out.
    targets: label → (rows,), 0, 1 or NaN; labels that the model lacks are left out.
    """
    from sklearn.metrics import average_precision_score

    values = np.asarray(scores, dtype=float)
    row_weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    measured = []
    for label in (name for name in targets if name in labels):
        truth, column = np.asarray(targets[label], dtype=float), values[:, labels.index(label)]
        known = ~np.isnan(truth) & ~np.isnan(column)
        truth, column, used = truth[known], column[known], row_weights[known]
        enough = min(truth.sum(), len(truth) - truth.sum()) >= AT_LEAST
        measured.append(
            TransferMetrics(
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
    return measured
