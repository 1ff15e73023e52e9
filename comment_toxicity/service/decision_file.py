"""The decision log in a file: JSON lines, rotated, written by several processes."""

import errno
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from comment_toxicity.errors import SettingsError

FLAG = "--decision-log"
FILES = 10  # that the log is split into; the oldest is deleted
MAX_LINE = 1_000_000  # bytes


@dataclass(frozen=True)
class Entry:
    """What was decided about one comment.

    time: in UTC, as 2026-11-29T08:24:13Z. id: the caller's own for the comment.
    policy: the name of the one that decided; empty: none. weights: the SHA-256 of the weight file.
    scores: by label. flags: the labels that were flagged.
    """

    time: str
    id: str
    policy: str
    weights: str
    scores: dict[str, float]
    flags: list[str]

    def line(self) -> bytes:
        """The entry as a line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode("ascii") + b"\n"


class FileStore:
    """JSON lines in PATH and, as it grows, in PATH.1 (the newest) to PATH.9.

    Several processes may write to it; each batch is written whole, under a lock.
    size: bytes of all files together.
    """

    def __init__(self, path: Path, size: int):
        self._path = path
        self._size = size // FILES

    def open(self) -> None:
        """Create the file if it does not exist. Raises SettingsError."""
        try:
            self._stream().close()
        except OSError as error:
            raise SettingsError(
                f"{FLAG} {self._path}: cannot be written ({error.strerror}); name a file in a "
                "folder that exists."
            ) from None

    def write(self, entries: Sequence[Entry]) -> None:
        """Append entries, all or none. Raises OSError."""
        content = b"".join(entry.line() for entry in entries)
        while True:
            with self._stream() as stream:
                _lock(stream)  # until it is closed
                if not self._is_current(stream):
                    continue  # another process has just rotated it
                end = stream.seek(0, os.SEEK_END)
                if end and end + len(content) > self._size:
                    self._rotate()
                    continue
                try:
                    # A process that was killed can have left half a line.
                    whole = b"\n" + content if end and not _ends_a_line(stream, end) else content
                    if stream.write(whole) < len(whole):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                except OSError:
                    with suppress(OSError):
                        stream.truncate(end)
                    raise
                return

    def close(self) -> None:
        """Nothing is open between two batches."""

    def _stream(self) -> IO[bytes]:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self._path, flags, 0o600)  # for its owner alone
        return os.fdopen(descriptor, "a+b", buffering=0)

    def _is_current(self, stream: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(stream.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        older = files(self._path)
        for path in older[:-1]:
            number = int(path.suffix[1:]) + 1
            if number < FILES:
                path.replace(f"{self._path}.{number}")
            else:
                path.unlink()
        self._path.replace(f"{self._path}.1")


def files(path: Path) -> list[Path]:
    """The files of a decision log, the oldest first; PATH itself is the last, if it exists."""
    numbered = (Path(f"{path}.{number}") for number in range(FILES - 1, 0, -1))
    return [each for each in (*numbered, path) if each.is_file()]


def read(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yield the entries of a decision log as objects, the oldest first; None for a broken line."""
    for file in files(path):
        with file.open("rb") as stream:
            while line := stream.readline(MAX_LINE):
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    entry = None
                yield entry if isinstance(entry, dict) else None


def _ends_a_line(stream: IO[bytes], end: int) -> bool:
    stream.seek(end - 1)
    return stream.read(1) == b"\n"


def _lock(stream: IO[bytes]) -> None:
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
