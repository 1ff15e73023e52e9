"""Whether scores hold when words are disguised: misspelt, spaced out, in leetspeak, and so on.

The disguises are those of data/noise.py, which training can use as well. So two more are held out:
they show how the model copes with disguises that it has never seen.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from comment_toxicity.decision import reaches
from finetune.audit.ranking import roc_auc
from finetune.data.noise import KINDS, SHARE, Noise, in_some_words
from finetune.measure.report import frame_of, mean, plain, ratio
from finetune.measure.tables import METRICS, Column, Table, decimals

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KindRobustness:
    """One way of disguising words. Means over the labels, weighted over the rows.

    held_out: whether training can never use it, see the top of this file.
    roc_auc_lost: mean ROC-AUC on clean text minus the one here.  worst_label: which lost most.
    rows_flipped: share of rows where any flag differs from that on clean text.
    flags_lost: of the flags on clean text, the share gone.  flags_gained: of the other cells, the
    share flagged now.
    """

    kind: str
    held_out: bool
    roc_auc: float | None
    roc_auc_lost: float | None
    worst_label: str | None
    worst_label_lost: float | None
    rows_flipped: float
    flags_lost: float | None
    flags_gained: float | None


@dataclass(frozen=True)
class RobustnessReport:
    """The same rows with their words disguised.

    drawn_from: number of rows of the source.  mean_roc_auc_lost: over the kinds not held out.
    """

    source: str
    rows: int
    drawn_from: int
    roc_auc: float | None
    mean_roc_auc_lost: float | None
    held_out_roc_auc_lost: float | None
    kinds: list[KindRobustness]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() returned."""
        return cls(**{**record, "kinds": [KindRobustness(**kind) for kind in record["kinds"]]})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    def frame(self) -> pd.DataFrame:
        """A row for each kind of disguise."""
        return frame_of(self.kinds, KindRobustness)

    def table(self) -> str:
        """The report as text for the terminal."""
        drawn = "" if self.rows == self.drawn_from else f" of {self.drawn_from:,}"
        return (
            f"{self.source}: {self.rows:,}{drawn} rows, mean ROC-AUC on clean text "
            f"{decimals(self.roc_auc)}; lost on average {decimals(self.mean_roc_auc_lost)}, in "
            f"kinds held out from training {decimals(self.held_out_roc_auc_lost)}\n"
            f"{self.kind_table().text()}"
        )

    def kind_table(self) -> Table:
        """One row per way of disguising words."""
        names = ("roc_auc", "roc_auc_lost", "rows_flipped", "flags_lost", "flags_gained")
        return Table(
            columns=[
                Column("disguise"),
                Column("label that loses most"),
                *(METRICS[name] for name in names),
            ],
            rows=[
                (
                    kind.kind.replace("_", " ") + " (held out)" * kind.held_out,
                    kind.worst_label,
                    *(getattr(kind, name) for name in names),
                )
                for kind in self.kinds
            ],
        )


def glued_words(text: str, generator: np.random.Generator) -> str:
    """Leave out about a quarter of the spaces, and at least one."""
    words = text.split(" ")
    if len(words) < 2:
        return text
    joined = generator.random(len(words) - 1) < SHARE
    joined[generator.integers(len(joined))] = True
    ends = ["" if gone else " " for gone in joined]
    return "".join(word + end for word, end in zip(words, [*ends, ""], strict=True))


@in_some_words
def dropped_vowels(word: str, generator: np.random.Generator) -> str:
    """Leave out a word's inner vowels."""
    return word[0] + re.sub("[aeiou]", "", word[1:-1]) + word[-1]


HELD_OUT: dict[str, Noise] = {"glued_words": glued_words, "dropped_vowels": dropped_vowels}
DISGUISES = KINDS | HELD_OUT


def disguise(texts: Sequence[str], kind: str, seed: int) -> list[str]:
    """Disguise some words of each text; kind and seed determine the result."""
    generator = np.random.default_rng([seed, *kind.encode()])
    return [DISGUISES[kind](text, generator) for text in texts]


def draw_rows(
    targets: ArrayLike, weights: ArrayLike, size: int, seed: int
) -> tuple[NDArray[np.int64], Floats]:
    """Draw rows so that rare labels keep enough of theirs; return their positions and new weights.

    targets: (rows, labels), 0, 1 or NaN.  weights: (rows,). A row belongs to its rarest label, or
    to none. From each of these groups, a number of rows proportional to the square root of its
    size is drawn, and these carry the weight of those that were not. All rows, if there are no
    more than `size`.
    """
    truth, row_weights = np.asarray(targets, dtype=float) == 1, np.asarray(weights, dtype=float)
    if len(truth) <= size:
        return np.arange(len(truth)), row_weights
    group = np.full(len(truth), truth.shape[1])
    for label in np.argsort(-truth.sum(axis=0), kind="stable"):  # the rarest last: it wins
        group[truth[:, label]] = label
    generator = np.random.default_rng(seed)
    counts = {int(number): int((group == number).sum()) for number in np.unique(group)}
    roots = {number: np.sqrt(count) for number, count in counts.items()}
    drawn, scale, left = [], np.zeros(len(truth)), size
    # The smallest first: what a small group cannot fill goes to larger ones.
    for number in sorted(counts, key=counts.__getitem__):
        share = roots.pop(number) / (sum(roots.values()) + np.sqrt(counts[number]))
        take = min(counts[number], max(1, round(left * share)))
        rows = generator.choice(np.flatnonzero(group == number), take, replace=False)
        scale[rows] = row_weights[group == number].sum() / max(row_weights[rows].sum(), 1e-12)
        drawn.append(rows)
        left -= take
    positions = np.sort(np.concatenate(drawn))
    return positions, row_weights[positions] * scale[positions]


def measure_robustness(
    source: str,
    labels: Sequence[str],
    targets: ArrayLike,
    clean: ArrayLike,
    disguised: Mapping[str, ArrayLike],
    thresholds: Mapping[str, float],
    weights: ArrayLike | None = None,
    drawn_from: int | None = None,
) -> RobustnessReport:
    """Compare the scores of disguised texts with those of the same texts undisguised.

    targets: (rows, labels), 0, 1 or NaN.  clean: (rows, labels), without NaN.
    disguised: kind → (rows, labels).  weights: (rows,), how much a row counts.
    """
    truth, scores = np.asarray(targets, dtype=float), np.asarray(clean, dtype=float)
    row_weights = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=float)
    limits = [thresholds[label] for label in labels]
    before = _aucs(truth, scores, row_weights)
    kinds = []
    for kind, values in disguised.items():
        noisy = np.asarray(values, dtype=float)
        after = _aucs(truth, noisy, row_weights)
        lost = {
            label: old - new
            for label, old, new in zip(labels, before, after, strict=True)
            if old is not None and new is not None
        }
        worst = max(lost, key=lost.__getitem__, default=None)
        flags, flags_now = reaches(scores, limits), reaches(noisy, limits)
        cells = np.broadcast_to(row_weights[:, None], flags.shape)
        kinds.append(
            KindRobustness(
                kind=kind,
                held_out=kind in HELD_OUT,
                roc_auc=mean(after),
                roc_auc_lost=mean(list(lost.values())),
                worst_label=worst,
                worst_label_lost=None if worst is None else lost[worst],
                rows_flipped=float(
                    np.average((flags != flags_now).any(axis=1), weights=row_weights)
                ),
                flags_lost=ratio(cells[flags & ~flags_now].sum(), cells[flags].sum()),
                flags_gained=ratio(cells[~flags & flags_now].sum(), cells[~flags].sum()),
            )
        )
    return RobustnessReport(
        source=source,
        rows=len(scores),
        drawn_from=drawn_from or len(scores),
        roc_auc=mean(before),
        mean_roc_auc_lost=mean([kind.roc_auc_lost for kind in kinds if not kind.held_out]),
        held_out_roc_auc_lost=mean([kind.roc_auc_lost for kind in kinds if kind.held_out]),
        kinds=kinds,
    )


def _aucs(truth: Floats, scores: Floats, weights: Floats) -> list[float | None]:
    values = []
    for column in range(truth.shape[1]):
        known = ~np.isnan(truth[:, column])
        values.append(roc_auc(truth[known, column], scores[known, column], weights[known]))
    return values
