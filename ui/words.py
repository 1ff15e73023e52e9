"""Scores, thresholds, times and sizes in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.decision import Decision
from comment_toxicity.telling import Telling
from ui.catalog import adjective, is_harmful, label_name
from ui.text import shortened

if TYPE_CHECKING:
    from comment_toxicity.classifier import Classifier

BY_HAND = re.compile(r"(?:^|; )by hand: ")  # in the criterion of a decision.json from the page
LIKELY = 0.5
HIGH = 0.8  # from here on a flag is painted red
WHOLE_PERCENT = "%d %%"  # the format of a slider, as percent() writes it
COUNT_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass(frozen=True)
class LabelScore:
    """One label's calibrated probability, and whether it is flagged.

    label, name: as the model's files call it, and in words.
    threshold is None for a single-label model, of which the most likely label is flagged.
    harmful: whether being flagged speaks against a comment, which “ham” or “positive” does not.
    """

    label: str
    name: str
    score: float
    threshold: float | None
    flagged: bool
    harmful: bool = True

    @property
    def likely(self) -> bool:
        """Whether it is flagged and more likely than not."""
        return self.flagged and self.score >= LIKELY


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
            is_harmful(label_name(label, classifier.name), decision.single_label),
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


def verdict(ranked: Sequence[LabelScore]) -> str:
    """The result in one plain sentence, “likely” only from 50 % on. ranked: what rank() returns."""
    flagged = [row for row in ranked if row.flagged]
    if not flagged:
        return "Nothing flagged."
    if flagged[0].threshold is None:  # one class, which is the first of them
        [row] = flagged
        if row.likely:
            return f"Likely {row.name}."
        return f"Closest to {row.name}, at only {percent(row.score)}."
    likely = [row for row in flagged if row.likely]
    unsure = [f"{row.name} ({percent(row.score)})" for row in flagged if not row.likely]
    said = []
    if likely:
        adjectives = [adjective(row.name) for row in likely]
        named = listed(adjectives) if all(adjectives) else listed([row.name for row in likely])
        said.append(f"Likely {named}." if all(adjectives) else f"Likely: {named}.")
    if unsure:
        said.append(f"Worth a look: {listed(unsure)}.")
    return " ".join(said)


def listed(names: Sequence[str]) -> str:
    """“a, b and c”."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def others(rows: Sequence[LabelScore]) -> str:
    """The labels that have no bar, in one line. rows: at least one, the highest score first."""
    highest = percent(rows[0].score)
    if len(rows) == 1:
        return f"{rows[0].name}: {highest}"
    number = COUNT_WORDS[len(rows)] if len(rows) < len(COUNT_WORDS) else f"{len(rows)}"
    if rows[0].score < 0.02:
        return f"{number} others, all {'under 1 %' if rows[0].score < 0.005 else 'under 2 %'}"
    return f"{number} others, the highest {rows[0].name} with {highest}"


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


def time_left(seconds: float) -> str:
    """How long something still takes, roughly."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute left"
    hours, rest = divmod(minutes, 60)
    return f"about {f'{hours} h ' * bool(hours)}{f'{rest} min ' * bool(rest)}left"


def size_of(path: Path) -> str:
    """The size of a file."""
    size = path.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1000))} kB"


def meaning(decision: Decision) -> str:
    """What a score of this model means, and how its thresholds were chosen."""
    if not decision.calibrated:
        means = (
            "This model is not calibrated: its scores rank comments, but 80 % need not mean 80 of "
            "100 comments."
        )
        limits = "" if decision.single_label else " Its thresholds are all 50 %."
    else:
        means = (
            "A score of 80 % means: of 100 comments scored like this one, about 80 would get the "
            "label from readers like those who labelled the data."
        )
        limits = f" {thresholds_in_words(decision.criterion, decision.rows)}"
        limits = "" if decision.single_label else limits
    together = " A comment has one class, so the scores add up to 100 %."
    return means + limits + together * decision.single_label


def meaning_of(row: LabelScore, classifier: "Classifier") -> str:
    """What this very score means."""
    if not classifier.calibrated:
        return (
            f"{percent(row.score).capitalize()} is not a share of comments: this model is not "
            "calibrated, so its scores only rank them."
        )
    of_100 = round(100 * row.score)
    about = f"about {of_100}" if 1 <= of_100 <= 99 else "fewer than 1" if of_100 < 1 else "over 99"
    were = "was" if of_100 <= 1 else "were"
    return (
        f"{percent(row.score).capitalize()} means: of 100 comments scored like this one, "
        f"{about} {were} labelled ‘{row.name}’ by people."
    )


def decided_by(telling: Telling, name: str) -> str:
    """Which words decide the score of a label, in one plain sentence; name: the label in words."""
    where = "" if telling.whole else "in this passage, "
    scores = f"{where}{name} {percent(telling.score)}"
    if not telling.named:
        return f"The score is not down to a few words: {scores}."
    quoted = listed([f"‘{shortened(word, 60)}’" for word in telling.named])
    if telling.without is None:
        return f"It is all in {quoted}: {scores}."
    them = "it" if len(telling.named) == 1 else "them"
    without = f"{percent(telling.without)} without {them}"
    if telling.without < telling.score / 2 or telling.without < LIKELY <= telling.score:
        return f"Mainly {quoted}: {scores} → {without}."
    return f"Partly {quoted}: {scores} → {without}."


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
