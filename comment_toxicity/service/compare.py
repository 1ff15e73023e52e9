"""Perspective's scores compared with ours: how well they agree, and which threshold to use.

A file of comments with old scores → one Comparison → a report. The scores of all rows are kept in
memory, eight bytes each, and only the comments whose scores differ most.
"""

import ast
import heapq
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.classifier import Classifier
from comment_toxicity.decision import midway, reaches
from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.files.read import NAME_COLUMN, Input, ParquetInput, open_input
from comment_toxicity.files.text_column import SAMPLED_ROWS, choose, guessed_column
from comment_toxicity.files.write import as_rows
from comment_toxicity.policy import snippet
from comment_toxicity.service.attributes import ATTRIBUTES_OF_LABEL, attribute_labels
from comment_toxicity.text import is_blank

Scores = NDArray[np.float64]
Row = dict[str, Any]
# toxicity, TOXICITY_score, response.attributeScores.TOXICITY.summaryScore.value, old_toxicity …
_APART = "[._ :/-]++"
_BEFORE = f"(?<![._ :/-]){_APART}"  # a whole run of them, or the search takes quadratic time
PREFIXES = re.compile(
    rf"^(.*attribute_?scores{_APART}|((perspective|old|api|response|result|scores?){_APART})+)",
    re.I,
)
SUFFIXES = re.compile(rf"{_BEFORE}(score|summary_?score{_APART}value|value)$", re.I)
OWN_NAME = re.compile(r"attribute_?scores", re.I)  # in the names of the API's own answers
TEXT_NAME = re.compile(rf"(^|{_BEFORE})comment{_APART}text$", re.I)  # and of its requests
MOST_NESTED = 8  # objects in objects
MOST_NAMES = 100_000
LONGEST_LITERAL = 100_000  # characters of a dict as Python prints it
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

    label: the one of our model.
    flagged: the share of comments that reach the old threshold by their scores.
    threshold: the one on our scores that flags the same share, or as near as equal scores allow.
    same_threshold, matched_threshold: the share of comments on which flagging agrees, with the old
        threshold on our scores, and with the matched one.
    both: of the comments that either flags, with the matched threshold, the share that both flag.
    rank: Spearman's correlation; NaN if one of the two gives all comments the same score.
    mean_difference: the mean of |theirs − ours|.
    """

    attribute: str
    label: str
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
class _Scores:
    """The scores of an attribute so far, theirs and ours. index: of its label in our scores."""

    index: int
    theirs: list[Scores] = field(default_factory=list)
    ours: list[Scores] = field(default_factory=list)


def compare(
    classifier: Classifier,
    source: str,
    text_column: str | None = None,
    threshold: float = 0.8,
    differences: int = 10,
    tell: Callable[[str], object] = lambda sentence: None,
) -> Comparison:
    """Score the comments of `source` and compare with the old scores in the same rows.

    Old scores are in columns named after attributes, or in the API's own answers: as JSON, as JSON
    text in a cell, or with joined names, as pandas.json_normalize makes them.
    Rows without a comment or without any old score are skipped, and so are attributes without
    scores. tell: called with the sentence that says which column was guessed.
    Raises DataError if nothing is named after an attribute, or no comment has a score;
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
    found: dict[str, _Scores] = {}
    skipped = seen = 0
    with open_input(source, "csv") as file:
        read_with, text_name = _text_column(file, source, text_column, tell)
        names = _Names(label_of, text_name)
        for chunk in file.chunks(read_with):
            cells = chunk.cells if isinstance(chunk.cells, list) else as_rows(chunk.cells)
            rows = [flattened(row, text_name) for row in cells]
            comments = chunk.texts if read_with == text_name else [r.get(text_name) for r in rows]
            answers = [names.scores(row) for row in rows]
            known = names.scores(dict.fromkeys(file.columns))  # there may be no rows
            for attribute in dict.fromkeys(itertools.chain(known, *answers)):
                index = classifier.labels.index(label_of[attribute])
                found.setdefault(attribute, _Scores(index))
            theirs = np.array(
                [[answer.get(name, np.nan) for answer in answers] for name in found]
            ).reshape(len(found), len(rows))
            has_text = np.array([isinstance(c, str) and not is_blank(c) for c in comments], bool)
            used = has_text & ~np.isnan(theirs).all(axis=0)
            skipped += int((~used).sum())
            texts = [str(text) for text, use in zip(comments, used, strict=True) if use]
            ours = classifier.score(texts).astype(np.float64)
            for (attribute, scores), old in zip(found.items(), theirs[:, used], strict=True):
                new = ours[:, scores.index]
                has_score = ~np.isnan(old)
                scores.theirs.append(old[has_score])
                scores.ours.append(new[has_score])
                gaps = np.where(has_score, np.abs(old - new), -1)
                for row in np.argsort(-gaps)[:differences]:
                    if gaps[row] < 0:
                        break
                    seen += 1
                    difference = Difference(attribute, texts[row], old[row], new[row])
                    heapq.heappush(worst, (float(gaps[row]), -seen, difference))
                    if len(worst) > differences:
                        heapq.heappop(worst)
        if not found:
            usual = [name for name in label_of if not name.endswith("_EXPERIMENTAL")]
            raise DataError(
                f"{source}: no column is named after a Perspective attribute (found "
                f"{', '.join(file.columns)}); name them {', '.join(usual)}, or give the API's "
                "answers with their attributeScores."
            )
    filled = {name: scores for name, scores in found.items() if any(map(len, scores.theirs))}
    if not filled:
        raise DataError(
            f"{source}: no comment has a score from 0 to 1 (looked at {', '.join(names.used)})."
        )
    return Comparison(
        classifier.name,
        threshold,
        skipped,
        [_agreement(name, label_of[name], filled[name], threshold) for name in filled],
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
    # Of two attributes of one label, such as PROFANITY and OBSCENE, the first counts.
    thresholds = {row.label: row.threshold for row in reversed(comparison.agreements)}
    lines += ["", "These thresholds as a policy, for the file of `serve --policy`:", "", "```toml"]
    lines += [*snippet(dict(reversed(thresholds.items())), "perspective").splitlines(), "```"]
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


class _Names:
    """Which names in a file are an attribute's scores.

    text_name: that of the comments; names beside it, in the same object, need no prefix.
    used: the names that were found, in order.
    """

    def __init__(self, attributes: Iterable[str], text_name: str):
        self._attributes = {_key(attribute): attribute for attribute in attributes}
        self._beside = text_name.rpartition(".")[0] + "."
        self._known: dict[str, str | None] = {}
        self.used: list[str] = []

    def scores(self, row: Row) -> dict[str, float]:
        """The score of each attribute of a flattened row; NaN for what is none.

        Of several names for one attribute, the API's own counts, or else the first.
        """
        names: dict[str, str] = {}
        for name in row:
            attribute = self._attribute(name)
            if attribute and (attribute not in names or OWN_NAME.search(name)):
                names[attribute] = name
        return {attribute: _score(row[name]) for attribute, name in names.items()}

    def _attribute(self, name: str) -> str | None:
        if name not in self._known and len(self._known) < MOST_NAMES:
            short = PREFIXES.sub("", name.removeprefix(self._beside))
            key = _key(SUFFIXES.sub("", SUFFIXES.sub("", short)))
            self._known[name] = self._attributes.get(key)
            if key in self._attributes:
                self.used.append(name)
        return self._known.get(name)


def _key(name: str) -> str:
    """A name without case and signs: IDENTITY_ATTACK is identityAttack."""
    return re.sub(r"[\W_]", "", name).casefold()


def flattened(row: Mapping[str, Any], text_name: str) -> Row:
    """A row whose objects are cells with joined names: {"a": {"b": 1}} is {"a.b": 1}.

    JSON text is such an object too, except in the column of comments.
    """
    flat: Row = {}

    def add(name: str, value: Any, nested: int) -> None:
        if isinstance(value, str) and name != text_name and value[:1] == "{":
            value = _parsed(value)
        if isinstance(value, dict) and nested < MOST_NESTED:
            for key, inner in value.items():
                add(f"{name}.{key}", inner, nested + 1)
        else:
            flat[name] = value

    for name, value in row.items():
        add(name, value, 0)
    return flat


def _parsed(text: str) -> Any:
    """The object that a text holds: JSON, or a dict as Python prints it; else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > LONGEST_LITERAL:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text


def _text_column(
    file: Input, source: str, name: str | None, tell: Callable[[str], object]
) -> tuple[str, str]:
    """The column to read the file with, and the name of the comments in flattened rows.

    Comments can also be in the API's own requests, {"comment": {"text": …}}, or other objects.
    """
    if (name or file.text_column) not in file.columns:
        names = _flat_names(source) or file.columns
        if name:
            texts = [each for each in names if each == name]
        else:
            texts = [each for each in names if TEXT_NAME.search(each)]
            texts = texts or [each for each in names if each.endswith((".comment_text", ".text"))]
        if len(texts) > 1:
            raise DataError(
                f"{source}: {' or '.join(texts[:5])} could be the comments; {NAME_COLUMN}."
            )
        if texts:
            if not TEXT_NAME.search(texts[0]):
                tell(guessed_column(texts[0]))
            return texts[0] if texts[0] in file.columns else file.columns[0], texts[0]
    column, guessed = choose(file, source, name)
    if guessed:
        tell(guessed_column(column))
    return column, column


def _flat_names(source: str) -> list[str]:
    """The names in the first rows of a file, once flattened; none of a file of another kind."""
    if not Path(source).is_file():
        return []
    with open_input(source, "csv") as file:
        if isinstance(file, ParquetInput):
            return []
        cells: Any = next(file.chunks(file.columns[0])).cells
    return list(dict.fromkeys(name for row in cells[:SAMPLED_ROWS] for name in flattened(row, "")))


def _score(cell: Any) -> float:
    """Parse a score, also with a decimal comma; NaN for anything else, such as an empty cell."""
    try:
        value = float(cell.replace(",", ".") if isinstance(cell, str) else cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return value if 0 <= value <= 1 else np.nan


def _agreement(attribute: str, label: str, scores: _Scores, old: float) -> Agreement:
    theirs, ours = np.concatenate(scores.theirs), np.concatenate(scores.ours)
    threshold = matched_threshold(theirs, ours, old)
    flagged, matched = theirs >= old, reaches(ours, threshold)
    either = flagged | matched
    return Agreement(
        attribute,
        label,
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
