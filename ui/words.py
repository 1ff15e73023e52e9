"""Scores, thresholds, times and sizes in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ui.catalog import label_name

if TYPE_CHECKING:
    from comment_toxicity.classifier import Classifier

BY_HAND = re.compile(r"(?:^|; )by hand: ")  # in the criterion of a decision.json from the page
COUNT_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass(frozen=True)
class LabelScore:
    """One label's calibrated probability, and whether it is flagged.

    label, name: as the model's files call it, and in words.
    threshold is None for a single-label model, of which the most likely label is flagged.
    """

    label: str
    name: str
    score: float
    threshold: float | None
    flagged: bool


def rank(
    classifier: "Classifier",
    scores: NDArray[np.floating],
    thresholds: Mapping[str, float] | None = None,
) -> list[LabelScore]:
    """Pair a comment's scores with their labels and thresholds, highest score first.

    scores: (labels,), a row of classifier.score() that is not blank. Equal scores keep the
    model's label order. thresholds: by label, in place of the model's own.
    """
    decision = classifier.decision
    limits = {} if decision.single_label else decision.thresholds | dict(thresholds or {})
    [flags] = decision.flags(scores[None], thresholds)
    rows = [
        LabelScore(
            label,
            label_name(label, classifier.name),
            float(score),
            limits.get(label),
            bool(flagged),
        )
        for label, score, flagged in zip(classifier.labels, scores, flags, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.score)


def most_telling(ranked: Sequence[LabelScore]) -> LabelScore:
    """The score that says most about a comment: the furthest above, or nearest to, its threshold.

    ranked: what rank() returns. Distance is relative to the threshold, as rare labels have low
    ones; without thresholds it is the highest score.
    """
    return max(ranked, key=lambda row: row.score / (row.threshold or 1.0))


def sentence(ranked: Sequence[LabelScore]) -> str:
    """The verdict in one plain sentence. ranked: what rank() returns."""
    flagged = [row.name for row in ranked if row.flagged]
    others = len(ranked) - len(flagged)
    if not flagged:
        return "No label reaches its threshold."
    named = " and ".join(filter(None, [", ".join(flagged[:-1]), flagged[-1]]))
    if any(row.threshold is None for row in ranked):
        return f"Most likely {named}."
    if others == 0:
        return f"Flagged as {named}."
    if others == 1:
        return f"Flagged as {named}; the other label is below its threshold."
    number = COUNT_WORDS[others] if others < len(COUNT_WORDS) else others
    return f"Flagged as {named}; the other {number} are below their thresholds."


def percent(share: float) -> str:
    """A probability in whole per cent, never as a certainty."""
    if share < 0.005:
        return "under 1 %"
    if share >= 0.995:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """A time in seconds, or in minutes and seconds."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size_of(path: Path) -> str:
    """The size of a file."""
    size = path.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1000))} kB"


def meaning(classifier: "Classifier") -> str:
    """What a score of this model means, and how its thresholds were chosen."""
    decision = classifier.decision
    if not classifier.calibrated:
        means = (
            "This model is not calibrated: its scores rank comments, but 80 % need not mean 80 of "
            "100 comments."
        )
        limits = "" if classifier.single_label else " Its thresholds are all 50 %."
    else:
        means = (
            "A score of 80 % means: of 100 comments scored like this one, about 80 would get the "
            "label from readers like those who labelled the data."
        )
        limits = f" {thresholds_in_words(decision.criterion, decision.rows)}"
        limits = "" if classifier.single_label else limits
    together = " A comment has one class, so the scores add up to 100 %."
    return means + limits + together * classifier.single_label


def thresholds_in_words(criterion: str | None, rows: int | None) -> str:
    """How thresholds were chosen. criterion: as decision.json has it."""
    criterion, *by_hand = BY_HAND.split(criterion or "")
    method, _, level = criterion.partition(":")
    by = {
        "best-f1": "balance false alarms and misses (best F1)",
        "min-precision": f"keep precision at {level} or more",
        "min-recall": f"keep recall at {level} or more",
    }.get(method, criterion)
    on = f" on {rows:,} comments" if rows else ""
    chosen = (
        f"The thresholds were chosen to {by}{on}."
        if method
        else "How the thresholds were chosen is not recorded."
    )
    return " ".join([chosen, *(f"Chosen by hand: {labels}." for labels in by_hand)])
