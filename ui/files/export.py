"""A scored file → a download in the format that came in, with flags at the visitor's thresholds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.disk import shortest_float
from comment_toxicity.files.read import input_format
from comment_toxicity.files.score import FLAG_SEPARATOR
from comment_toxicity.files.write import JSON_TEXT, as_cells
from ui.files.safe_csv import BATCH_ROWS, write_batches
from ui.files.scored_file import ScoredFile

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Layout:
    """How a file came in. suffix: its ending, as .csv; mark: what separated its cells."""

    suffix: str
    mark: str = ","

    @property
    def in_words(self) -> str:
        """The format as a visitor calls it."""
        known = {",": "CSV", ";": "CSV with semicolons", "\t": "tab-separated", "|": "CSV with |"}
        return known[self.mark] if self.is_csv else self.suffix[1:].upper()

    @property
    def is_csv(self) -> bool:
        """Whether its cells are separated by a mark."""
        return input_format(f"a{self.suffix}") == "csv"


def write_scored(
    scored: ScoredFile,
    path: Path,
    layout: Layout,
    flags: NDArray[np.bool_],
    wanted: NDArray[np.bool_] | None = None,
) -> None:
    """Write rows of a scored file, in its order and in constant memory.

    flags: (rows, labels), which replace those in the file. wanted: (rows,), all where it is None.
    """
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(scored.path)
    schema, batches = file.schema_arrow, _batches(file, scored, flags, wanted)
    if layout.is_csv:
        write_batches(batches, schema, path, layout.mark)
    elif layout.suffix == ".parquet":
        with pyarrow.parquet.ParquetWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    else:
        _write_json(batches, path, array=layout.suffix == ".json")


def _batches(
    file: "pyarrow.parquet.ParquetFile",
    scored: ScoredFile,
    flags: NDArray[np.bool_],
    wanted: NDArray[np.bool_] | None,
) -> "Iterator[pyarrow.RecordBatch]":
    import pyarrow

    labels = np.array(scored.labels, dtype=object)
    position = file.schema_arrow.get_field_index(scored.added.flags)
    field, has_scores, start = file.schema_arrow.field(position), scored.scored, 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        rows = slice(start, start + len(batch))
        texts = [
            FLAG_SEPARATOR.join(labels[row]) if known else None
            for row, known in zip(flags[rows], has_scores[rows], strict=True)
        ]
        batch = batch.set_column(position, field, pyarrow.array(texts, field.type))
        yield batch if wanted is None else batch.filter(pyarrow.array(wanted[rows]))
        start += len(batch)


def _write_json(batches: "Iterator[pyarrow.RecordBatch]", path: Path, array: bool) -> None:
    before, between, after = ("[\n", ",\n", "\n]\n") if array else ("", "\n", "\n")
    with path.open("w", encoding="utf-8", errors="replace") as stream:
        stream.write(before)
        first = True
        for batch in batches:
            columns = {
                field.name: _values(column, field)
                for column, field in zip(batch.columns, batch.schema, strict=True)
            }
            for at in range(len(batch)):
                row = {name: values[at] for name, values in columns.items()}
                stream.write("" if first else between)
                stream.write(json.dumps(row, ensure_ascii=False, default=str))
                first = False
        stream.write(after)


def _values(column: "pyarrow.Array", field: "pyarrow.Field") -> list[Any]:
    import pyarrow

    cells = as_cells(column)
    if pyarrow.types.is_float32(field.type):
        return [cell if cell is None else shortest_float(np.float32(cell)) for cell in cells]
    if JSON_TEXT.items() <= (field.metadata or {}).items():
        return list(map(_parsed, cells))
    return cells


def _parsed(cell: str | None) -> Any:
    try:
        return cell if cell is None else json.loads(cell)
    except (ValueError, RecursionError):  # a foreign file can say that anything is JSON
        return cell
