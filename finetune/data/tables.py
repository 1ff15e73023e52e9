"""Read a table of comments (CSV, JSON, Parquet, a URL, a Hub dataset, templates), and write one.

Files are read as scoring reads them: see comment_toxicity/files/read.py.
"""

import codecs
import re
import shutil
import zlib
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import pandas as pd

from comment_toxicity.cli import check_output, translating_write_errors
from comment_toxicity.disk import sha256_of
from comment_toxicity.errors import DataError
from comment_toxicity.files.columns import AmbiguousError, loosely_named
from comment_toxicity.files.read import (
    BLANK,
    READABLE,
    ParquetInput,
    as_bytes,
    input_format,
    is_binary,
    open_input,
)
from comment_toxicity.files.streams import BLOCK, encoding_of, open_bytes
from finetune.data.hub import HubTable
from finetune.data.templates import read_templates

URLS = ("http://", "https://")


def read_table(source: str, names: Iterable[str] = (), encoding: str = "") -> pd.DataFrame:
    """Read a CSV, JSON or Parquet file, by its ending, or a URL of one. Cells of CSV are strings.

    Anything else of the form owner/name[:[configuration/]split] is a Hub dataset, see hub.py.
    names: columns that are wanted; one that has such a name only loosely is renamed to it.
    encoding: of a text file that is not UTF-8. Raises DataError in one sentence.
    """
    is_url = source.startswith(URLS)
    is_file = Path(source).is_file() or source.lower().endswith((*ENDINGS, ".gz"))
    if not is_url and not is_file and (on_hub := HubTable.parse(source)):
        table = on_hub.read()
    elif source.endswith(".toml") and not is_url:
        table = read_templates(source)
    elif is_url:
        table = _read_url(source, encoding)
    else:
        table = _read_file(source, encoding)
    if table.empty:
        raise DataError(f"{source}: the file has no rows; give one with labelled comments.")
    table = table.reset_index(drop=True)
    try:
        return table.rename(columns=loosely_named(table.columns, names))
    except AmbiguousError as error:
        raise DataError(f"{source}: {error}") from None


def write_rows(rows: pd.DataFrame, path: Path, counted: str = "source") -> None:
    """Write a Parquet file, and print how many rows each value of the column `counted` has."""
    check_output(path)
    with translating_write_errors(path):
        rows.to_parquet(path, index=False)
    counts = ", ".join(
        f"{value} {count:,}" for value, count in rows[counted].value_counts().items()
    )
    print(f"written: {path}, {len(rows):,} rows ({counts})")


def describe_source(source: str) -> dict[str, str]:
    """A table's name for a published record, with its SHA-256 if it is a file."""
    path = Path(source)
    if path.is_file():
        return {"name": path.name, "sha256": sha256_of(path)}
    return {"name": public_url(source)}


def public_url(text: str) -> str:
    """A URL without what can be secret: user and password, query, fragment. Other texts stay."""
    if not re.match(r"\w+://", text):
        return text
    parts = urlsplit(text)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _read_url(url: str, encoding: str) -> pd.DataFrame:
    with TemporaryDirectory() as folder:
        copy = Path(folder, Path(urlsplit(url).path).name or "table")
        input_format(url.split("?")[0])  # before the download
        try:
            with urlopen(url) as remote, copy.open("wb") as file:  # noqa: S310 - http
                shutil.copyfileobj(remote, file)
        except (URLError, TimeoutError, HTTPException) as error:
            raise DataError(
                f"{url}: cannot be downloaded ({error}); check the URL and the network."
            ) from None
        try:
            return _read_file(str(copy), encoding)
        except DataError as error:
            raise DataError(str(error).replace(str(copy), url)) from None


def _read_file(path: str, encoding: str) -> pd.DataFrame:
    parts = []
    other = encoding if encoding and not _is_unicode(path) else None
    try:
        with open_input(path, "csv", other) as file:
            if isinstance(file, ParquetInput):
                return _from_parquet(file, path)
            for chunk in file.chunks(None):
                for reason in chunk.reasons:
                    if reason not in (None, BLANK):
                        raise DataError(f"{path}: {reason}.")
                # Cells stay as they are: "null" is a comment, 007 is not 7, 2**70 is not 1.2e21.
                part = pd.DataFrame(chunk.cells, columns=chunk.columns, dtype=object)
                parts.append(part)
    except DataError as error:
        if other is None and "not UTF-8" in str(error):
            raise DataError(
                f"{str(error).rstrip('.')}, or name its encoding, such as cp1252."
            ) from None
        raise
    table = pd.concat(parts, ignore_index=True)
    return table.fillna("") if input_format(path) == "csv" else table


def _is_unicode(path: str) -> bool:
    """Whether a file is UTF-8, or begins as UTF-16 or UTF-32; seen without parsing its rows."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with suppress(OSError, EOFError, zlib.error), open_bytes(path) as stream:  # open_input says why
        block = stream.read(BLOCK)
        if encoding_of(block[:64]) != "utf-8":
            return True
        try:
            while block:
                decoder.decode(block)
                block = stream.read(BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _from_parquet(file: ParquetInput, path: str) -> pd.DataFrame:
    """A Parquet file's rows. Columns of bytes that are all UTF-8 become strings."""
    import pyarrow

    tables = [chunk.cells for chunk in file.chunks(None)]
    table = pyarrow.concat_tables(tables)
    for position, field in enumerate(table.schema):
        if is_binary(field.type):
            with suppress(pyarrow.ArrowInvalid):
                texts = as_bytes(table[position]).cast(pyarrow.large_string())
                table = table.set_column(position, field.name, texts)
    try:
        return table.to_pandas()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: a text is not UTF-8 ({error.reason}).") from None


ENDINGS = (*(f".{ending}" for ending in READABLE), ".toml")
