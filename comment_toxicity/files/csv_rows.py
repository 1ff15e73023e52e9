"""Lines of CSV → rows of cells: no row can fill the memory, or swallow others unnoticed."""

import csv
import re
from collections.abc import Iterable, Iterator

from comment_toxicity.errors import DataError

LONGEST_CELL = 16_000_000  # characters, and of a line and a row too
MOST_CELLS = 100_000  # in a row
SEPARATORS = ",;\t|"  # between cells; Excel writes semicolons where the comma is decimal

# The quotation mark that ends a quoted cell, and what must follow it.
_CLOSING = re.compile(r'(?<!")"(?:"")*+(?!")(?P<end> *(?:[,;\t|\r\n]|\Z))?')


class CsvRows(Iterator[list[str]]):
    """CSV's rows of cells, from its lines: none can fill the memory or swallow others unnoticed.

    csv.reader asks for another line within a row only while a quoted cell continues. So this class
    sees how long a row becomes, and whether the file ends inside a cell.

    line: the number of the last line read; `line` of them were read before.
    spaced: white space after a separator is no part of a cell.
    """

    def __init__(
        self, lines: Iterable[str], path: str, mark: str, line: int = 0, spaced: bool = False
    ):
        self.line = line
        self._path = path
        self._mark = mark
        self._opened = 0  # the line where the current cell begins
        self._characters = self._cells = 0  # of the current row
        self._reader = csv.reader(self._watched(lines), delimiter=mark, skipinitialspace=spaced)

    def __next__(self) -> list[str]:
        self._characters = self._cells = 0
        try:
            return next(self._reader)
        except csv.Error as error:
            raise DataError(f"{self._path}: line {self.line}: {error}.") from error

    def _watched(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.line += 1
            continues = self._characters > 0
            closing = _CLOSING.search(line) if continues else None
            if closing and closing["end"] is None:
                raise self._left_open(f"ends in line {self.line}, inside a cell")
            if closing or not continues:
                self._opened = self.line
            self._characters += len(line)
            if self._characters > LONGEST_CELL:
                raise self._left_open(f"makes a row of more than {LONGEST_CELL:,} characters")
            if self._characters > MOST_CELLS:  # fewer do not hold so many cells
                self._cells += _count_cells(line, self._mark, continues)
            if self._cells > MOST_CELLS:
                raise DataError(
                    f"{self._path}: line {self.line}: the row has more than {MOST_CELLS:,} cells; "
                    "expected one comment per row."
                )
            yield line
        if self._characters:
            raise self._left_open("does not end")

    def _left_open(self, what: str) -> DataError:
        return DataError(
            f"{self._path}: line {self._opened}: a quotation mark opens a cell that {what}; "
            "close it, or double the mark if it is part of a comment."
        )


def separator(header: list[str], tabs: bool = False) -> str:
    """What separates the header's cells: commas if there are any, else the commonest mark.

    tabs: tabs if there are any.
    """
    line = _unquoted("".join(header), SEPARATORS)
    counts = {mark: line.count(mark) for mark in SEPARATORS}
    first = "\t" if tabs and counts["\t"] else SEPARATORS[0]
    return first if counts[first] else max(counts, key=counts.__getitem__)


def _count_cells(line: str, separator: str, continues: bool) -> int:
    """Count the cells that end in a line; continues: it begins inside a quoted cell."""
    return _unquoted('"' * continues + line, separator).count(separator)


def _unquoted(line: str, separators: str) -> str:
    """A line without its quoted cells, which begin at its start or after a separator."""
    return re.sub(rf'(?:\A|(?<=[{separators}]))"[^"]*(?:""[^"]*)*+(?:"|\Z)', "", line)
