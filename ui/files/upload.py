"""An upload → a plain file in the workspace, within bounds, and its columns.

gzip is unpacked here, where its size can be limited. What is in the file stays as it is.
"""

import gzip
import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from comment_toxicity.errors import DataError
from comment_toxicity.files.json_rows import json_rows
from comment_toxicity.files.read import NAME_COLUMN, input_format, open_input, parse_row
from comment_toxicity.files.streams import as_utf8
from comment_toxicity.files.text_column import guess_column
from ui.files.parquet import larger_than

MEGABYTES = 200
UNPACKED_BYTES = 1_000_000_000  # of a .gz or a Parquet file
MOST_ROWS = 1_000_000
MOST_COLUMNS = 500  # each row takes memory for all of its cells, even for those left out
PASTED = "pasted.csv"


@dataclass(frozen=True)
class Source:
    """A file to score.

    path: in the workspace. name: as the visitor knows it.
    columns: all of them. text_column: the one that probably holds the comments.
    original: the upload itself, where path is a copy that ui/files/reread.py made of it, because it
    had no header, or for its encoding.
    """

    path: Path
    name: str
    columns: list[str]
    text_column: str
    original: Path | None = None
    header: bool = True
    encoding: str = ""

    @property
    def folder(self) -> Path:
        """The folder in the workspace that holds all of it."""
        return (self.original or self.path).parent

    def relabelled(self, message: str) -> str:
        """A command's error for the page: without the server's folder, and without flags."""
        message = message.replace(f"{self.path.parent}/", "")
        return message.replace(NAME_COLUMN, "choose another column")


def save_upload(
    stream: IO[bytes],
    name: str,
    folder: Path,
    look: Callable[[Path, str], "Source"] | None = None,
) -> Source:
    """Copy an upload into an empty folder, and read its columns. Raises DataError.

    look: reads the columns of the copy; look_into where it is None.
    """
    upload_format = input_format(name)
    ending = Path(name.lower().removesuffix(".gz")).suffix
    stem = re.sub(r"[^\w-]+", "_", Path(name).name.split(".")[0])[:60] or "upload"
    path = folder / f"{stem}{ending}"
    try:
        with path.open("wb") as copy:
            if name.lower().endswith(".gz"):
                _unpack(stream, copy, name)
            else:
                shutil.copyfileobj(stream, copy, 1 << 20)
        if upload_format == "jsonl":
            _check_columns(path, name)
        return (look or look_into)(path, name)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_store(error) from error
        raise


def save_lines(text: str, folder: Path) -> Source:
    """Write pasted lines to a file, one comment per line; empty lines are left out."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError("Nothing pasted yet. Paste one comment per line.")
    path = folder / PASTED
    try:
        with path.open("w", encoding="utf-8", errors="replace") as file:
            file.write("comment_text\n")
            file.writelines('"' + line.replace('"', '""') + '"\n' for line in lines)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise cannot_store(error) from error
    return look_into(path, f"{len(lines):,} pasted lines")


def cannot_store(error: OSError) -> DataError:
    """What a visitor is told when the disk is full, for one."""
    return DataError(
        f"This server cannot store the file ({error.strerror or error}). Try again later, or tell "
        "its operator."
    )


def look_into(path: Path, name: str) -> Source:
    """Read a file's columns, and guess which holds the comments. Raises DataError."""
    try:
        with open_input(str(path), "csv") as rows:
            columns = rows.columns
            if not columns:
                raise DataError(f"{name}: has no columns.")
            _refuse_wide(len(columns), name)
            if path.suffix == ".parquet" and larger_than(path, UNPACKED_BYTES):
                raise _too_large(name)
            if rows.text_column is not None:
                return Source(path, name, columns, rows.text_column)
        guess = guess_column(str(path))
        return Source(path, name, columns, (guess.columns or columns)[0])
    except DataError as error:
        raise type(error)(str(error).replace(str(path), name)) from error


def _unpack(stream: IO[bytes], copy: IO[bytes], name: str) -> None:
    size = 0
    try:
        with gzip.open(stream) as unpacked:
            while block := unpacked.read(1 << 20):
                size += len(block)
                if size > UNPACKED_BYTES:
                    raise _too_large(name)
                copy.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: the gzip data is damaged ({error}); upload it again.") from error


def _check_columns(path: Path, name: str) -> None:
    """Read a JSON file row by row: any can have other columns. Raises DataError.

    Empty lines are rows too: compressed, a small file can hold any number of them.
    """
    columns: set[str] = set()
    try:
        with path.open("rb") as file:
            rows = json_rows(as_utf8(file, str(path)), str(path))
            for number, (_, row) in enumerate(rows, start=1):
                if number > MOST_ROWS:
                    raise too_many_rows(name)
                columns.update(parse_row(row)[0])
                _refuse_wide(len(columns), name)
    except DataError as error:
        raise DataError(str(error).replace(str(path), name)) from error


def too_many_rows(name: str) -> DataError:
    """Return the error for a file of more rows than the page takes."""
    return DataError(
        f"{name}: has more than {MOST_ROWS:,} rows; split it, or score it with "
        "python -m comment_toxicity score."
    )


def _too_large(name: str) -> DataError:
    return DataError(
        f"{name}: larger than {UNPACKED_BYTES // 10**6:,} MB when unpacked; split it, or "
        "score it with python -m comment_toxicity score."
    )


def _refuse_wide(columns: int, name: str) -> None:
    if columns > MOST_COLUMNS:
        raise DataError(
            f"{name}: has more than {MOST_COLUMNS} columns; keep the comments and those you need."
        )
