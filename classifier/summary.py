"""One comment's scores, put in order and into words: what a page or a terminal shows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from classifier import Classifier

COUNT_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass(frozen=True)
class LabelScore:
    """One label's calibrated probability, and whether it is flagged.

    threshold is None where the labels exclude each other; there the likeliest one is flagged.
    """

    label: str
    score: float
    threshold: float | None
    flagged: bool

    @property
    def name(self) -> str:
        """The label as words: "severe_toxic" → "severe toxic"."""
        return self.label.replace("_", " ")


def rank(classifier: "Classifier", scores: NDArray[np.floating]) -> list[LabelScore]:
    """Pair a comment's scores with their labels and thresholds, highest score first.

    scores: (labels,), a row of classifier.score() that is not blank. Equal scores keep the
    model's label order.
    """
    flagged = set(classifier.flags(scores))
    rows = [
        LabelScore(label, float(score), classifier.thresholds.get(label), label in flagged)
        for label, score in zip(classifier.labels, scores, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.score)


def sentence(ranked: Sequence[LabelScore]) -> str:
    """Say in one plain sentence what the scores amount to.

    ranked: what rank() returns. Labels without thresholds exclude each other; of them the
    sentence names the likeliest.
    """
    flagged = [row.name for row in ranked if row.flagged]
    others = len(ranked) - len(flagged)
    if not flagged:
        return "No label reaches its threshold."
    named = " and ".join(filter(None, [", ".join(flagged[:-1]), flagged[-1]]))
    if any(row.threshold is None for row in ranked):
        return f"Most likely {named}."
    if others == 0:
        return f"Likely {named}."
    if others == 1:
        return f"Likely {named}; the other label is below its threshold."
    number = COUNT_WORDS[others] if others < len(COUNT_WORDS) else others
    return f"Likely {named}; the other {number} are below their thresholds."


def percent(share: float) -> str:
    """Write a probability in whole per cent, without claiming that anything is certain."""
    if share < 0.005:
        return "under 1 %"
    if share >= 0.995:
        return "over 99 %"
    return f"{100 * share:.0f} %"
