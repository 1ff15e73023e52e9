"""Read a table of comments: a CSV, JSON lines or Parquet file, a URL, a Hub dataset, templates."""

import gzip
import re
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import pandas as pd

from comment_toxicity.disk import sha256_of
from comment_toxicity.errors import DataError
from comment_toxicity.files.read import BLANK, CsvInput
from finetune.data.templates import read_templates

URLS = ("http://", "https://")
HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+(:[\w.-]+)?$")


def read_table(source: str) -> pd.DataFrame:
    """Read a CSV (.csv, .csv.gz), JSON lines (.jsonl, .jsonl.gz) or Parquet file, or a URL of one.

    Anything else of the form owner/name[:split] is a Hub dataset, read through the Parquet copy
    that the Hub keeps of each (branch refs/convert/parquet). Raises DataError in one sentence.
    """
    is_url = source.startswith(URLS)
    is_file = Path(source).is_file() or source.endswith((*READERS, ".gz"))
    if not is_url and not is_file and HUB_NAME.match(source):
        return _read_hub(source)
    name = source.split("?")[0].lower() if is_url else source.lower()
    compression = "gzip" if name.endswith(".gz") else None
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix not in READERS:
        raise DataError(
            f"{source}: cannot read files of this format; give .csv, .csv.gz, .jsonl or .parquet."
        )
    try:
        table = READERS[suffix](source, compression)
    except FileNotFoundError:
        raise DataError(f"{source}: no such file; check the path.") from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{source}: the file is empty; give one with a header and rows.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: not UTF-8 text (byte {error.object[error.start]:#04x} at offset "
            f"{error.start}); save the file as UTF-8."
        ) from None
    except (URLError, TimeoutError, HTTPException) as error:
        raise DataError(
            f"{source}: cannot be downloaded ({error}); check the URL and the network."
        ) from None
    except (OSError, EOFError, zlib.error, ValueError) as error:  # ParserError is a ValueError
        cause = " ".join(str(error).split())
        raise DataError(f"{source}: cannot be read as {suffix[1:]} ({cause}).") from None
    if table.empty:
        raise DataError(f"{source}: the file has no rows; give one with labelled comments.")
    return table.reset_index(drop=True)


def _read_hub(name: str) -> pd.DataFrame:
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HFValidationError

    repository, _, part = name.partition(":")
    part = part or "train"
    where: dict[str, Any] = {
        "repo_id": repository,
        "repo_type": "dataset",
        "revision": "refs/convert/parquet",
    }
    try:
        files = sorted(
            path
            for path in HfApi().list_repo_files(**where)
            if path.endswith(".parquet") and path.split("/")[-2] == part
        )
        if not files:
            raise DataError(
                f"{name}: this Hub dataset has no split {part!r}; name one with :SPLIT."
            )
        subset = files[0].split("/")[0]  # the first configuration, as datasets' own default
        parts = [
            hf_hub_download(filename=path, **where)
            for path in files
            if path.split("/")[0] == subset
        ]
    except (HTTPError, HFValidationError, OSError) as error:
        cause = " ".join(str(error).split())[:200]
        raise DataError(
            f"{name}: neither a local file nor a Hub dataset that can be reached ({cause})."
        ) from None
    return pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)


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


def _read_csv(source: str, compression: str | None) -> pd.DataFrame:
    # Cells stay text, as in scoring: "null" is a comment, 007 is not 7, an empty cell is "".
    is_url = source.startswith(URLS)
    with urlopen(source) if is_url else Path(source).open("rb") as packed:  # noqa: S310 - http
        table = CsvInput(source, gzip.GzipFile(fileobj=packed) if compression else packed)
        parts = []
        for chunk in table.chunks(table.columns[0]):
            for reason in chunk.reasons:
                if reason not in (None, BLANK):
                    raise DataError(f"{source}: {reason}.")
            parts.append(pd.DataFrame(chunk.cells, columns=table.columns, dtype=str))
    return pd.concat(parts, ignore_index=True)


def _read_lines(source: str, compression: str | None) -> pd.DataFrame:
    try:
        return pd.read_json(source, compression=compression, lines=True, dtype=False)
    except TypeError:
        raise ValueError("one of its lines is not an object") from None


READERS = {
    ".csv": _read_csv,
    ".jsonl": _read_lines,
    ".json": _read_lines,
    ".parquet": lambda source, compression: pd.read_parquet(source),
    ".toml": lambda source, compression: read_templates(source),
}
