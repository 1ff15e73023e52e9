"""The beginning of a file as it was read, before it is scored: its first rows, and a summary."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import CsvInput, input_format, open_input
from comment_toxicity.files.streams import encoding_of
from ui.files.upload import Source
from ui.text import shortened

FIRST_ROWS = 5
COUNTED = 100_000  # rows; reading them takes about a second
CELL_CHARACTERS = 120
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, as texts.

    rows: how many there are, counted up to COUNTED; more: there are more than that.
    not_utf8: how many of those counted are in another encoding.
    layout: what separates the cells and in which encoding, or the format; in words.
    """

    columns: list[str]
    first: list[list[str]]
    rows: int
    more: bool
    not_utf8: int
    layout: str

    def in_words(self) -> str:
        """The summary on one line: columns, rows, separator, encoding."""
        columns = f"{len(self.columns):,} column{'s' * (len(self.columns) != 1)}"
        rows = f"{'more than ' * self.more}{self.rows:,} row{'s' * (self.rows != 1)}"
        return f"{columns}, {rows}, {self.layout}"


def preview(source: Source) -> Preview:
    """Read a file's beginning, and count its rows. Raises DataError."""
    try:
        with open_input(str(source.path), "csv") as file:
            rows, not_utf8, first = 0, 0, list[list[str]]()
            for chunk in file.chunks(None):
                if not first:
                    first = _texts(chunk.cells, source.columns)
                rows += len(chunk.texts)
                not_utf8 += sum("not UTF-8" in (reason or "") for reason in chunk.reasons)
                if rows > COUNTED:
                    break
            mark = file.separator if isinstance(file, CsvInput) else ""
            known = file.rows
    except DataError as error:
        raise DataError(source.relabelled(str(error))) from error
    total = known or min(rows, COUNTED)
    more = known is None and rows > COUNTED
    layout = _layout(source.path, mark, not_utf8)
    return Preview(source.columns, first, total, more, not_utf8, layout)


def _layout(path: Path, mark: str, not_utf8: int) -> str:
    if input_format(str(path)) == "parquet":
        return "Parquet"
    with path.open("rb") as file:
        wide = encoding_of(file.read(64))[:6] in ("utf-16", "utf-32")
    encoding = "UTF-16" if wide else "not all of them UTF-8" if not_utf8 else "UTF-8"
    return f"{SEPARATORS.get(mark, 'JSON')}, {encoding}"


def _texts(cells: Any, columns: list[str]) -> list[list[str]]:
    rows = cells if isinstance(cells, list) else cells.slice(0, FIRST_ROWS).to_pylist()
    return [[_text(row.get(name)) for name in columns] for row in islice(rows, FIRST_ROWS)]


def _text(cell: Any) -> str:
    return "" if cell is None else shortened(str(cell)[: 8 * CELL_CHARACTERS], CELL_CHARACTERS)
