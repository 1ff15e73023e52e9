"""Folders of files, on this machine or in S3: listed, read, and written whole or not at all.

S3 is reached through pyarrow, with the settings of the AWS tools: credentials from the environment,
a profile, or the machine's role; AWS_REGION; AWS_ENDPOINT_URL for another S3-compatible store.

What is not finished is in _unfinished/. Programs that read a folder as one table (Spark, Arrow,
Hive) leave out names that begin with _, and so does listing a folder here.
"""

import fnmatch
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from comment_toxicity.errors import DataError
from comment_toxicity.extras import needed_for

S3 = "s3://"
UNFINISHED = "_unfinished"
WILDCARD = re.compile(r"[*?\[]")
LARGEST_OBJECT = 5 * 1024**3  # bytes; S3 moves no larger one


@dataclass(frozen=True)
class Found:
    """A file in a folder.

    name: from the folder, with / between its parts. size: bytes. modified: nanoseconds since 1970.
    """

    name: str
    size: int
    modified: int


class Folder(Protocol):
    """A folder. `root` is its path or its s3:// address; it need not exist."""

    root: str

    def address(self, name: str) -> str:
        """The path of a file in it, as a person writes it."""

    def files(self) -> list[Found]:
        """All files in it and below, sorted; without those whose name begins with . or _."""

    def find(self, name: str) -> Found | None:
        """One file, if it is there."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read. Raises FileNotFoundError."""

    def on_disk(self, name: str) -> Any:
        """A context with a file on this machine of this content and ending: itself, or a copy."""

    def workspace(self, name: str) -> Any:
        """A context with a folder on this machine in which the file of this name can be made."""

    def put(self, made: Path, name: str) -> None:
        """Let a finished file of the workspace appear under its name, in place of an older one."""


class LocalFolder:
    """A folder on this machine, or on a file system that it shares with others."""

    def __init__(self, root: str):
        self.root = root
        self._path = Path(root).absolute()  # workers elsewhere have other working folders

    def address(self, name: str) -> str:
        """Its path."""
        return str(self._path / name)

    def files(self) -> list[Found]:
        """All files in it and below, sorted; without those whose name begins with . or _."""
        names = []
        for folder, folders, files in os.walk(self._path, onerror=_cannot_list):
            folders[:] = [each for each in folders if each[0] not in "._"]
            names += [(Path(folder) / each).relative_to(self._path).as_posix() for each in files]
        found = map(self.find, filter(_is_listed, names))
        return sorted((each for each in found if each), key=lambda each: each.name)

    def find(self, name: str) -> Found | None:
        """One file, if it is there."""
        path = self._path / name
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Found(name, status.st_size, status.st_mtime_ns) if path.is_file() else None

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read. Raises FileNotFoundError."""
        return (self._path / name).open("rb")

    @contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self._path / name

    @contextmanager
    def workspace(self, name: str) -> Iterator[Path]:
        """A folder in _unfinished/, which stays: an interrupted run continues there."""
        work = self._path / UNFINISHED / PurePosixPath(name).parent
        work.mkdir(parents=True, exist_ok=True)
        yield work

    def put(self, made: Path, name: str) -> None:
        """Move a finished file to its place."""
        target = self._path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        made.replace(target)

    def tidy(self) -> None:
        """Remove the folders in _unfinished/ that are empty."""
        for folder, _, _ in os.walk(self._path / UNFINISHED, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


class S3Folder:
    """A bucket, or what is below a prefix of it. Raises DataError for what S3 refuses."""

    def __init__(self, root: str):
        self.root = root.rstrip("/")
        with needed_for("s3://", "comment-toxicity[files]", DataError):
            from pyarrow import fs
        self._key = self.root.removeprefix(S3)
        bucket = self._key.split("/")[0]
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        with _translating_s3_errors(self.root):
            if not bucket:
                raise OSError("no bucket is named")
            if not endpoint and not region:
                region = fs.resolve_s3_region(bucket)
            # Only region and endpoint are sent to workers; credentials are found on each machine.
            self._fs = fs.S3FileSystem(region=region or "us-east-1", endpoint_override=endpoint)

    def address(self, name: str) -> str:
        """Its s3:// address."""
        return f"{self.root}/{name}"

    def files(self) -> list[Found]:
        """All objects below the prefix, sorted; without those whose name begins with . or _."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._key, allow_not_found=True, recursive=True)
        with _translating_s3_errors(self.root):
            listed = self._fs.get_file_info(selector)
        found = (self._found(info) for info in listed)
        return sorted((f for f in found if f and _is_listed(f.name)), key=lambda each: each.name)

    def find(self, name: str) -> Found | None:
        """One object, if it is there."""
        with _translating_s3_errors(self.address(name)):
            return self._found(self._fs.get_file_info(f"{self._key}/{name}"))

    def _found(self, info: Any) -> Found | None:
        name = info.path.removeprefix(f"{self._key}/")
        return Found(name, info.size, info.mtime_ns) if info.is_file else None

    def open(self, name: str) -> IO[bytes]:
        """Open an object to read; what is not asked for is not transferred."""
        return self._fs.open_input_file(f"{self._key}/{name}")

    @contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """A temporary copy."""
        with _temporary_folder() as temporary:
            copy = temporary / PurePosixPath(name).name
            with (
                _translating_s3_errors(self.address(name)),
                self._fs.open_input_file(f"{self._key}/{name}") as content,
            ):
                content.download(str(copy))
            yield copy

    @contextmanager
    def workspace(self, name: str) -> Iterator[Path]:
        """A temporary folder: what is unfinished is not resumed, but scored again."""
        with _temporary_folder() as temporary:
            yield temporary

    def put(self, made: Path, name: str) -> None:
        """Upload a finished file under another name, then move it.

        An upload that is broken off appears as an object that ends too early.
        """
        address = self.address(name)
        if made.stat().st_size > LARGEST_OBJECT:
            raise DataError(f"{address}: larger than 5 GB, which S3 cannot move; split the input.")
        unfinished = f"{self._key}/{UNFINISHED}/{name}"
        with _translating_s3_errors(address):
            with self._fs.open_output_stream(unfinished) as stream, made.open("rb") as content:
                stream.upload(content)
            self._fs.move(unfinished, f"{self._key}/{name}")

    def tidy(self) -> None:
        """Nothing: there are no folders in S3."""


def folder(root: str) -> LocalFolder | S3Folder:
    """The folder with this path, or this s3:// address."""
    return S3Folder(root) if root.startswith(S3) else LocalFolder(root)


def split(path: str) -> tuple[str, str]:
    """The folder of a file, and its name in it."""
    if path.startswith(S3):
        root, _, name = path.rpartition("/")
        return root, name
    return str(Path(path).parent), Path(path).name


def expand(path: str) -> tuple[LocalFolder | S3Folder, list[Found]]:
    """The files that a path means: itself, all in a folder, or all that match a pattern.

    In a pattern, * and ? stand for characters within a name, ** for any folders. The folder that is
    returned is the part of the path before the first of them.
    Raises DataError where there is no such file.
    """
    if not path.rstrip("/").removeprefix(S3.rstrip("/")):
        raise DataError(f"{path!r}: names no folder or file.")
    if path.startswith(S3) and "/" not in path.removeprefix(S3).rstrip("/"):
        return folder(path), folder(path).files()
    root, name = split(path.rstrip("/"))
    parent = folder(root)
    found = parent.find(name)
    if found:
        return parent, [found]
    if WILDCARD.search(path):
        return _matching(path)
    inside = folder(path)
    files = inside.files() if path.startswith(S3) or Path(path).is_dir() else []
    if not files:
        raise DataError(f"{path}: no such file, or no files in it.")
    return inside, files


def _matching(path: str) -> tuple[LocalFolder | S3Folder, list[Found]]:
    parts = path.removeprefix(S3).split("/")
    first = next(at for at, part in enumerate(parts) if WILDCARD.search(part))
    if path.startswith(S3) and first == 0:
        raise DataError(f"{path}: name the bucket in full.")
    root = "/".join(parts[:first])
    base = folder(f"{S3}{root}" if path.startswith(S3) else root or ("/" if first else "."))
    files = [each for each in base.files() if _matches(each.name.split("/"), parts[first:])]
    if not files:
        raise DataError(f"{path}: no file matches.")
    return base, files


def _matches(name: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_matches(name[skipped:], pattern[1:]) for skipped in range(len(name) + 1))
    return (
        bool(name) and fnmatch.fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])
    )


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="toxicity-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def _is_listed(name: str) -> bool:
    return not any(part[:1] in (".", "_") for part in name.split("/"))


def _cannot_list(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be listed ({error.strerror or error}).") from error


@contextmanager
def _translating_s3_errors(address: str) -> Iterator[None]:
    """Turn pyarrow's errors into one sentence, which holds no credentials."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{address}: no such object or bucket.") from error
    except OSError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(
            f"{address}: {reason}; check the name, AWS_REGION or AWS_ENDPOINT_URL, and the "
            "credentials."
        ) from error
