"""Perspective's scores compared with ours: how well they agree, and which threshold to use.

A file of comments with old scores → one Comparison → a report. The scores of all rows are kept in
memory, eight bytes each, and only the comments whose scores differ most.
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
    """A comment that the two models score differently."""

    attribute: str
    text: str
    theirs: float
    ours: float


@dataclass(frozen=True)
class Agreement:
    """How the two models compare in one attribute.

    flagged: the share of comments that reach the old threshold by their scores.
    threshold: the one on our scores that flags the same share, or as near as equal scores allow.
    same_threshold, matched_threshold: the share of comments on which flagging agrees, with the old
        threshold on our scores, and with the matched one.
    both: of the comments that either flags, with the matched threshold, the share that both flag.
    rank: Spearman's correlation; NaN if one of the two gives all comments the same score.
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
    """The agreement in each attribute, and the largest differences."""

    model: str
    old_threshold: float
    skipped: int
    agreements: list[Agreement]
    differences: list[Difference]


@dataclass
class _Column:
    """An attribute's column: its name in the file, its index in our scores, and what was read."""

    attribute: str
    name: str
    index: int
    theirs: list[Scores] = field(default_factory=list)
    ours: list[Scores] = field(default_factory=list)


def compare(
    classifier: Classifier,
    source: str,
    text_column: str | None = None,
    threshold: float = 0.8,
    differences: int = 10,
) -> Comparison:
    """Score the comments of `source` and compare with the old scores in the same rows.

    Rows without a comment or without any old score are skipped, and so are columns without scores.
    Raises DataError if no column is named after an attribute, or no comment has a score;
    SettingsError for a threshold or a model that cannot be compared.
    """
    if not 0 < threshold < 1:
        raise SettingsError("--threshold must be between 0 and 1.")
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
        column_of_texts = choose_text_column(file, source, text_column)
        columns = _columns(file.columns, label_of, classifier.labels, source)
        for chunk in file.chunks(column_of_texts):
            theirs = np.array([_old_scores(chunk, column.name) for column in columns])
            has_text = np.array([not is_blank(text) for text in chunk.texts], bool)
            used = has_text & ~np.isnan(theirs).all(axis=0)
            skipped += int((~used).sum())
            texts = [str(text) for text, use in zip(chunk.texts, used, strict=True) if use]
            ours = classifier.score(texts).astype(np.float64)
            for column, old in zip(columns, theirs[:, used], strict=True):
                new = ours[:, column.index]
                has_score = ~np.isnan(old)
                column.theirs.append(old[has_score])
                column.ours.append(new[has_score])
                gaps = np.where(has_score, np.abs(old - new), -1)
                for row in np.argsort(-gaps)[:differences]:
                    if gaps[row] < 0:
                        break
                    seen += 1
                    difference = Difference(column.attribute, texts[row], old[row], new[row])
                    heapq.heappush(worst, (float(gaps[row]), -seen, difference))
                    if len(worst) > differences:
                        heapq.heappop(worst)
    filled = [column for column in columns if any(map(len, column.theirs))]
    if not filled:
        raise DataError(
            f"{source}: no comment has a score from 0 to 1 (looked at "
            f"{', '.join(column.name for column in columns)})."
        )
    return Comparison(
        classifier.name,
        threshold,
        skipped,
        [_agreement(column, threshold) for column in filled],
        [difference for _, _, difference in sorted(worst, reverse=True)],
    )


def matched_threshold(theirs: Scores, ours: Scores, threshold: float) -> float:
    """Return the threshold on our scores that flags as many as `threshold` on theirs, or nearly.

    It is midway between the two scores that it separates, so that rounding cannot move a comment
    across it, and above all scores if none is flagged. Equal scores are all flagged or not.
    """
    count = int((theirs >= threshold).sum())
    scores, counts = np.unique(ours, return_counts=True)
    flagged = np.append(np.cumsum(counts[::-1])[::-1], 0)  # at or above each score; then above all
    index = int(np.abs(flagged - count).argmin())
    if index == len(scores):
        return float(np.nextafter(np.float32(scores[-1]), np.float32(np.inf)))
    return float(midway(scores[index - 1], scores[index]) if index else scores[0])


def report(comparison: Comparison) -> str:
    """Return the comparison as Markdown that can also be read in a terminal."""
    old = comparison.old_threshold
    lines = [
        f"Perspective's scores compared with those of {comparison.model}. “Flagged” is the share "
        f"that Perspective scores {old:g} or more; our “threshold” flags as many.",
        "",
        f"| attribute | rows | rank correlation | flagged | threshold | agree at {old:g} | agree "
        "at threshold | both of either | mean difference |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.attribute} | {row.rows:,} | {row.rank:.3f} | {row.flagged:.1%} | "
        f"{row.threshold:.3f} | {row.same_threshold:.1%} | {row.matched_threshold:.1%} | "
        f"{row.both:.1%} | {row.mean_difference:.3f} |"
        for row in comparison.agreements
    ]
    if comparison.differences:
        lines += ["", "The largest differences:", "", "| attribute | theirs | ours | comment |"]
        lines += ["|---|--:|--:|---|"]
        lines += [
            f"| {row.attribute} | {row.theirs:.2f} | {row.ours:.2f} | {_one_line(row.text)} |"
            for row in comparison.differences
        ]
    if comparison.skipped:
        lines += ["", f"{comparison.skipped:,} rows without a comment or a score were skipped."]
    return "\n".join(lines)


def _columns(
    names: list[str], label_of: dict[str, str], labels: list[str], source: str
) -> list[_Column]:
    """Find the columns of old scores. If several are for one attribute, the first counts."""
    columns: dict[str, _Column] = {}
    for name in names:
        attribute = AFFIXES.sub("", AFFIXES.sub("", name)).upper()
        if attribute in label_of and attribute not in columns:
            index = labels.index(label_of[attribute])
            columns[attribute] = _Column(attribute, name, index)
    if not columns:
        known = [name for name in label_of if not name.endswith("_EXPERIMENTAL")]
        raise DataError(
            f"{source}: no column is named after a Perspective attribute (found "
            f"{', '.join(names)}); name them {', '.join(known)}."
        )
    return list(columns.values())


def _old_scores(chunk: Chunk, name: str) -> list[float]:
    cells: list[Any]
    if isinstance(chunk.cells, list):
        cells = [row.get(name) for row in chunk.cells]
    else:
        cells = chunk.cells[name].to_pylist()
    return [_score(cell) for cell in cells]


def _score(cell: Any) -> float:
    """Parse a score, also with a decimal comma; NaN for anything else, such as an empty cell."""
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
    """Return the correlation of the ranks; equal values share their mean rank."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Scores) -> Scores:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _one_line(text: str) -> str:
    """Make a comment fit on one line of a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    line = "".join(character if character.isprintable() else "�" for character in line)
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
