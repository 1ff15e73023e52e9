"""A file of labelled comments before training: its number of rows, and its label columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import open_input
from finetune.data.labels import UNKNOWN_CLASS, class_text, listed_in
from ui.files.upload import Source

MOST_CLASSES = 20
MOST_LISTS = 20_000  # different cells of a column of lists
BINARY = {"0", "1", "-1", "", "0.0", "1.0", "-1.0", "none", "true", "false"}
IDS = ("id", "comment_id", "rev_id")


@dataclass(frozen=True)
class LabelledRows:
    """rows: how many. label_columns: with 0, 1, -1 or nothing. id_column: empty without one.

    share_columns: with shares of annotators between 0 and 1, too.
    """

    rows: int
    label_columns: list[str]
    id_column: str
    share_columns: list[str]


def look_at_rows(source: Source, text_column: str) -> LabelledRows:
    """Count a file's rows, and find its label columns in the first rows. Raises DataError."""
    try:
        with open_input(str(source.path), "csv") as file:
            rows, binary, shares = 0, list[str](), list[str]()
            for chunk in file.chunks(text_column):
                if not rows:
                    binary, shares = _labels(source, text_column, _cells(chunk.cells))
                rows += len(chunk.texts)
    except DataError as error:
        raise DataError(source.relabelled(str(error))) from error
    ids = [name for name in IDS if name in source.columns]
    return LabelledRows(rows, binary, ids[0] if ids else "", shares)


def classes_of(source: Source, text_column: str, column: str) -> list[str]:
    """The values of a column of classes; -1 and empty are none.

    Raises DataError for more than 20 values, or just one.
    """
    classes: set[str] = set()
    for cells in _column(source, text_column, column):
        classes |= set(map(class_text, cells)) - set(UNKNOWN_CLASS)
        if len(classes) > MOST_CLASSES:
            raise DataError(
                f"{source.name}: {column} has more than {MOST_CLASSES} different values; "
                "is it the column with the class?"
            )
    if len(classes) < 2:
        raise DataError(f"{source.name}: {column} needs at least two different values.")
    return sorted(classes)


def listed_labels(source: Source, text_column: str, column: str) -> list[str]:
    """The labels in a column of lists. Raises DataError for more than 100, or none."""
    lists: set[Any] = set()
    for cells in _column(source, text_column, column):
        known = [cell for cell in cells if cell is not None]
        lists |= {tuple(cell) if isinstance(cell, list) else str(cell) for cell in known}
        if len(lists) > MOST_LISTS:
            raise DataError(
                f"{source.name}: {column} has more than {MOST_LISTS:,} different values; is it the "
                "column with the labels?"
            )
    try:
        return listed_in(pd.Series(list(lists), name=column, dtype=object), source.name)
    except TypeError:  # a list of lists
        raise DataError(f"{source.name}: {column} has other cells than lists of labels.") from None


def _column(source: Source, text_column: str, column: str) -> Iterator[list]:
    """The cells of a column, by chunks of the file."""
    with open_input(str(source.path), "csv") as file:
        for chunk in file.chunks(text_column):
            yield [cells.get(column) for cells in _cells(chunk.cells)]


def _cells(cells: object) -> list[dict]:
    return cells if isinstance(cells, list) else cells.to_pylist()  # type: ignore[attr-defined]


def _labels(source: Source, text_column: str, rows: list[dict]) -> tuple[list[str], list[str]]:
    """The columns with labels: of yes and no, and of shares."""
    binary, shares = [], []
    for name in source.columns:
        values = {str(row.get(name)).strip().lower() for row in rows}
        if name in (text_column, "weight"):
            continue
        if values <= BINARY and values & {"1", "1.0", "true"}:
            binary.append(name)
        elif all(value in BINARY or _is_share(value) for value in values) and values - BINARY:
            shares.append(name)
    return binary, shares


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
