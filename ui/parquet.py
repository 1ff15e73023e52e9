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
BYTES_AT_A_TIME = 100_000_000
# Encodings that keep each text whole, and those that may give it by its number in a list. The one
# that is left, DELTA_BYTE_ARRAY, says how much of a text is as in the one before it.
WHOLE = {"PLAIN", "RLE", "BIT_PACKED", "DELTA_LENGTH_BYTE_ARRAY"}
NUMBERED = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}
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
    """Give the bytes of ever more of the values: first as stored, then of texts kept once."""
    file = _open(path)
    columns = [file.schema.column(place) for place in range(len(file.schema))]
    groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    size = 0
    for group in groups:
        for place, column in enumerate(columns):
            part = group.column(place)
            width = max(8, column.length)  # of a value that is no text
            size += max(part.total_uncompressed_size, width * part.num_values)
            yield size
    numbered = []
    for place, column in enumerate(columns):
        encodings = {kind for group in groups for kind in group.column(place).encodings}
        if column.physical_type != "BYTE_ARRAY" or encodings <= WHOLE:
            continue
        if encodings <= NUMBERED:
            numbered.append(place)
            continue
        for found in _sizes_of_joined(file, place):
            size += found
            yield size
    if numbered:
        names = [columns[place].path for place in numbered]
        for batch in _open(path, numbered).iter_batches(ROWS_AT_A_TIME, columns=names):
            size += sum(map(_text_bytes, batch.columns))
            yield size


def _sizes_of_joined(file: "ParquetFile", place: int) -> Iterator[int]:
    """Give the bytes of texts that are kept as parts of those before them, some at a time."""
    column = file.schema.column(place)
    for group in range(file.num_row_groups):
        found = file.metadata.row_group(group).column(place)
        longest = max(1, found.total_uncompressed_size)  # that a text can be
        if column.max_repetition_level:  # one row can hold any number of them
            yield longest * found.num_values
            continue
        rows = max(1, BYTES_AT_A_TIME // longest)
        for batch in file.iter_batches(rows, row_groups=[group], columns=[column.path]):
            yield batch.nbytes


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
