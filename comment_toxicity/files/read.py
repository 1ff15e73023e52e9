"""Files of comments, read in chunks: CSV and JSON lines (also .gz), Parquet, standard input.

Every row is kept, in order. One that cannot be scored has a reason instead of a text.
"""

import csv
import gzip
import io
import itertools
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from comment_toxicity.errors import DataError
from comment_toxicity.extras import needed_for
from comment_toxicity.files.csv_rows import LONGEST_CELL, CsvRows, header_lines, separator
from comment_toxicity.text import is_blank

if TYPE_CHECKING:
    import pyarrow

STANDARD_STREAM = "-"
TEXT_COLUMNS = ("comment_text", "text")
BLANK = "blank"
NAME_COLUMN = "name the column of comments with --text-column"

# A chunk ends at whichever it reaches first, so that memory stays constant.
CHUNK_ROWS = 1000
CHUNK_CHARACTERS = 4_000_000
CHUNK_EMPTY = 100_000  # empty lines, which are not rows
MOST_VALUES = 200_000  # in a line of JSON; each takes a hundred bytes and more

Bytes = IO[bytes] | gzip.GzipFile


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file, in order.

    columns: their names, in order.
    cells: the rows unchanged: a table from Parquet, else one dict per row (column → cell).
    texts: what to score, one per row; None where that is impossible.
    reasons: why it is impossible, one per row; None where it is possible.
    """

    columns: list[str]
    cells: "list[dict[str, Any]] | pyarrow.Table"
    texts: list[str | None]
    reasons: list[str | None]


class Input(Protocol):
    """An open file of comments.

    columns: those known from its start; later lines of JSON can have others.
    text_column: the first of TEXT_COLUMNS that is there, or None.
    rows: how many there are, if that is known beforehand.
    """

    columns: list[str]
    text_column: str | None
    rows: int | None

    def chunks(self, text_column: str) -> Iterator[Chunk]:
        """Read to the end: at least one chunk. The same file yields the same chunks each time."""


def file_format(path: str, stream_format: str) -> str:
    """“csv”, “jsonl” or “parquet”, by the ending; `stream_format` for a standard stream."""
    if path == STANDARD_STREAM:
        return stream_format
    name = path.lower().removesuffix(".gz")
    for known in ("csv", "jsonl", "parquet"):
        if name.endswith(f".{known}") and not (known == "parquet" and path.lower().endswith(".gz")):
            return known
    raise DataError(
        f"{path}: unknown ending; use .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet, or “-”."
    )


@contextmanager
def open_input(path: str, stream_format: str) -> Iterator[Input]:
    """Open a file of comments, or standard input for "-".

    Raises DataError when it is missing, empty, or not what its ending says.
    """
    input_format = file_format(path, stream_format)
    try:
        if input_format == "parquet":
            yield ParquetInput(path)
        else:
            with _open_bytes(path) as stream:
                yield CsvInput(path, stream) if input_format == "csv" else JsonlInput(path, stream)
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
    column = find_column(source.columns, [name]) if name else source.text_column
    if column is not None:
        return column
    raise DataError(
        f"{path}: no column {name or ' or '.join(TEXT_COLUMNS)} "
        f"(found {', '.join(source.columns)}); {NAME_COLUMN}."
    )


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column; if none is, the first in any case."""
    for name in names:
        if name in columns:
            return name
    for name in names:
        for column in columns:
            if column.casefold() == name.casefold():
                return column
    return None


class CsvInput:
    """CSV with a header, UTF-8. Cells are strings, verbatim.

    Commas separate the cells; if the header has none, semicolons or tabs.
    """

    def __init__(self, path: str, stream: Bytes):
        self.rows: int | None = None
        self._path = path
        csv.field_size_limit(LONGEST_CELL)
        # Bytes that are not UTF-8 become lone surrogates, and mark their row.
        # Kept here, as it closes the stream when it is collected.
        self._text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
        lines = _bounded_lines(self._text, path)
        head, skipped = header_lines(lines, path)
        self._rows = CsvRows(itertools.chain(head, lines), path, separator(head), skipped)
        self.columns = next(filter(None, self._rows), [])
        if not self.columns:
            raise DataError(f"{path}: is empty; expected a header line and one line per comment.")
        if not all(map(_is_utf8, self.columns)):
            raise DataError(f"{path}: the header is not UTF-8; save the file as “CSV UTF-8”.")
        _check_unique(self.columns, path)
        self.text_column = find_column(self.columns, TEXT_COLUMNS)

    def chunks(self, text_column: str) -> Iterator[Chunk]:
        """Read to the end. An empty line is a row only if there is one column."""
        single = len(self.columns) == 1
        for rows in _grouped(
            self._row(fields or [""], text_column) if fields or single else None
            for fields in self._rows
        ):
            yield Chunk(self.columns, [row.cells for row in rows], *_texts_and_reasons(rows))

    def _row(self, fields: list[str], text_column: str) -> "_Row":
        reason = None
        if not all(map(_is_utf8, fields)):
            fields = [
                cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                for cell in fields
            ]
            reason = f"line {self._rows.line} is not UTF-8; save the file as “CSV UTF-8”"
        elif len(fields) != len(self.columns):
            reason = f"line {self._rows.line} has {len(fields)} cells, not {len(self.columns)}"
        missing = [""] * (len(self.columns) - len(fields))
        cells = dict(zip(self.columns, fields + missing, strict=False))
        return _Row(cells, cells[text_column], reason)


class JsonlInput:
    """JSON lines: one object per line, UTF-8. Empty lines are skipped."""

    def __init__(self, path: str, stream: Bytes):
        self.rows: int | None = None
        self._lines = enumerate(_bounded_lines(stream, path), start=1)
        self.text_column: str | None = None  # the first row's decides for all
        self._head: list[tuple[int, bytes]] = []
        columns: dict[str, None] = {}
        size = 0
        for number, line in self._lines:
            self._head.append((number, line))
            columns |= dict.fromkeys(_parse(line)[0])
            self.text_column = self.text_column or find_column(list(columns), TEXT_COLUMNS)
            size += len(line)
            if len(self._head) == CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                break
        self.columns = list(columns)
        if not any(line.strip() for _, line in self._head):
            raise DataError(f"{path}: is empty; expected one JSON object per line.")
        if not self.columns:
            raise DataError(f"{path}: none of its first lines is a JSON object.")

    def chunks(self, text_column: str) -> Iterator[Chunk]:
        """Read to the end."""
        for rows in _grouped(self._rows(text_column)):
            columns = list(dict.fromkeys(name for row in rows for name in row.cells))
            yield Chunk(columns, [row.cells for row in rows], *_texts_and_reasons(rows))

    def _rows(self, text_column: str) -> Iterator["_Row | None"]:
        for lines in (self._head, self._lines):
            for number, line in lines:
                if not line.strip():
                    yield None
                    continue
                cells, reason = _parse(line)
                text = cells.get(text_column)
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
        _check_unique(self.columns, path)
        self.text_column = find_column(self.columns, TEXT_COLUMNS)
        self.rows: int | None = self._file.metadata.num_rows

    def chunks(self, text_column: str) -> Iterator[Chunk]:
        """Read to the end."""
        import pyarrow

        cell_type = self._file.schema_arrow.field(text_column).type
        if pyarrow.types.is_dictionary(cell_type):
            cell_type = cell_type.value_type
        if str(cell_type) not in {"string", "large_string", "string_view", "null"}:
            raise DataError(
                f"{self._path}: column {text_column} holds {cell_type}, not text; {NAME_COLUMN}."
            )
        try:
            if self.rows == 0:
                yield self._chunk(self._file.schema_arrow.empty_table(), text_column)
            for batch in self._file.iter_batches(batch_size=CHUNK_ROWS):
                yield self._chunk(pyarrow.Table.from_batches([batch]), text_column)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{self._path}: the Parquet data are broken ({error}).") from error

    @staticmethod
    def _chunk(table: "pyarrow.Table", text_column: str) -> Chunk:
        import pyarrow

        # As bytes, since one text that is not UTF-8 would make all of them unreadable.
        raw = table[text_column].cast(pyarrow.large_string()).cast(pyarrow.large_binary())
        rows = []
        for cell in raw.to_pylist():
            try:
                rows.append(_Row({}, cell if cell is None else cell.decode()))
            except UnicodeDecodeError:
                rows.append(_Row({}, cell.decode("utf-8", "replace"), "not UTF-8"))
        if any(row.reason for row in rows):
            position = table.column_names.index(text_column)
            clean = pyarrow.array([row.text for row in rows], pyarrow.string())
            table = table.set_column(position, text_column, clean)
        return Chunk(table.column_names, table, *_texts_and_reasons(rows))


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


def _parse(line: bytes) -> tuple[dict[str, Any], str | None]:
    """The object on a line of JSON; or an empty one, and the reason."""
    if has_many_values(line):
        return {}, f"more than {MOST_VALUES:,} commas and brackets"
    try:
        text = line.decode("utf-8-sig")
        cells = json.loads(text)
        if "\\ud" in text.lower():  # an escape that can make a lone surrogate, see text.py
            whole = json.dumps(cells, ensure_ascii=False).encode("utf-16", "surrogatepass")
            cells = json.loads(whole.decode("utf-16", "replace"))
    except UnicodeDecodeError:
        return {}, "not UTF-8"
    except (ValueError, RecursionError):
        return {}, "not JSON"
    return (cells, None) if isinstance(cells, dict) else ({}, "not a JSON object")


def has_many_values(line: bytes) -> bool:
    """Whether a line of JSON could fill the memory once it is parsed."""
    return len(line) > MOST_VALUES and sum(map(line.count, (b",", b"[", b"{"))) > MOST_VALUES


def _check_unique(columns: list[str], path: str) -> None:
    name, times = Counter(columns).most_common(1)[0] if columns else ("", 0)
    if times > 1:
        raise DataError(f"{path}: more than one column is called {name!r}; rename them.")


def _bounded_lines(stream: io.TextIOWrapper | Bytes, path: str) -> Iterator[Any]:
    """Read lines of bounded length: a small .gz can hold an endless one."""
    for number in itertools.count(1):
        line = stream.readline(LONGEST_CELL)
        if not line:
            return
        if len(line) == LONGEST_CELL:
            raise DataError(
                f"{path}: line {number} is longer than {LONGEST_CELL:,} characters; "
                "expected one line per comment."
            )
        yield line


def _is_utf8(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _open_bytes(path: str) -> Bytes:
    if path == STANDARD_STREAM:
        return sys.stdin.buffer
    if path.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return Path(path).open("rb")
