"""Parquet: what a file unpacks to, which of its columns hold texts, and its rows as pandas.

A file keeps a text that is repeated once: one of a kilobyte can hold gigabytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from classifier.errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Array, DataType, Table
    from pyarrow.parquet import ParquetFile

ROWS_AT_A_TIME = 10_000
# Encodings that Arrow can read without repeating a text.
REPEATING = {"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"}
SAMPLED_ROWS = 200


def larger_than(path: Path, most: int) -> bool:
    """Tell whether a file's values take more than `most` bytes; DataError if it is broken."""
    with _reading(path):
        return any(size > most for size in _sizes(path))


def longest_text_column(path: Path) -> str | None:
    """Name the column of texts that are longest on average in the first rows; None without one."""
    import pyarrow
    import pyarrow.compute

    with _reading(path):
        file = _open(path)
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
        lengths = dict.fromkeys(texts, 0)
        for batch in file.iter_batches(batch_size=SAMPLED_ROWS, columns=texts):
            for name in texts:
                # As bytes: one text that is not UTF-8 would spoil all of them.
                cells = batch.column(name).cast(pyarrow.large_string()).cast(pyarrow.large_binary())
                found = pyarrow.compute.sum(pyarrow.compute.binary_length(cells)).as_py()
                lengths[name] = found or 0
            break
    return max(lengths, key=lengths.__getitem__, default=None)


def as_frame(table: "Table") -> "DataFrame":
    """Give rows with plain columns, whether or not pandas had them as index or categories."""
    import pyarrow

    for place, field in enumerate(table.schema):
        if isinstance(field.type, pyarrow.DictionaryType):
            texts = table.column(place).cast(field.type.value_type)
            table = table.set_column(place, field.name, texts)
    return table.to_pandas(ignore_metadata=True)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: the Parquet data are broken ({error}).") from error


def _open(path: Path, texts_once: list[int] | None = None) -> "ParquetFile":
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path, read_dictionary=texts_once, buffer_size=1 << 20, pre_buffer=False)


def _sizes(path: Path) -> Iterator[int]:
    """Give the bytes of ever more of the values. Of texts in rare encodings only as stored."""
    file = _open(path)
    columns = [file.schema.column(place) for place in range(len(file.schema))]
    once: set[int] = set()
    other: set[int] = set()
    size = 0
    for group in range(file.num_row_groups):
        for place, column in enumerate(columns):
            found = file.metadata.row_group(group).column(place)
            width = max(8, column.length)  # of a value that is no text
            size += max(found.total_uncompressed_size, width * found.num_values)
            yield size
            if column.physical_type == "BYTE_ARRAY" and found.has_dictionary_page:
                (once if set(found.encodings) <= REPEATING else other).add(place)
    texts = sorted(once - other)
    if texts:
        names = [columns[place].path for place in texts]
        for batch in _open(path, texts).iter_batches(ROWS_AT_A_TIME, columns=names):
            size += sum(map(_text_bytes, batch.columns))
            yield size


def _text_bytes(array: "Array") -> int:
    """Give the bytes of the texts in a column, each as often as it stands there."""
    import pyarrow
    from pyarrow import compute

    if pyarrow.types.is_dictionary(array.type):
        lengths = compute.binary_length(array.dictionary)
        return compute.sum(lengths.take(array.indices)).as_py() or 0
    if pyarrow.types.is_struct(array.type):
        return sum(map(_text_bytes, array.flatten()))
    if pyarrow.types.is_map(array.type):
        return _text_bytes(array.keys) + _text_bytes(array.items)
    return _text_bytes(array.flatten()) if pyarrow.types.is_nested(array.type) else 0


def is_text(kind: "DataType") -> bool:
    """Whether a column of this type holds texts."""
    import pyarrow

    kind = kind.value_type if isinstance(kind, pyarrow.DictionaryType) else kind
    return str(kind) in {"string", "large_string", "string_view"}
