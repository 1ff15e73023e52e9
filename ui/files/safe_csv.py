"""Scored rows as a CSV that is safe to open in a spreadsheet.

A cell that begins with = + - @ (or their full-width forms, or what is invisible before them) is a
formula to a spreadsheet, and a comment can be one. Such cells get an apostrophe in front, which
spreadsheets take as “text”. Plain numbers, such as -1, stay. See OWASP, “CSV Injection”.

Where a spreadsheet splits at ; (Excel in German and French) or at tabs, the quotes written for
commas do not hold, and a cell can begin inside ours, also after a line's end: it gets an apostrophe
as well. In a file of semicolons the same goes for commas. A space before the sign makes it text;
;-) begins no formula. A row up to its first ; is one cell there, and no number even if it begins
with one: a sign at a row's start is marked too.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comment_toxicity.disk import shortest_float
from comment_toxicity.files.write import JSON_TEXT, as_cells
from ui.files.parquet import is_text

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 1000
FORMULA = re.compile(r"[\s\x00-\x1f\u200b\ufeff]*[=+\-@＝＋－＠\t\r]")
# What another cell can begin after, and what makes that one a formula.
WITHIN = re.compile(
    r"""[;\t\r\n](?=["\x00-\x08\x0b\x0c\x0e-\x1f\u200b\ufeff]*+"""
    r"""(?:[=+\-@＝＋－＠\t]|\r(?!\n)))(?!-\))"""
)
AFTER_COMMA = re.compile(
    r"""[,|](?=["\x00-\x08\x0b\x0c\x0e-\x1f\u200b\ufeff]*+[=+\-@＝＋－＠])(?!-\))"""
)
NUMBER = re.compile(r"[+-]?(\d++(\.\d*+)?|\.\d++)([eE][+-]?\d++)?", re.ASCII)


def write_safe_csv(
    scored: Path, path: Path, each_batch: Callable[[], None], mark: str = ","
) -> None:
    """Write a Parquet file's rows as CSV, batch by batch. each_batch is called after each."""
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(scored)

    def batches() -> "Iterator[pyarrow.RecordBatch]":
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            yield batch
            each_batch()

    write_batches(batches(), file.schema_arrow, path, mark)


def write_batches(
    batches: "Iterable[pyarrow.RecordBatch]", schema: "pyarrow.Schema", path: Path, mark: str = ","
) -> None:
    """Write batches of rows as CSV. mark: separates the cells."""
    # With a byte order mark: without one, Excel takes UTF-8 for an older encoding.
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as stream:
        # Without \r\n a lone \r would stay unquoted.
        writer = csv.writer(stream, delimiter=mark, lineterminator="\r\n")
        writer.writerow(_row(schema.names, mark))
        for batch in batches:
            columns = map(_cells, batch.columns, schema)
            writer.writerows(_row(cells, mark) for cells in zip(*columns, strict=True))


def _row(cells: Sequence[Any], mark: str) -> list[str]:
    first, *others = (safe_cell(cell, mark) for cell in cells)
    return [f"'{first}" if others and first[:1] in ("+", "-") else first, *others]


def _cells(column: "pyarrow.Array", field: "pyarrow.Field") -> list[Any]:
    """A column's cells; texts as bytes, which need not be UTF-8."""
    import pyarrow

    if is_text(column.type):
        texts = column.cast(pyarrow.large_string()).cast(pyarrow.large_binary()).to_pylist()
        marked = JSON_TEXT.items() <= (field.metadata or {}).items()
        return list(map(_value, texts)) if marked else texts
    cells = as_cells(column)
    if not pyarrow.types.is_float32(column.type):
        return cells
    return [cell if cell is None else shortest_float(np.float32(cell)) for cell in cells]


def _value(text: bytes | None) -> Any:
    """What a cell of JSON text is in a CSV: a text without its quotes, anything else as it is."""
    try:
        value = json.loads(text or b"null")
    except (ValueError, RecursionError):  # a foreign file can say that anything is JSON
        return text
    return value if isinstance(value, str) else text


def safe_cell(cell: Any, mark: str = ",") -> str:
    """A cell as text that no spreadsheet takes for a formula. mark: separates the cells."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return str(cell)
    if isinstance(cell, dict | list):
        cell = json.dumps(cell, ensure_ascii=False, default=str)
    text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
    formula = FORMULA.match(text) and not NUMBER.fullmatch(text)
    text = WITHIN.sub(r"\g<0>'", text)
    if mark != ",":
        text = AFTER_COMMA.sub(r"\g<0>'", text)
    return f"'{text}" if formula else text
