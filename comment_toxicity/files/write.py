"""Scored chunks on disk, and joining them into one file of CSV, JSON lines or Parquet.

All columns, their types, and whether any row needs a reason, are known only at the end. Until then
each chunk is a file of its own: 00000000.jsonl holds its rows as they will be in the result, and
00000000.head its columns and counts. Parquet that stays Parquet is 00000000.parquet alone.
"""

import codecs
import csv
import dataclasses
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.cli import discard_stdout
from comment_toxicity.disk import read_json, shortest_float, write_json
from comment_toxicity.errors import DataError
from comment_toxicity.files.column_types import Type, arrow_type, merged, type_of
from comment_toxicity.files.read import Bytes, Chunk, parquet_package

if TYPE_CHECKING:
    import pyarrow

FLAGS, REASON = "flags", "reason"
ROW_GROUP_BYTES = 64_000_000
JSON_TEXT = {b"content": b"json"}
"""The metadata of a Parquet column whose cells are JSON text."""
RECORD_KEY = b"comment_toxicity"
"""The metadata of a Parquet file: from which input it was made, with which model, as JSON."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Added:
    """The names of the columns that scoring adds, in this order; scores are in label order."""

    scores: list[str]
    flags: str
    reason: str

    @classmethod
    def beside(cls, columns: Iterable[str], labels: Sequence[str]) -> "Added":
        """The names beside a file's own columns: one that is taken gets _1, or the next free."""
        taken = set(columns)
        names = []
        for name in (*score_columns(labels), FLAGS, REASON):
            free, number = name, 0
            while free in taken:
                number += 1
                free = f"{name}_{number}"
            taken.add(free)
            names.append(free)
        *scores, flags, reason = names
        return cls(scores, flags, reason)

    @property
    def names(self) -> list[str]:
        """All names."""
        return [*self.scores, self.flags, self.reason]


@dataclass(frozen=True)
class Summary:
    """What was written.

    rows, unscored: how many, and how many of them have a reason and no scores.
    reasons: how many have a reason; those that were scored in part have scores too.
    added: the added columns; that of reasons is there only if a row has one.
    notes: what a user should know about the columns, a sentence each.
    """

    rows: int
    unscored: int
    reasons: int
    added: Added
    notes: Sequence[str]


class Output(Protocol):
    """One way to keep chunks (files with `suffix`) and to join them."""

    suffix: str

    def write(
        self, path: Path, chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None]
    ) -> None:
        """Write a chunk's rows with their scores (rows × labels; NaN rows for those without).

        path: ends in `suffix`; the file appears whole or not at all.
        """

    def join(
        self, paths: Sequence[Path], stream: Bytes, record: Mapping[str, Any] | None = None
    ) -> Summary:
        """Write all chunks as one file. record: for the metadata of Parquet, under RECORD_KEY."""


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
    """The names of the score columns, in label order, unless the file has them already."""
    return [f"{label}_score" for label in labels]


class RowOutput:
    """Rows kept as JSON lines, and joined as “csv”, “jsonl” or “parquet”.

    Parquet's types are decided over the whole file, and no value is changed to fit one.
    """

    suffix = ".jsonl"

    def __init__(self, labels: Sequence[str], file_format: str, text_column: str):
        if file_format == "parquet":
            with parquet_package():
                import pyarrow.parquet  # noqa: F401 - report that it is missing before the work
        self._labels = labels
        self._format = file_format
        self._text_column = text_column

    def write(
        self, path: Path, chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None]
    ) -> None:
        """Write a chunk's rows with their scores (rows × labels; NaN rows for those without)."""
        cells = chunk.cells if isinstance(chunk.cells, list) else as_rows(chunk.cells)
        added = Added.beside(chunk.columns, self._labels)
        types: dict[str, Type] = dict.fromkeys(chunk.columns, "null")
        if self._format == "parquet":
            for row in cells:
                types |= {name: merged(types[name], type_of(cell)) for name, cell in row.items()}
        explained = np.array([reason is not None for reason in chunk.reasons], dtype=bool)
        unscored = int((explained & np.isnan(scores[:, 0])).sum())
        head = _Head(types, added.names, len(cells), unscored, int(explained.sum()))
        write_json(path.with_suffix(".head"), dataclasses.asdict(head))
        with _whole(path) as partial, partial.open("w", encoding="utf-8") as stream:
            for row, values, flagged, reason in zip(
                cells, scores, flags, chunk.reasons, strict=True
            ):
                numbers = [None if np.isnan(value) else shortest_float(value) for value in values]
                ours = dict(zip(added.scores, numbers, strict=True)) | {added.flags: flagged}
                if reason:
                    ours[added.reason] = reason
                stream.write(json.dumps(row | ours, default=_plain) + "\n")

    def join(
        self, paths: Sequence[Path], stream: Bytes, record: Mapping[str, Any] | None = None
    ) -> Summary:
        """Write all chunks as one file, with a reason column where any row has a reason."""
        heads = [_Head.of(path) for path in paths]
        types: dict[str, Type] = {}
        for head in heads:
            for name, each in head.types.items():
                types[name] = merged(types.get(name, "null"), each)
        summary = _summary(
            sum(head.rows for head in heads),
            sum(head.unscored for head in heads),
            sum(head.reasons for head in heads),
            Added.beside(types, self._labels),
            self._labels,
            [name for name in types if types[name] == "json" and name != self._text_column],
        )
        chunks = (
            _read_rows(path, head, summary.added.names, self._format == "jsonl")
            for path, head in zip(paths, heads, strict=True)
        )
        columns = [*types, *_shown(summary)]
        if self._format == "csv":
            _write_csv(chunks, columns, stream)
        elif self._format == "jsonl":
            text = codecs.getwriter("utf-8")(stream)  # unlike TextIOWrapper, it never closes it
            for rows in chunks:
                text.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            self._write_parquet(chunks, types, columns, stream, _metadata(record))
        return summary

    def _write_parquet(
        self,
        chunks: Iterable[list[Row]],
        types: dict[str, Type],
        columns: list[str],
        stream: Bytes,
        metadata: dict[bytes, bytes],
    ) -> None:
        import pyarrow

        scores = dict.fromkeys(columns[len(types) :][: len(self._labels)], pyarrow.float32())
        fields = []
        for name in columns:
            own = types.get(name, "string")
            if name == self._text_column:  # what is not a text has a reason
                own = "string"
            note = JSON_TEXT if own == "json" else None
            fields.append(pyarrow.field(name, scores.get(name) or arrow_type(own), metadata=note))
        schema = pyarrow.schema(fields, metadata=metadata)

        def table(rows: list[Row]) -> "pyarrow.Table":
            arrays = []
            for field in schema:
                cells = [row.get(field.name) for row in rows]
                if field.metadata == JSON_TEXT:
                    cells = [None if cell is None else _json(cell) for cell in cells]
                elif field.name == self._text_column:
                    cells = [None if cell is None else _text(cell) for cell in cells]
                arrays.append(pyarrow.array(cells, field.type))
            return pyarrow.Table.from_arrays(arrays, schema=schema)

        _write_tables(map(table, chunks), schema, stream)


def scored_table(
    chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None], labels: Sequence[str]
) -> "pyarrow.Table":
    """A chunk's table with the columns that scoring adds; that of reasons always.

    scores: rows × labels; NaN, and so null, where a row has none.
    """
    import pyarrow

    if isinstance(chunk.cells, list):
        raise TypeError("rows are for RowOutput")
    table = chunk.cells
    added = Added.beside(table.column_names, labels)
    for name, values in zip(added.scores, scores.T, strict=True):
        values = np.ascontiguousarray(values)
        table = table.append_column(name, pyarrow.array(values, from_pandas=True))
    table = table.append_column(added.flags, pyarrow.array(flags, pyarrow.string()))
    return table.append_column(added.reason, pyarrow.array(chunk.reasons, pyarrow.string()))


class TableOutput:
    """Parquet to Parquet: all columns keep their types."""

    suffix = ".parquet"

    def __init__(self, labels: Sequence[str]):
        self._labels = labels

    def write(
        self, path: Path, chunk: Chunk, scores: NDArray[np.float32], flags: list[str | None]
    ) -> None:
        """Write a chunk's rows with their scores (rows × labels; NaN rows for those without)."""
        import pyarrow.parquet

        table = scored_table(chunk, scores, flags, self._labels)
        with _whole(path) as partial, _translating_arrow_errors():
            pyarrow.parquet.write_table(table, partial)

    def join(
        self, paths: Sequence[Path], stream: Bytes, record: Mapping[str, Any] | None = None
    ) -> Summary:
        """Write all chunks as one file, with a reason column where any row has a reason."""
        import pyarrow
        from pyarrow.parquet import read_schema

        schemas = []
        for path in paths:
            with _reporting_damage(path):
                schemas.append(read_schema(path))
        own = schemas[0].names[: -len(self._labels) - 2]
        added = Added.beside(own, self._labels)
        rows = unscored = reasons = 0
        for path in paths:
            table = _read_table(path, [added.scores[0], added.reason])
            explained = table[added.reason].is_valid().to_numpy()
            rows, reasons = rows + len(table), reasons + int(explained.sum())
            unscored += int((explained & table[added.scores[0]].is_null().to_numpy()).sum())
        summary = _summary(rows, unscored, reasons, added, self._labels)
        fields = []
        for name in (*own, *_shown(summary)):
            field = schemas[0].field(name)
            # Texts that are not UTF-8 were replaced, and their chunk's column is of strings.
            same = all(schema.field(name).type == field.type for schema in schemas)
            fields.append(field if same else field.with_type(pyarrow.string()))
        metadata = (schemas[0].metadata or {}) | _metadata(record)
        schema = pyarrow.schema(fields, metadata=metadata or None)
        tables = (_cast(_read_table(path, schema.names), schema) for path in paths)
        with _translating_arrow_errors():
            _write_tables(tables, schema, stream)
        return summary


@dataclass(frozen=True)
class _Head:
    """A chunk's columns and their types, the names of the added ones, and counts of its rows."""

    types: dict[str, Type]
    added: list[str]
    rows: int
    unscored: int
    reasons: int

    @classmethod
    def of(cls, path: Path) -> "_Head":
        """Read that of a chunk."""
        with _reporting_damage(path):
            return cls(**read_json(path.with_suffix(".head")))


def _metadata(record: Mapping[str, Any] | None) -> dict[bytes, bytes]:
    return {} if record is None else {RECORD_KEY: json.dumps(record).encode()}


def _summary(
    rows: int,
    unscored: int,
    reasons: int,
    added: Added,
    labels: Sequence[str],
    as_json: Sequence[str] = (),
) -> Summary:
    """as_json: the columns that are JSON text in Parquet."""
    usual = Added.beside((), labels).names
    pairs = list(zip(usual, added.names, strict=True))[: None if reasons else -1]
    taken = ", ".join(f"{name} → {ours}" for name, ours in pairs if name != ours)
    notes = [f"The file has columns of these names, so the new ones are: {taken}."] * bool(taken)
    if as_json:
        notes.append(
            "No Parquet type holds all values of these columns, so they are JSON text: "
            f"{', '.join(as_json)}."
        )
    return Summary(rows, unscored, reasons, added, notes)


def _shown(summary: Summary) -> list[str]:
    """The added columns of a result."""
    return summary.added.names if summary.reasons else summary.added.names[:-1]


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A path to write to, which is renamed to `path` at the end; removed if that fails."""
    partial = path.with_name(path.name + ".part")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _read_rows(path: Path, head: _Head, wanted: list[str], finite: bool) -> list[Row]:
    """A chunk's rows, their added columns named as in `wanted` and put last.

    finite: null for NaN and infinity, which JSON cannot represent; else for NaN only.
    """
    infinite = {} if finite else {"Infinity": math.inf, "-Infinity": -math.inf}
    rows = []
    with _reporting_damage(path), path.open(encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line, parse_constant=infinite.get)
            pairs = zip(head.added, wanted, strict=True)
            ours = {final: row.pop(name) for name, final in pairs if name in row}
            rows.append(row | ours)
        if len(rows) != head.rows:
            raise ValueError("rows are missing")
    return rows


def _read_table(path: Path, columns: list[str]) -> "pyarrow.Table":
    from pyarrow.parquet import read_table

    with _reporting_damage(path):
        return read_table(path, columns=columns)


@contextmanager
def _reporting_damage(path: Path) -> Iterator[None]:
    """Turn errors about a chunk's content, as after a power failure, into one sentence."""
    try:
        yield
    except (ValueError, TypeError, FileNotFoundError) as error:  # ArrowInvalid is a ValueError
        raise DataError(f"{path}: is damaged; delete this file, and try again.") from error


def _write_csv(chunks: Iterable[list[Row]], columns: list[str], stream: Bytes) -> None:
    # With \n alone as line end, it would leave a cell's \r unquoted, which ends a line too.
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\r\n")

    def encoded(cells: Iterable[str]) -> bytes:
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        return (line.getvalue().removesuffix("\r\n") + "\n").encode()

    stream.write(encoded(columns))
    for rows in chunks:
        for row in rows:
            cells = (row.get(name) for name in columns)
            stream.write(encoded("" if cell is None else _text(cell) for cell in cells))


def _write_tables(
    tables: Iterable["pyarrow.Table"], schema: "pyarrow.Schema", stream: Bytes
) -> None:
    """Write tables of one schema as Parquet, in row groups of about ROW_GROUP_BYTES."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(stream, schema) as writer:
        group = [schema.empty_table()]
        for table in tables:
            group.append(table)
            if sum(part.nbytes for part in group) > ROW_GROUP_BYTES:
                writer.write_table(pyarrow.concat_tables(group))
                group = [schema.empty_table()]
        writer.write_table(pyarrow.concat_tables(group))


def _cast(table: "pyarrow.Table", schema: "pyarrow.Schema") -> "pyarrow.Table":
    """A table with the types of a schema; of equal types nothing is touched."""
    for index, field in enumerate(schema):
        if table.schema.field(index).type != field.type:
            table = table.set_column(index, field, table[index].cast(field.type))
    return table.replace_schema_metadata(schema.metadata)


@contextmanager
def _translating_arrow_errors() -> Iterator[None]:
    """Turn Arrow's errors about a column into one sentence."""
    import pyarrow

    try:
        yield
    except pyarrow.ArrowException as error:
        raise DataError(
            f"A column cannot be written as Parquet ({error}); write JSON lines or CSV instead."
        ) from error


def as_rows(table: "pyarrow.Table") -> list[Row]:
    """A table's rows; a value that Python has no type for is a text."""
    cells = {name: as_cells(table[name]) for name in table.column_names}
    return [{name: column[row] for name, column in cells.items()} for row in range(len(table))]


def as_cells(column: "pyarrow.Array | pyarrow.ChunkedArray") -> list[Any]:
    """A column's cells; as texts where Python has no such value: the year 10000, nanoseconds."""
    import pyarrow

    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        raw = column.cast(pyarrow.large_string()).cast(pyarrow.large_binary())
        return [
            None if cell is None else cell.decode("utf-8", "replace") for cell in raw.to_pylist()
        ]
    except (ValueError, OverflowError) as error:
        try:
            return column.cast(pyarrow.string()).to_pylist()
        except pyarrow.ArrowException:
            raise DataError(f"The table cannot be written as text ({error}).") from error


def _plain(value: Any) -> str:
    """Values that JSON cannot represent, as text: dates, decimals, bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _text(cell: Any) -> str:
    """A text as it is, any other value as JSON."""
    return cell if isinstance(cell, str) else _json(cell)


def _json(cell: Any) -> str:
    return json.dumps(cell, ensure_ascii=False)
