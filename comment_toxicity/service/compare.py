"""Scores that Perspective gave beside ours: how well they agree, and where to put the threshold.

A file of comments with old scores → one Comparison → a report. The scores of all rows are kept,
eight bytes each; of the comments, only those that differ most.
"""

import heapq
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.classifier import Classifier
from comment_toxicity.decision import midway, reaches
from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.files.read import Chunk, choose_text_column, open_input
from comment_toxicity.service.attributes import ATTRIBUTES_OF_LABEL, attribute_labels
from comment_toxicity.text import is_blank

Scores = NDArray[np.float64]
# toxicity, TOXICITY_score, attributeScores.TOXICITY.summaryScore.value, perspective_toxicity …
AFFIXES = re.compile(
    r"^(perspective|old|attribute_?scores)[._ -]+|[._ -]+(score|summary_?score[._ -]+value|value)$",
    re.IGNORECASE,
)
SHOWN_CHARACTERS = 70


@dataclass(frozen=True)
class Difference:
    """A comment that the two score differently."""

    attribute: str
    text: str
    theirs: float
    ours: float


@dataclass(frozen=True)
class Agreement:
    """How the two compare in one attribute.

    flagged: the share of comments that reached the old threshold on their scores.
    threshold: the one on ours that flags the same share, or as near to it as equal scores allow.
    same_threshold, matched_threshold: the share of comments on which flagging agrees, with the old
        threshold on ours, and with the matched one.
    both: of the comments that either flags with the matched threshold, the share that both do.
    rank: Spearman's correlation; NaN where one of the two is the same for all.
    mean_difference: the mean of |theirs − ours|.
    """

    attribute: str
    rows: int
    flagged: float
    threshold: float
    same_threshold: float
    matched_threshold: float
    both: float
    rank: float
    mean_difference: float


@dataclass(frozen=True)
class Comparison:
    """Everything that the report tells."""

    model: str
    old_threshold: float
    skipped: int
    agreements: list[Agreement]
    differences: list[Difference]


@dataclass
class _Column:
    """An attribute's column: its name in the file, its place in our scores, and what was read."""

    attribute: str
    name: str
    place: int
    theirs: list[Scores] = field(default_factory=list)
    ours: list[Scores] = field(default_factory=list)


def compare(
    classifier: Classifier,
    source: str,
    text_column: str | None = None,
    threshold: float = 0.8,
    differences: int = 10,
) -> Comparison:
    """Score the comments of `source` and compare with the old scores beside them.

    Rows without a comment or without any old score are skipped, and columns without any. Raises
    DataError when there is no column with an attribute's name, or no score beside a comment;
    SettingsError for a threshold or a model that cannot be compared.
    """
    if not 0 < threshold < 1:
        raise SettingsError("--threshold must lie between 0 and 1.")
    label_of = attribute_labels(classifier.labels)
    if not label_of:
        labels = ", ".join(classifier.labels)
        raise SettingsError(
            f"{classifier.name} scores {labels}: none is one of Perspective's attributes. "
            f"Compare a model with some of {', '.join(ATTRIBUTES_OF_LABEL)}."
        )
    worst: list[tuple[float, int, Difference]] = []
    skipped = seen = 0
    with open_input(source, "csv") as file:
        wanted = choose_text_column(file, source, text_column)
        columns = _columns(file.columns, label_of, classifier.labels, source)
        for chunk in file.chunks(wanted):
            theirs = np.array([_old_scores(chunk, column.name) for column in columns])
            good = np.array([not is_blank(text) for text in chunk.texts], bool)
            used = good & ~np.isnan(theirs).all(axis=0)
            skipped += int((~used).sum())
            texts = [str(text) for text, use in zip(chunk.texts, used, strict=True) if use]
            ours = classifier.score(texts).astype(np.float64)
            for column, old in zip(columns, theirs[:, used], strict=True):
                new = ours[:, column.place]
                known = ~np.isnan(old)
                column.theirs.append(old[known])
                column.ours.append(new[known])
                gaps = np.where(known, np.abs(old - new), -1)
                for row in np.argsort(-gaps)[:differences]:
                    if gaps[row] < 0:
                        break
                    seen += 1
                    found = Difference(column.attribute, texts[row], old[row], new[row])
                    heapq.heappush(worst, (float(gaps[row]), -seen, found))
                    if len(worst) > differences:
                        heapq.heappop(worst)
    filled = [column for column in columns if any(map(len, column.theirs))]
    if not filled:
        raise DataError(
            f"{source}: no score from 0 to 1 stands beside a comment (looked into "
            f"{', '.join(column.name for column in columns)})."
        )
    return Comparison(
        classifier.name,
        threshold,
        skipped,
        [_agreement(column, threshold) for column in filled],
        [found for _, _, found in sorted(worst, reverse=True)],
    )


def matched_threshold(theirs: Scores, ours: Scores, threshold: float) -> float:
    """Give the threshold on ours that flags as many as `threshold` on theirs, or nearly.

    It lies midway between the two scores that it parts, so that rounding cannot move a comment
    across; beyond all scores where none is flagged. Of equal scores, all are flagged or none.
    """
    count = int((theirs >= threshold).sum())
    scores, counts = np.unique(ours, return_counts=True)
    flagged = np.append(np.cumsum(counts[::-1])[::-1], 0)  # from each score on; then beyond all
    place = int(np.abs(flagged - count).argmin())
    if place == len(scores):
        return float(np.nextafter(np.float32(scores[-1]), np.float32(np.inf)))
    return float(midway(scores[place - 1], scores[place]) if place else scores[0])


def report(comparison: Comparison) -> str:
    """Write the comparison as Markdown, to be read in a terminal too."""
    old = comparison.old_threshold
    lines = [
        f"Perspective's scores beside those of {comparison.model}. Flagged by theirs: at "
        f"{old:g} or more. “Threshold” is the one on ours that flags as many.",
        "",
        f"| attribute | rows | rank correlation | flagged | threshold | agree at {old:g} | agree "
        "at threshold | both of either | mean difference |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {found.attribute} | {found.rows:,} | {found.rank:.3f} | {found.flagged:.1%} | "
        f"{found.threshold:.3f} | {found.same_threshold:.1%} | {found.matched_threshold:.1%} | "
        f"{found.both:.1%} | {found.mean_difference:.3f} |"
        for found in comparison.agreements
    ]
    if comparison.differences:
        lines += ["", "The largest differences:", "", "| attribute | theirs | ours | comment |"]
        lines += ["|---|--:|--:|---|"]
        lines += [
            f"| {found.attribute} | {found.theirs:.2f} | {found.ours:.2f} | {_shown(found.text)} |"
            for found in comparison.differences
        ]
    if comparison.skipped:
        lines += ["", f"{comparison.skipped:,} rows without a comment or a score were left out."]
    return "\n".join(lines)


def _columns(
    names: list[str], label_of: dict[str, str], labels: list[str], source: str
) -> list[_Column]:
    """Find the columns of old scores. Of several for one attribute, the first counts."""
    found: dict[str, _Column] = {}
    for name in names:
        attribute = AFFIXES.sub("", AFFIXES.sub("", name)).upper()
        if attribute in label_of and attribute not in found:
            place = labels.index(label_of[attribute])
            found[attribute] = _Column(attribute, name, place)
    if not found:
        known = [name for name in label_of if not name.endswith("_EXPERIMENTAL")]
        raise DataError(
            f"{source}: no column is named after a Perspective attribute (found "
            f"{', '.join(names)}); name them {', '.join(known)}."
        )
    return list(found.values())


def _old_scores(chunk: Chunk, name: str) -> list[float]:
    cells: list[Any]
    if isinstance(chunk.cells, list):
        cells = [row.get(name) for row in chunk.cells]
    else:
        cells = chunk.cells[name].to_pylist()
    return [_score(cell) for cell in cells]


def _score(cell: Any) -> float:
    """Read a score; NaN for what is none, such as an empty cell. Its comma may be a decimal one."""
    try:
        value = float(cell.replace(",", ".") if isinstance(cell, str) else cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return value if 0 <= value <= 1 else np.nan


def _agreement(column: _Column, old: float) -> Agreement:
    theirs, ours = np.concatenate(column.theirs), np.concatenate(column.ours)
    threshold = matched_threshold(theirs, ours, old)
    flagged, matched = theirs >= old, reaches(ours, threshold)
    either = flagged | matched
    return Agreement(
        column.attribute,
        len(theirs),
        float(flagged.mean()),
        threshold,
        float((flagged == reaches(ours, old)).mean()),
        float((flagged == matched).mean()),
        float((flagged & matched).sum() / either.sum()) if either.any() else 1.0,
        _spearman(theirs, ours),
        float(np.abs(theirs - ours).mean()),
    )


def _spearman(first: Scores, second: Scores) -> float:
    """Correlate ranks; equal values share the mean of theirs."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Scores) -> Scores:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def _shown(text: str) -> str:
    """Put a comment on one line of a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    line = "".join(character if character.isprintable() else "�" for character in line)
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
