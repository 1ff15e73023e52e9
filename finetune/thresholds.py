"""The score at which a comment is flagged, chosen by a stated criterion."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.decision import midway
from comment_toxicity.errors import SettingsError

Floats = NDArray[np.float64]
F1_PLATEAU = 0.01


@dataclass(frozen=True)
class Criterion:
    """How a threshold is chosen: best-f1, or min-precision or min-recall with a level."""

    name: str
    level: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read best-f1, min-precision:0.9 or min-recall:0.9; SettingsError for anything else."""
        name, _, level = text.partition(":")
        if text == "best-f1":
            return cls(text)
        if name in ("min-precision", "min-recall"):
            try:
                number = float(level)
            except ValueError:
                number = np.nan
            if 0 < number <= 1:
                return cls(name, number)
        raise SettingsError(
            f"criterion is {text!r}; give best-f1, or min-precision:LEVEL or min-recall:LEVEL "
            "with a level above 0 and up to 1."
        )

    def __str__(self) -> str:
        return self.name if self.level is None else f"{self.name}:{self.level:g}"


@dataclass(frozen=True)
class Threshold:
    """A threshold, with its precision and recall on the rows that it was chosen on.

    met is False where no threshold reaches the precision asked for; then this is the nearest one.
    """

    value: float
    precision: float
    recall: float
    met: bool


def choose_threshold(
    targets: Floats, scores: Floats, weights: Floats, criterion: Criterion
) -> Threshold:
    """Choose one label's threshold.

    targets: (rows,), 0 or 1, at least one 1.  scores: (rows,), calibrated.  weights: (rows,),
    above 0. A threshold is halfway between two neighbouring scores, so that rounding moves no row
    across it.

    min-precision takes the highest recall at that precision, min-recall the highest precision at
    that recall. best-f1 does not take the very best threshold: with few positives that is chance.
    It takes the middle of all those whose F1 is within F1_PLATEAU of the best.
    """
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last_of_ties = np.append(descending[1:] != descending[:-1], True)
    hits = np.cumsum((weights * targets)[order])[last_of_ties]
    flagged = np.cumsum(weights[order])[last_of_ties]
    distinct = descending[last_of_ties]
    candidates = midway(np.append(distinct[1:], 0.0), distinct)
    precisions, recalls = hits / flagged, hits / hits[-1]

    met = True
    if criterion.name == "best-f1":
        f1 = 2 * hits / (flagged + hits[-1])
        good = np.flatnonzero(f1 >= f1.max() - F1_PLATEAU)
        chosen = int(good[np.argmin(np.abs(candidates[good] - np.median(candidates[good])))])
    else:
        held, sought = precisions, recalls
        if criterion.name == "min-recall":
            held, sought = recalls, precisions
        enough = held >= (criterion.level or 0.0) - 1e-9  # sums of weights are not exact
        met = bool(enough.any())
        chosen = int(np.lexsort((held, sought, np.where(enough, np.inf, held)))[-1])
    return Threshold(
        float(candidates[chosen]), float(precisions[chosen]), float(recalls[chosen]), met
    )
