"""Parquet: the size of a file once unpacked, its types, and its rows as pandas.

A file stores a repeated text once, so a kilobyte can unpack to gigabytes, and the size that it
states can be false. So a process with a limit of memory and time reads it first.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import CHUNK_ROWS
from finetune.checkout import ROOT

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Array, DataType, Table
    from pyarrow.parquet import ParquetFile

MEMORY = 1_000_000_000  # bytes of address space to read an unknown file with
SECONDS = 20  # of one core; a file of 100 MB takes one second
FITS, DAMAGED, TOO_LARGE = 0, 2, 3

_reading_unknown = threading.Lock()  # one at a time, so that many visitors take no more memory


def larger_than(path: Path, most: int) -> bool:
    """Whether a file's values take more than `most` bytes, or more than MEMORY to read.

    Raises DataError if it is damaged.
    """
    with _reading_unknown:
        reader = subprocess.run(
            [sys.executable, "-m", "ui.files.parquet", str(path), str(most)],
            cwd=ROOT,
            env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},  # others reserve too much
            capture_output=True,
            text=True,
            check=False,
        )
    if reader.returncode == DAMAGED:
        raise DataError(f"{path}: the Parquet data is damaged ({reader.stdout.strip()}).")
    if reader.returncode > 0 and reader.returncode != TOO_LARGE:
        raise RuntimeError(reader.stderr)
    return reader.returncode != FITS  # or killed, out of memory or time


def _read_unknown(path: str, most: int) -> int:
    """Read a whole file as scoring does. Returns FITS, DAMAGED or TOO_LARGE."""
    import pyarrow

    with suppress(ImportError):  # Windows has no limits
        import resource

        for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS)):
            with suppress(ValueError, OSError):  # macOS has no limit of address space
                resource.setrlimit(limit, (value, value))
    size = 0
    try:
        for batch in _open(Path(path)).iter_batches(CHUNK_ROWS, use_threads=False):
            size += sum(map(_size, batch.columns))
            if size > most:
                return TOO_LARGE
    except MemoryError:
        return TOO_LARGE
    except (pyarrow.ArrowException, OSError) as error:
        print(error)
        return DAMAGED
    return FITS


def as_frame(table: "Table") -> "DataFrame":
    """The rows with plain columns, even those that pandas had as index or categories."""
    import pyarrow

    for index, field in enumerate(table.schema):
        if isinstance(field.type, pyarrow.DictionaryType):
            texts = table.column(index).cast(field.type.value_type)
            table = table.set_column(index, field.name, texts)
    return table.to_pandas(ignore_metadata=True)


def _open(path: Path) -> "ParquetFile":
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)


def _size(array: "Array") -> int:
    """The bytes that an array takes as plain values, at least eight per value."""
    import pyarrow
    from pyarrow import compute

    if pyarrow.types.is_dictionary(array.type):
        lengths = compute.binary_length(array.dictionary.cast(pyarrow.large_binary()))
        return (compute.sum(lengths.take(array.indices)).as_py() or 0) + 8 * len(array)
    if pyarrow.types.is_struct(array.type):
        return sum(map(_size, array.flatten()))
    if pyarrow.types.is_map(array.type):
        return _size(array.keys) + _size(array.items)
    if pyarrow.types.is_nested(array.type):
        return _size(array.flatten()) + 8 * len(array)
    return max(array.nbytes, 8 * len(array))


def is_text(data_type: "DataType") -> bool:
    """Whether a column of this type holds texts."""
    import pyarrow

    if isinstance(data_type, pyarrow.DictionaryType):
        data_type = data_type.value_type
    return str(data_type) in {"string", "large_string", "string_view"}


if __name__ == "__main__":
    sys.exit(_read_unknown(sys.argv[1], int(sys.argv[2])))
