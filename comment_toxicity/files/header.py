"""Where a CSV's table begins: its header can follow `sep=;`, comments, a title or empty lines.

A line is skipped only if what follows it is plainly the header. Where that cannot be told, the
file is refused: with a wrong header, the wrong column would be scored.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from comment_toxicity.errors import DataError
from comment_toxicity.files.columns import TEXT_COLUMNS, name_key
from comment_toxicity.files.csv_rows import SEPARATORS, separator

MOST_EMPTY = 1_000_000  # lines before the header
HEAD_LINES, HEAD_CHARACTERS, LINE_CHARACTERS = 60, 1_000_000, 100_000  # looked at
MOST_BEFORE_HEADER = 20  # lines that are not empty
LONGEST_NAME = 60  # characters; a longer one is a title or a comment

_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(\\t|[^"\r\n])"?[,;\t|]*[\r\n]*', re.IGNORECASE)
_EMPTY = " \t\r\n\f\v,;|\xa0\ufeff"
_NUMBER = re.compile(r"(?=\D*+\d)[-+\d.,:/ %TZ]++")  # or a date, or a time
_SENTENCE = re.compile(r"[.!?…:][\"'”’)]*$")
_ENDS = re.compile(r"[.!…][\"'”’)]*\s*$")
_KNOWN = {name_key(name) for name in TEXT_COLUMNS}


def head_lines(lines: Iterator[str], path: str) -> tuple[list[str], int]:
    """The first lines that say something, and how many empty ones precede them."""
    for skipped, line in enumerate(islice(lines, MOST_EMPTY)):
        if _is_empty(line):
            continue
        head, size = [line], len(line)
        while size < HEAD_CHARACTERS and len(head) < HEAD_LINES and (line := next(lines, "")):
            head.append(line)
            size += len(line)
        return head, skipped
    if next(lines, None) is not None:
        raise DataError(
            f"{path}: its first {MOST_EMPTY:,} lines are empty; expected a header line and one "
            "line per comment."
        )
    return [], 0


class NoHeaderError(DataError):
    """The first line is a row, so there is no header."""


@dataclass(frozen=True)
class Start:
    """Where the header begins: the index of its line. mark separates its cells.

    spaced: white space follows the mark, and is no part of the cells.
    """

    line: int
    mark: str
    spaced: bool


def table_start(head: list[str], path: str, skipped: int, tabs: bool) -> Start:
    """Find the header among the first lines.

    skipped: lines before `head`, for messages. tabs: prefer tabs to commas.
    Raises DataError if the header cannot be told from what is around it, or there is none.
    """
    table = _find_table([line[:LINE_CHARACTERS] for line in head], path, skipped, tabs)
    names = table.header[1:]
    spaced = len(names) > 0 and all(name[:1] == " " < name for name in names)
    return Start(table.start, table.mark, spaced)


def _find_table(head: list[str], path: str, skipped: int, tabs: bool) -> "_Table":
    mark, after = None, 0
    if named := _SEPARATOR_LINE.fullmatch(head[0]):
        mark, after = named[1].replace("\\t", "\t"), 1
        if mark not in SEPARATORS:
            raise DataError(
                f"{path}: line {skipped + 1} says that {mark!r} separates the cells; separate "
                "them by commas, semicolons, tabs or |."
            )
    starts = [index for index in range(after, len(head)) if not _is_empty(head[index])]
    if not starts:
        raise DataError(f"{path}: has no header below line {skipped + 1}.")
    candidates = [_Table(head, start, mark, tabs) for start in starts[: MOST_BEFORE_HEADER + 1]]
    first = candidates[0]
    if first.is_known:
        return first
    below = [table for table in candidates[1:] if table.start >= first.start + first.lines]
    for table in below:
        if table.is_known and table.looks_like_header and table.fits(head, first.start):
            return table
    for table in below:
        if not table.is_wider(head, first.start):
            continue
        if table.looks_like_header and table.is_below_a_title(head, first.start):
            return table
        raise DataError(
            f"{path}: line {skipped + first.start + 1} has fewer cells than the "
            f"{len(table.header)} of each line from line {skipped + table.start + 1} on; if it is "
            "a title, delete it; if it is the header, name every column, and quote cells that "
            "contain the separator."
        )
    if first.lacks_header:
        raise NoHeaderError(
            f"{path}: line {skipped + first.start + 1} looks like a row, not like a header; put a "
            f"line with the names of the columns above it, such as {TEXT_COLUMNS[0]}."
        )
    return first


class _Table:
    """The head of a file, read as if the header began in line `start`."""

    def __init__(self, head: list[str], start: int, mark: str | None, tabs: bool):
        self.start = start
        first = csv.reader(head[start:])
        next(first, [])
        self.mark = mark or separator(head[start : start + first.line_num], tabs)
        reader = csv.reader(head[start:], delimiter=self.mark)
        self.header = next(reader, [])
        self.lines = reader.line_num
        rows = [row for row in reader if row]
        # The last one can be cut off, where the head is.
        self.rows = rows[:-1] if len(rows) > 1 and len(head) == HEAD_LINES else rows

    @property
    def is_known(self) -> bool:
        """Whether a column is called as comments are."""
        return any(name_key(name.lstrip("#")) in _KNOWN for name in self.header)

    @property
    def looks_like_header(self) -> bool:
        names = [name_key(name) for name in self.header if name_key(name)]
        return (
            len(set(names)) == len(names) > 0
            and all(map(_is_name, filter(None, self.header)))
            and not _has_spaced_cell(self.header)
        )

    def above(self, head: list[str], first: int) -> list[list[str]]:
        """The rows between the first line and this table."""
        rows = csv.reader(head[first : self.start], delimiter=self.mark)
        return [row for row in rows if row and not _is_empty(self.mark.join(row))]

    def fits(self, head: list[str], first: int) -> bool:
        """Whether the rows below are as wide as the header, and those above are no header."""
        width = len(self.header)
        if not 2 * sum(len(row) == width for row in self.rows) > len(self.rows):
            return False
        apart = all(
            _is_remark(row) or _is_title(row) or _width(row) == 1 != width
            for row in self.above(head, first)
        )
        end = self.start + self.lines
        alone = end < len(head) and _is_empty(head[end])  # as each row is in some files
        return apart or (_is_empty(head[self.start - 1]) and not alone)

    def is_wider(self, head: list[str], first: int) -> bool:
        """Whether all rows are as wide as the header, and those above narrower, or remarks."""
        width = len(self.header)
        return (
            width > 1
            and len(self.rows) > 0
            and all(len(row) == width for row in self.rows)
            and all(_width(row) < width for row in self.above(head, first))
        )

    def is_below_a_title(self, head: list[str], first: int) -> bool:
        """Whether the rows above cannot be a header with too few cells.

        Comments whose commas are not quoted are not all of three parts without a space between.
        """
        split = len(self.header) < 3 or any(map(_has_spaced_cell, self.rows))
        return all(
            _is_remark(row) or _is_title(row) or (_width(row) == 1 and not split)
            for row in self.above(head, first)
        )

    @property
    def lacks_header(self) -> bool:
        """Whether the first line is a comment, alone or beside numbers as in the rows below."""
        if len(self.header) == 1:
            return _is_prose(self.header[0])
        if _has_spaced_cell(self.header):  # a sentence with a comma
            fitting = sum(len(row) == len(self.header) for row in self.rows)
            return 2 * fitting < len(self.rows) or any(map(_ENDS.search, self.header))
        return any(map(_is_prose, self.header)) and any(
            _is_number(cell) and all(_is_number(row[at]) for row in self.rows if at < len(row))
            for at, cell in enumerate(self.header)
            if self.rows
        )


def _width(row: Sequence[str]) -> int:
    """The number of cells without empty ones at the end, which Excel adds to a title."""
    width = len(row)
    while width and not name_key(row[width - 1]):
        width -= 1
    return width


def _has_spaced_cell(row: Sequence[str]) -> bool:
    """Whether a cell but the first begins with a space, as the parts of a sentence do."""
    return any(cell[:1] == " " for cell in row[1:])


def _is_empty(line: str) -> bool:
    return not line.strip(_EMPTY)


def _is_remark(row: list[str]) -> bool:
    return row[0].lstrip("\ufeff ").startswith("#")


def _is_name(cell: str) -> bool:
    return not _is_prose(cell) and not _is_number(cell)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_prose(cell: str) -> bool:
    """Whether a cell is a sentence rather than the name of a column."""
    text = cell.strip()
    return len(text) > LONGEST_NAME or len(text.split()) > 3 or bool(_SENTENCE.search(text))


def _is_title(row: list[str]) -> bool:
    """Whether a row is a title, or part of one that the separator cuts, and no header."""
    if _width(row) > 1:
        return _has_spaced_cell(row)
    text = row[0].strip()
    return len(text.split()) > 2 or bool(re.search(r"[\d:]", text)) or _is_prose(text)
