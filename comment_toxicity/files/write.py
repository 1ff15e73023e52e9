"""Scored chunks on disk, and joining them into one file of CSV, JSON lines or Parquet.

All columns, and whether any row needs a reason, are known only at the end. Until then the chunks
are separate files, as JSON lines (for CSV too) or as Parquet, which keeps the types.
"""

import codecs
import csv
import io
import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.cli import discard_stdout
from comment_toxicity.disk import shortest_float
from comment_toxicity.errors import DataError
from comment_toxicity.files.read import Bytes, Chunk, parquet_package

if TYPE_CHECKING:
    import pyarrow

FLAGS, REASON = "flags", "reason"
ROW_GROUP_BYTES = 64_000_000


class UnfitError(DataError):
    """Rows that the output format cannot hold; resuming would fail in the same way."""


@dataclass(frozen=True)
class Summary:
    """What was written: rows, and how many of them have no scores."""

    rows: int
    unscored: int


class Output(Protocol):
    """One way to keep chunks (files with `suffix`) and to join them."""

    suffix: str

    def write(
        self, path: Path, chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None]
    ) -> None:
        """Write a chunk's rows with their scores (rows × labels; NaN rows for those without)."""

    def join(self, paths: Sequence[Path], stream: Bytes) -> Summary:
        """Write all chunks as one file."""


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Standard output, to write bytes to. Raises DataError when it cannot take them all."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has gone: not an error, and main() ends quietly
        raise
    except OSError as error:
        discard_stdout()
        raise DataError(
            f"standard output: writing failed ({error.strerror or error}); free some space or send "
            "it elsewhere, and try again."
        ) from error


def score_columns(labels: Sequence[str]) -> list[str]:
    """The names of the score columns, in label order."""
    return [f"{label}_score" for label in labels]


class TextOutput:
    """CSV or JSON lines. A chunk's first line holds its columns and row counts."""

    suffix = ".jsonl"

    def __init__(self, labels: Sequence[str], file_format: str):
        self._scores = score_columns(labels)
        self._format = file_format

    def write(
        self, path: Path, chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None]
    ) -> None:
        """Write a chunk's rows with their scores (rows × labels; NaN rows for those without)."""
        cells = chunk.cells if isinstance(chunk.cells, list) else _as_rows(chunk.cells)
        unscored = sum(reason is not None for reason in chunk.reasons)
        head = {"columns": chunk.columns, "rows": len(cells), "unscored": unscored}
        with path.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(head) + "\n")
            for row, values, flagged, reason in zip(
                cells, scores, flags, chunk.reasons, strict=True
            ):
                numbers = [None if reason else shortest_float(value) for value in values]
                added = dict(zip(self._scores, numbers, strict=True)) | {FLAGS: flagged}
                if reason:
                    added[REASON] = reason
                stream.write(json.dumps(row | added, default=_plain) + "\n")

    def join(self, paths: Sequence[Path], stream: Bytes) -> Summary:
        """Write all chunks as one file: a CSV has a reason column where any row has a reason."""
        names: dict[str, None] = {}
        rows = unscored = 0
        for path in paths:
            head = json.loads(_first_line(path))
            names |= dict.fromkeys(head["columns"])
            unscored += head["unscored"]
        columns = [*names, *self._scores, FLAGS] + [REASON] * (unscored > 0)

        text = codecs.getwriter("utf-8")(stream)  # unlike TextIOWrapper, it never closes the stream
        if self._format == "csv":
            # With \n alone as line end, it would leave a cell's \r unquoted, which ends a line too.
            line = io.StringIO(newline="")
            writer = csv.writer(line, lineterminator="\r\n")
            for cells in itertools.chain([columns], _csv_rows(paths, columns)):
                writer.writerow(cells)
                text.write(line.getvalue().removesuffix("\r\n") + "\n")
                line.seek(0)
                line.truncate()
                rows += 1
            rows -= 1  # the header
        else:
            for row in _rows(paths, json_only=True):
                text.write(json.dumps(row, ensure_ascii=False) + "\n")
                rows += 1
        return Summary(rows, unscored)


class ParquetOutput:
    """Parquet: the types of a Parquet input stay, cells of CSV are strings, JSON's are inferred."""

    suffix = ".parquet"

    def __init__(self, labels: Sequence[str]):
        with parquet_package():
            import pyarrow.parquet  # noqa: F401 - report that it is missing before the work
        self._scores = score_columns(labels)

    def write(
        self, path: Path, chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None]
    ) -> None:
        """Write a chunk's rows with their scores (rows × labels; NaN rows for those without)."""
        import pyarrow
        import pyarrow.parquet

        table = _as_table(chunk)
        for name, values in zip(self._scores, scores.T, strict=True):
            values = np.ascontiguousarray(values)
            table = table.append_column(name, pyarrow.array(values, from_pandas=True))
        table = table.append_column(FLAGS, pyarrow.array(flags, pyarrow.string()))
        table = table.append_column(REASON, pyarrow.array(chunk.reasons, pyarrow.string()))
        with _translating_type_errors():
            pyarrow.parquet.write_table(table, path)

    def join(self, paths: Sequence[Path], stream: Bytes) -> Summary:
        """Write all chunks as one file, with a reason column where any row has a reason."""
        import pyarrow
        from pyarrow.parquet import ParquetWriter, read_schema, read_table

        rows = unscored = 0
        for path in paths:
            reasons = read_table(path, columns=[REASON])[REASON]
            rows, unscored = rows + len(reasons), unscored + len(reasons) - reasons.null_count
        added = [*self._scores, FLAGS] + [REASON] * (unscored > 0)
        with _translating_type_errors():
            schema = pyarrow.unify_schemas(
                [read_schema(path) for path in paths], promote_options="permissive"
            )
        own = [name for name in schema.names if name not in {*self._scores, FLAGS, REASON}]
        order = own + added
        final = pyarrow.schema([schema.field(name) for name in order], metadata=schema.metadata)

        with _translating_type_errors(), ParquetWriter(stream, final) as writer:
            group = [final.empty_table()]
            for path in paths:
                table = read_table(path)
                group.append(table.select([name for name in order if name in table.column_names]))
                if sum(part.nbytes for part in group) > ROW_GROUP_BYTES:
                    writer.write_table(pyarrow.concat_tables(group, promote_options="permissive"))
                    group = [final.empty_table()]
            writer.write_table(pyarrow.concat_tables(group, promote_options="permissive"))
        return Summary(rows, unscored)


@contextmanager
def _translating_type_errors() -> Iterator[None]:
    """Turn Arrow's errors about values that fit no column into one sentence."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OverflowError) as error:
        raise UnfitError(
            f"A column holds values that Parquet has no type for ({error}), such as values of "
            "different types; write JSON lines or CSV instead."
        ) from error


def _as_rows(table: "pyarrow.Table") -> list[dict[str, Any]]:
    try:
        return table.to_pylist()
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"The table cannot be written as text ({error}).") from error


def _as_table(chunk: Chunk) -> "pyarrow.Table":
    import pyarrow

    if not isinstance(chunk.cells, list):
        return chunk.cells
    with _translating_type_errors():
        columns = {name: [row.get(name) for row in chunk.cells] for name in chunk.columns}
        return pyarrow.table(columns)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as stream:
        return stream.readline()


def _rows(paths: Sequence[Path], json_only: bool = False) -> Iterator[dict[str, Any]]:
    """The chunks' rows. json_only: null for NaN and infinity, which JSON cannot represent."""
    constant = (lambda _: None) if json_only else float
    for path in paths:
        with path.open(encoding="utf-8") as stream:
            stream.readline()
            for line in stream:
                yield json.loads(line, parse_constant=constant)


def _csv_rows(paths: Sequence[Path], columns: list[str]) -> Iterator[list[str]]:
    for row in _rows(paths):
        yield [_csv_cell(row.get(name)) for name in columns]


def _plain(value: Any) -> str:
    """Values that JSON cannot represent, as text: dates, decimals, bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _csv_cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
