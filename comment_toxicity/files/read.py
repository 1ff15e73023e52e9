"""Files of comments, read in chunks: CSV and JSON (also .gz), Parquet, standard input.

Every row is kept, in order. One that cannot be scored has a reason instead of a text. Scoring, the
page and training read files here.
"""

import csv
import gzip
import io
import itertools
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from comment_toxicity.errors import DataError
from comment_toxicity.extras import needed_for
from comment_toxicity.files.columns import (
    TEXT_COLUMNS,
    AmbiguousError,
    find_column,
    find_text_column,
    listed,
    name_key,
)
from comment_toxicity.files.csv_rows import LONGEST_CELL, CsvRows
from comment_toxicity.files.header import head_lines, table_start
from comment_toxicity.files.json_rows import json_rows
from comment_toxicity.files.streams import (
    STANDARD_STREAM,
    Bytes,
    as_utf8,
    bounded_lines,
    open_bytes,
)
from comment_toxicity.text import is_blank

if TYPE_CHECKING:
    import pyarrow

BLANK = "blank"
NAME_COLUMN = "name the column of comments with --text-column"

# A chunk ends at whichever it reaches first, so that memory stays constant.
CHUNK_ROWS = 1000
CHUNK_CHARACTERS = 4_000_000
CHUNK_EMPTY = 100_000  # empty lines, which are not rows
LONGEST_NAME = 1000  # characters of a column name
MOST_VALUES = 200_000  # in a line of JSON; each takes a hundred bytes and more

# Endings of files that can be read → their format. Those of FORMATS can be written, too.
READABLE = {
    "csv": "csv",
    "tsv": "csv",
    "txt": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "jsonl",
    "parquet": "parquet",
}
FORMATS = ("csv", "jsonl", "parquet")
SPREADSHEETS = ("xlsx", "xls", "xlsm", "xlsb", "ods", "numbers")


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file, in order.

    columns: their names, in order.
    cells: the rows unchanged: a table from Parquet, else one dict per row (column → cell).
    texts: what to score, one per row; None where that is impossible.
    reasons: why it is impossible, one per row; None where it is possible. Once scored, also how
        much of a long text was.
    """

    columns: list[str]
    cells: "list[dict[str, Any]] | pyarrow.Table"
    texts: list[str | None]
    reasons: list[str | None]


def with_column(chunk: Chunk, name: str, cells: list[str | None]) -> Chunk:
    """Return a chunk with one more column of texts; a name that is taken gets a number."""
    free, number = name, 0
    while free in chunk.columns:
        number += 1
        free = f"{name}_{number}"
    if isinstance(chunk.cells, list):
        rows = [{**row, free: cell} for row, cell in zip(chunk.cells, cells, strict=True)]
        return replace(chunk, columns=[*chunk.columns, free], cells=rows)
    import pyarrow

    table = chunk.cells.append_column(free, pyarrow.array(cells, pyarrow.string()))
    return replace(chunk, columns=[*chunk.columns, free], cells=table)


class Input(Protocol):
    """An open file of comments.

    columns: those known from its start; later lines of JSON can have others.
    text_column: the first of TEXT_COLUMNS that is there, or None.
    rows: how many there are, if that is known beforehand.
    """

    columns: list[str]
    text_column: str | None
    rows: int | None

    def chunks(self, text_column: str | None) -> Iterator[Chunk]:
        """Read to the end: at least one chunk. The same file yields the same chunks each time.

        text_column: None has no texts; reasons are those of unreadable rows, and BLANK.
        """


def file_format(path: str, stream_format: str) -> str:
    """The format of a file to write: “csv”, “jsonl” or “parquet”, by the ending.

    `stream_format` is that of a standard stream. Raises DataError for another ending.
    """
    return _by_ending(path, stream_format, dict(zip(FORMATS, FORMATS, strict=True)))


def input_format(path: str, stream_format: str = "csv") -> str:
    """The format of a file to read, as file_format has it; also of .tsv, .txt and .json."""
    return _by_ending(path, stream_format, READABLE)


def _by_ending(path: str, stream_format: str, formats: dict[str, str]) -> str:
    if path == STANDARD_STREAM:
        return stream_format
    name = path.lower().removesuffix(".gz")
    ending = Path(name).suffix[1:]
    known = formats.get(ending)
    if known and not (known == "parquet" and path.lower().endswith(".gz")):
        return known
    if ending in SPREADSHEETS:
        raise DataError(
            f"{path}: a spreadsheet, which is not read or written here; save the sheet as “CSV "
            "UTF-8” in Excel, LibreOffice or Numbers, and use that file."
        )
    endings = ", ".join(
        f".{known} and .{known}.gz" if known != "parquet" else ".parquet" for known in formats
    )
    raise DataError(f"{path}: unknown ending; use {endings}, or “-”.")


@contextmanager
def open_input(path: str, stream_format: str, encoding: str | None = None) -> Iterator[Input]:
    """Open a file of comments, or standard input for "-".

    encoding: of CSV and JSON, as Python names it; None is UTF-8, or UTF-16 where the file says so.
    Raises DataError when it is missing, empty, or not what its ending says.
    """
    known = input_format(path, stream_format)
    try:
        if known == "parquet":
            yield ParquetInput(path)
        else:
            with open_bytes(path) as stream:
                text = as_utf8(stream, path, encoding)
                if known == "csv":
                    yield CsvInput(path, text, encoding)
                else:
                    yield JsonlInput(path, text, encoding)
    except FileNotFoundError as error:
        if error.filename != path:
            raise
        raise DataError(f"{path}: no such file.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip data are broken ({error}); copy it again.") from error
    except OSError as error:
        if error.filename not in (path, None) or isinstance(error, BrokenPipeError):
            raise
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def parquet_package() -> AbstractContextManager[None]:
    """Turn a failed import of pyarrow into a DataError that says what to install."""
    return needed_for("Parquet", "comment-toxicity[files]", DataError)


def choose_text_column(source: Input, path: str, name: str | None) -> str:
    """The column called `name`; for None the input's own. DataError if there is none."""
    try:
        column = find_column(source.columns, [name] if name else TEXT_COLUMNS)
    except AmbiguousError as error:
        raise DataError(f"{path}: {error}") from error
    column = column if name else source.text_column
    if column is not None:
        return column
    raise DataError(
        f"{path}: no column {name or ' or '.join(TEXT_COLUMNS)} "
        f"(found {listed(source.columns)}); {NAME_COLUMN}."
    )


class CsvInput:
    """CSV with a header, UTF-8. Cells are strings, verbatim.

    Commas separate the cells; if the header has none, semicolons, tabs or |; in a .tsv, tabs.
    A line `sep=;`, comments and a title above the header are skipped. Columns without a name are
    numbered if there are several; those after the last name are left out where they are empty.
    separator: what separates the cells.
    """

    def __init__(self, path: str, stream: Bytes, encoding: str | None = None):
        self.rows: int | None = None
        self._not_text = _not_text(encoding)
        csv.field_size_limit(LONGEST_CELL)
        # Bytes that are not UTF-8 become lone surrogates, and mark their row.
        # Kept here, as it closes the stream when it is collected.
        self._text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
        lines = bounded_lines(self._text, path)
        head, skipped = head_lines(lines, path)
        if not head:
            raise DataError(f"{path}: is empty; expected a header line and one line per comment.")
        tabs = path.lower().removesuffix(".gz").endswith(".tsv")
        start = table_start(head, path, skipped, tabs)
        self.separator = start.mark
        rest = itertools.chain(head[start.line :], lines)
        self._rows = CsvRows(rest, path, start.mark, skipped + start.line, start.spaced)
        names = next(self._rows)
        if not all(map(_is_utf8, names)):
            raise DataError(f"{path}: the header {self._not_text}.")
        named = max((at for at, name in enumerate(names, start=1) if name_key(name)), default=0)
        if not named:
            raise DataError(f"{path}: the header names no column.")
        numbered = [f"column {at}" for at in range(1, len(names) + 1)]
        nameless = [at for at in range(named) if not name_key(names[at])]
        if len(nameless) > 1:
            names = [numbered[at] if at in nameless else name for at, name in enumerate(names)]
        self.columns, self._unnamed = names[:named], numbered[named:]
        _check_names([*self.columns, *self._unnamed], path)
        self.text_column = find_text_column(self.columns)

    def chunks(self, text_column: str | None) -> Iterator[Chunk]:
        """Read to the end. An empty line is a row only if there is one column."""
        single = len(self.columns) == 1
        for rows in _grouped(
            self._row(fields or [""], text_column) if fields or single else None
            for fields in self._rows
        ):
            columns = self.columns
            if self._unnamed:
                used = {name for row in rows for name in row.cells}
                columns = columns + [name for name in self._unnamed if name in used]
            yield Chunk(columns, [row.cells for row in rows], *_texts_and_reasons(rows))

    def _row(self, fields: list[str], text_column: str | None) -> "_Row":
        reason = None
        least, most = len(self.columns), len(self.columns) + len(self._unnamed)
        if not all(map(_is_utf8, fields)):
            fields = [
                cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                for cell in fields
            ]
            reason = f"line {self._rows.line} {self._not_text}"
        elif not least <= len(fields) <= most:
            expected = least if least == most else f"{least} to {most}"
            reason = f"line {self._rows.line} has {len(fields)} cells, not {expected}"
        missing = [""] * (len(self.columns) - len(fields))
        cells = dict(zip(self.columns, fields + missing, strict=False))
        unnamed = zip(self._unnamed, fields[least:], strict=False)
        cells |= {name: cell for name, cell in unnamed if cell.strip()}
        return _Row(cells, cells.get(text_column) if text_column is not None else None, reason)


class JsonlInput:
    """JSON, UTF-8: one object per line, or an array of objects. Empty lines are skipped.

    NaN, which JSON does not have, is null.
    """

    def __init__(self, path: str, stream: Bytes, encoding: str | None = None):
        self.rows: int | None = None
        self._encoding = encoding or "UTF-8"
        self._lines = json_rows(stream, path)
        self.text_column: str | None = None  # the first row's decides for all
        self._head: list[tuple[int, bytes]] = []
        columns: dict[str, None] = {}
        size = 0
        for number, line in self._lines:
            self._head.append((number, line))
            columns |= dict.fromkeys(parse_row(line)[0])
            self.text_column = self.text_column or find_text_column(columns)
            size += len(line)
            if len(self._head) == CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                break
        self.columns = list(columns)
        if not any(line.strip() for _, line in self._head):
            raise DataError(f"{path}: is empty; expected one JSON object per line.")
        if not self.columns:
            raise DataError(
                f"{path}: none of its first lines is a JSON object (line {self._head[0][0]}: "
                f"{parse_row(self._head[0][1])[1] or 'empty'}); write one object per line."
            )
        _check_names(self.columns, path)

    def chunks(self, text_column: str | None) -> Iterator[Chunk]:
        """Read to the end."""
        for rows in _grouped(self._rows(text_column)):
            columns = list(dict.fromkeys(name for row in rows for name in row.cells))
            yield Chunk(columns, [row.cells for row in rows], *_texts_and_reasons(rows))

    def _rows(self, text_column: str | None) -> Iterator["_Row | None"]:
        for lines in (self._head, self._lines):
            for number, line in lines:
                if not line.strip():
                    yield None
                    continue
                cells, reason = parse_row(line, self._encoding)
                text = cells.get(text_column) if text_column is not None else None
                if reason is None and not isinstance(text, str) and not is_blank(text):
                    reason = f"its {text_column} is not a text"
                yield _Row(cells, text, reason and f"line {number}: {reason}")


class ParquetInput:
    """A Parquet file. Cells keep their types."""

    def __init__(self, path: str):
        if path == STANDARD_STREAM:
            raise DataError("Parquet cannot be read from standard input; give a file.")
        with parquet_package():
            import pyarrow
            import pyarrow.parquet

        self._path = path
        if not Path(path).exists():
            raise DataError(f"{path}: no such file.")
        try:
            # Otherwise a row group is read at once, and a whole file can be one.
            self._file = pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
            self.columns = self._file.schema_arrow.names
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not a whole Parquet file ({error}).") from error
        _check_names(self.columns, path)
        self.text_column = find_text_column(self.columns)
        self.rows: int | None = self._file.metadata.num_rows

    def chunks(self, text_column: str | None) -> Iterator[Chunk]:
        """Read to the end. Texts that are stored as bytes become strings."""
        import pyarrow

        schema = self._file.schema_arrow
        if text_column is not None and not may_hold_texts(schema.field(text_column).type):
            raise DataError(
                f"{self._path}: column {text_column} holds {schema.field(text_column).type}, not "
                f"text; {NAME_COLUMN}."
            )
        try:
            if self.rows == 0:
                yield table_chunk(schema.empty_table(), text_column)
            for batch in self._file.iter_batches(batch_size=CHUNK_ROWS):
                yield table_chunk(pyarrow.Table.from_batches([batch]), text_column)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{self._path}: the Parquet data are broken ({error}).") from error


def table_chunk(table: "pyarrow.Table", text_column: str | None) -> Chunk:
    """An Arrow table as a chunk. Texts that are stored as bytes become strings."""
    import pyarrow

    if text_column is None:
        rows = [_Row({}, None)] * len(table)
        return Chunk(table.column_names, table, *_texts_and_reasons(rows))
    column = table[text_column]
    rows = []
    for cell in as_bytes(column).to_pylist():
        try:
            rows.append(_Row({}, cell if cell is None else cell.decode()))
        except UnicodeDecodeError:
            rows.append(_Row({}, cell.decode("utf-8", "replace"), "not UTF-8"))
    if any(row.reason for row in rows) or is_binary(column.type):
        position = table.column_names.index(text_column)
        clean = pyarrow.array([row.text for row in rows], pyarrow.string())
        table = table.set_column(position, text_column, clean)
    return Chunk(table.column_names, table, *_texts_and_reasons(rows))


def may_hold_texts(data_type: "pyarrow.DataType") -> bool:
    """Whether a column of this type can be scored: of texts, or of nothing but nulls."""
    from pyarrow import types

    return holds_texts(data_type) or types.is_null(data_type)


def holds_texts(data_type: "pyarrow.DataType") -> bool:
    """Whether a Parquet column of this type can hold texts: as strings, or as bytes."""
    return is_binary(data_type) or str(_plain_type(data_type)) in {
        "string",
        "large_string",
        "string_view",
    }


def as_bytes(column: "pyarrow.Array | pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """A column of texts as their bytes: one text that is not UTF-8 would spoil all of them.

    The zeros that fill up bytes of a fixed size are left out.
    """
    import pyarrow

    column = column.cast(_plain_type(column.type))
    if pyarrow.types.is_fixed_size_binary(column.type):
        cells = [cell if cell is None else cell.rstrip(b"\0") for cell in column.to_pylist()]
        return pyarrow.chunked_array([pyarrow.array(cells, pyarrow.large_binary())])
    if not is_binary(column.type):
        column = column.cast(pyarrow.large_string())
    return column.cast(pyarrow.large_binary())


def _plain_type(data_type: "pyarrow.DataType") -> "pyarrow.DataType":
    import pyarrow

    return data_type.value_type if pyarrow.types.is_dictionary(data_type) else data_type


def is_binary(data_type: "pyarrow.DataType") -> bool:
    """Whether a Parquet column of this type holds bytes."""
    from pyarrow import types

    plain = _plain_type(data_type)
    return any(
        is_kind(plain)
        for is_kind in (
            types.is_binary,
            types.is_large_binary,
            types.is_fixed_size_binary,
            types.is_binary_view,
        )
    )


@dataclass(frozen=True)
class _Row:
    cells: dict[str, Any]
    text: str | None
    reason: str | None = None


def _texts_and_reasons(rows: list[_Row]) -> tuple[list[str | None], list[str | None]]:
    reasons = [row.reason or (BLANK if is_blank(row.text) else None) for row in rows]
    texts = [None if reason else row.text for row, reason in zip(rows, reasons, strict=True)]
    return texts, reasons


def _grouped(rows: Iterable[_Row | None]) -> Iterator[list[_Row]]:
    """Cut rows into one list per chunk; None is an empty line. No rows make one empty list."""
    group: list[_Row] = []
    characters = empty = 0
    for row in rows:
        if (
            len(group) == CHUNK_ROWS
            or characters >= CHUNK_CHARACTERS
            or empty == CHUNK_EMPTY  # so that a caller waiting for a chunk can end the run
        ):
            yield group
            group, characters, empty = [], 0, 0
        if row is None:
            empty += 1
            continue
        group.append(row)
        characters += len(row.cells)  # empty cells take memory, too
        characters += sum(len(cell) for cell in row.cells.values() if isinstance(cell, str))
    yield group


def parse_row(line: bytes, encoding: str = "UTF-8") -> tuple[dict[str, Any], str | None]:
    """The object on a line of JSON; or an empty one, and the reason."""
    if not line or line.isspace():
        return {}, "not JSON"  # at once: compressed, a small file can hold millions of them
    if _has_many_values(line):
        return {}, f"more than {MOST_VALUES:,} commas and brackets"
    try:
        text = line.decode("utf-8-sig")
        cells = json.loads(text, parse_constant=_constant)
        if "\\ud" in text.lower():  # an escape that can make a lone surrogate, see text.py
            whole = json.dumps(cells, ensure_ascii=False).encode("utf-16", "surrogatepass")
            cells = json.loads(whole.decode("utf-16", "replace"))
    except UnicodeDecodeError:
        return {}, f"not {encoding}"
    except (ValueError, RecursionError):
        return {}, "not JSON"
    return (cells, None) if isinstance(cells, dict) else ({}, "not a JSON object")


def _constant(name: str) -> float | None:
    """Infinity, -Infinity, or None for NaN, as pandas and json.dumps write what is missing."""
    return None if name == "NaN" else float(name)


def _has_many_values(line: bytes) -> bool:
    """Whether a line of JSON could fill the memory once it is parsed."""
    return len(line) > MOST_VALUES and sum(map(line.count, (b",", b"[", b"{"))) > MOST_VALUES


def _check_names(columns: list[str], path: str) -> None:
    """DataError for names that cannot be told apart, or that no table shows."""
    longest = max(columns, key=len, default="")
    if len(longest) > LONGEST_NAME:
        raise DataError(
            f"{path}: a column name has {len(longest):,} characters ({longest[:40]!r}…), "
            f"at most {LONGEST_NAME:,} are read: is the first line the header?"
        )
    name, times = Counter(columns).most_common(1)[0] if columns else ("", 0)
    if times > 1:
        raise DataError(f"{path}: more than one column is called {name!r}; rename them.")


def _not_text(encoding: str | None) -> str:
    if encoding:
        return f"is not {encoding}; give its right encoding"
    return "is not UTF-8; save the file as “CSV UTF-8”"


def _is_utf8(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
