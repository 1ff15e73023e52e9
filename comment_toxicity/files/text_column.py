"""Which column holds the comments: the one that is named, or called as usual, or looks like it.

The page and the commands guess by the same rule: comments are the longest texts of several words.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comment_toxicity.errors import DataError
from comment_toxicity.files.columns import TEXT_COLUMNS, AmbiguousError, find_column
from comment_toxicity.files.read import (
    NAME_COLUMN,
    Input,
    ParquetInput,
    choose_text_column,
    open_input,
)

if TYPE_CHECKING:
    import pyarrow

SAMPLED_ROWS = 200
CLEARLY_LONGER = 1.5  # times the texts of any other column
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Guess:
    """A guess which column holds the comments.

    columns: those that hold texts, the most likely one first. clear: whether it stands out.
    """

    columns: list[str]
    clear: bool


def choose(
    rows: Input, path: str, name: str | None = None, encoding: str | None = None
) -> tuple[str, bool]:
    """The column of comments of an open file, and whether it was guessed.

    name: the column to take; None takes the one called as usual, or else guesses.
    Raises DataError where there is none, or several could be meant. There is no guess for standard
    input and other streams, which cannot be read twice.
    """
    if name or rows.text_column is not None or not Path(path).is_file():
        return choose_text_column(rows, path, name), False
    try:
        find_column(rows.columns, TEXT_COLUMNS)
    except AmbiguousError as error:
        raise DataError(f"{path}: {error}") from error
    guess = guess_column(path, encoding)
    if guess.clear:
        return guess.columns[0], True
    if not guess.columns:
        return choose_text_column(rows, path, name), False
    raise DataError(
        f"{path}: {' or '.join(guess.columns[:2])} could be the comments (found "
        f"{', '.join(rows.columns)}); {NAME_COLUMN}."
    )


def guessed_column(column: str) -> str:
    """The sentence that tells a user which column was guessed."""
    return f"The comments are taken from the column {column}; --text-column names another."


def guess_column(path: str, encoding: str | None = None) -> Guess:
    """Guess by the first rows of a file. Raises DataError where it cannot be read."""
    with open_input(path, "csv", encoding) as rows:
        if isinstance(rows, ParquetInput):
            texts = _parquet_texts(path)
        else:
            chunk = next(rows.chunks(None))
            cells: Any = chunk.cells[:SAMPLED_ROWS]
            texts = {name: [row.get(name) for row in cells] for name in chunk.columns}
    return _ranked(texts)


def _has_words(text: str) -> bool:
    """Whether two words in a row hold a letter: no number, date or URL, and not JSON."""
    inside = text.strip()
    if inside[:1] in ("{", "[") and inside[-1:] in ("}", "]"):
        return False
    return any(
        LETTER.search(first) and LETTER.search(second) for first, second in pairwise(inside.split())
    )


def _ranked(texts: dict[str, list[Any]]) -> Guess:
    """Rank columns by the length of their texts, on average over the rows."""
    read = {
        name: [cell for cell in cells if isinstance(cell, str)] for name, cells in texts.items()
    }
    lengths = {name: sum(map(len, filter(_has_words, cells))) for name, cells in read.items()}
    if not any(lengths.values()):  # comments of one word
        lengths = {
            name: sum(len(cell) for cell in cells if any(map(str.isalpha, cell)))
            for name, cells in read.items()
        }
    columns = sorted(filter(lengths.__getitem__, lengths), key=lengths.__getitem__, reverse=True)
    first, second = [*(lengths[name] for name in columns), 0, 0][:2]
    return Guess(columns, first > CLEARLY_LONGER * second)


def _parquet_texts(path: str) -> dict[str, list[Any]]:
    """The texts in a Parquet file's first rows; None for what is not UTF-8."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        names = [field.name for field in file.schema_arrow if _holds_texts(field.type)]
        for batch in file.iter_batches(batch_size=SAMPLED_ROWS, columns=names):
            return {name: _texts(batch.column(name)) for name in names}
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: the Parquet data are broken ({error}).") from error
    return {}


def _plain_type(data_type: "pyarrow.DataType") -> "pyarrow.DataType":
    import pyarrow

    return data_type.value_type if isinstance(data_type, pyarrow.DictionaryType) else data_type


def _holds_texts(data_type: "pyarrow.DataType") -> bool:
    """Whether a column of this type can hold texts: as strings, or as bytes."""
    name = str(_plain_type(data_type))
    return re.fullmatch(r"(large_)?(string|binary)(_view)?|fixed_size_binary.*", name) is not None


def _texts(column: "pyarrow.Array") -> list[str | None]:
    import pyarrow

    column = column.cast(_plain_type(column.type))
    if "string" in str(column.type):  # as bytes: one text that is not UTF-8 would spoil all
        column = column.cast(pyarrow.large_string()).cast(pyarrow.large_binary())
    texts: list[str | None] = []
    for cell in column.to_pylist():
        try:
            texts.append(None if cell is None else cell.decode())
        except UnicodeDecodeError:
            texts.append(None)
    return texts
