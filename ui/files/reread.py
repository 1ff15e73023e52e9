"""A CSV without a header, or not in UTF-8 → a copy beside it that can be read."""

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

from comment_toxicity.errors import DataError
from comment_toxicity.files.columns import TEXT_COLUMNS
from comment_toxicity.files.csv_rows import LONGEST_CELL, SEPARATORS
from comment_toxicity.files.header import HEAD_LINES, NoHeaderError, head_lines
from comment_toxicity.files.streams import as_utf8, bounded_lines, open_bytes
from ui.files.upload import Source, cannot_store, look_into

WINDOWS = "cp1252"
"""What Western European spreadsheets write unless they are asked for UTF-8."""


def reread(source: Source, header: bool = True, encoding: str = "") -> Source:
    """Read an uploaded CSV again. Raises DataError.

    header: whether its first row is one; without, the columns get names, and the longest is that of
    the comments. encoding: of the file; empty is UTF-8, or UTF-16 where it says so.
    """
    original = source.original or source.path
    if header and not encoding:
        return look_into(original, source.name)
    path = original.parent / "reread" / original.name
    try:
        path.parent.mkdir(exist_ok=True)
        with (
            open_bytes(str(original)) as stream,
            path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as copy,
        ):
            utf8 = as_utf8(stream, source.name, encoding or None)
            text = io.TextIOWrapper(utf8, "utf-8-sig", errors="surrogateescape", newline="")
            if not header:
                copy.writelines(_with_header(text, source.name))
            shutil.copyfileobj(text, copy, 1 << 20)
    except OSError as error:
        raise cannot_store(error) from error
    found = look_into(path, source.name)
    return Source(path, found.name, found.columns, found.text_column, original, header, encoding)


def look_without_header(path: Path, name: str) -> Source:
    """Read a file's columns as look_into does, also where its first line is plainly a row."""
    try:
        return look_into(path, name)
    except NoHeaderError:
        return reread(Source(path, name, [], ""), header=False)


def _with_header(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    """The lines of a file below a header of our own; where all have one cell, each is quoted."""
    csv.field_size_limit(LONGEST_CELL)
    lines = bounded_lines(text, name)
    head, _ = head_lines(lines, name)
    if not head:
        raise DataError(f"{name}: is empty; expected one line per comment.")
    widths, mark = _cells(head, name.lower().endswith(".tsv"))
    if widths:
        longest = widths.index(max(widths))
        names = [f"column {at}" for at in range(1, len(widths) + 1)]
        names[longest] = TEXT_COLUMNS[0]
        yield mark.join(names) + "\n"
        yield from head
        return
    yield TEXT_COLUMNS[0] + "\n"
    for each in (head, lines):
        for line in each:
            if line.strip():
                yield '"' + line.rstrip("\r\n").replace('"', '""') + '"\n'


def _cells(head: list[str], tabs: bool) -> tuple[list[int], str]:
    """How long each column is, and what separates them; empty where each line is one comment."""
    for mark in ("\t" if tabs else "") + SEPARATORS:
        try:
            rows = [row for row in csv.reader(head, delimiter=mark) if row]
        except csv.Error:
            continue
        if len(head) == HEAD_LINES and len(rows) > 1:
            rows = rows[:-1]  # it can be cut off
        width = len(rows[0])
        quoted = width == 1 and all(line.lstrip().startswith('"') for line in head[:1])
        if (width > 1 or quoted) and all(len(row) == width for row in rows):
            return [sum(len(row[at]) for row in rows) for at in range(width)], mark
    return [], ""
