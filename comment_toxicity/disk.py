"""Files on disk: hashed, read as JSON, written atomically; folders locked by one process."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

LOCK_NAME = ".lock"
"""The file in a folder that is locked while a process uses it."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_hash_of(content: bytes) -> str:
    """The hash by which git, and so the Hub, identifies the content of a small file."""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises OSError where it cannot be read, ValueError where it holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people to read, whole or not at all."""
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old or the new one, never a part."""
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except BaseException:  # also when interrupted, or for text that UTF-8 cannot express
        partial.unlink(missing_ok=True)
        raise


def shortest_float(value: np.floating) -> float:
    """The shortest number that is this float32: 0.3827457, not 0.38274571299552917."""
    return float(str(value))


@contextmanager
def kept_for_this_process(folder: Path, busy: Exception) -> Iterator[None]:
    """Lock a folder for this process; the system releases it when the process ends.

    busy: raised when another process holds it, or has just removed it.
    """
    try:
        stream = (folder / LOCK_NAME).open("a", encoding="utf-8")
    except FileNotFoundError:
        raise busy from None
    with stream:
        try:
            _lock(stream)
        except (BlockingIOError, PermissionError):  # the latter on Windows
            raise busy from None
        if os.fstat(stream.fileno()).st_nlink == 0:  # removed after it was opened
            raise busy
        yield


def _lock(stream: IO[str]) -> None:
    """Lock an open file until it is closed. Raises OSError where it is locked."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def files_in(folder: Path) -> list[Path]:
    """What is in a folder, apart from the lock."""
    return [path for path in folder.iterdir() if path.name != LOCK_NAME]
