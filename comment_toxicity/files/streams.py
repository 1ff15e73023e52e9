"""Bytes of text files: opened, turned into UTF-8, and read in lines of bounded length."""

import codecs
import gzip
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from comment_toxicity.errors import DataError
from comment_toxicity.files.csv_rows import LONGEST_CELL

STANDARD_STREAM = "-"
BLOCK = 1 << 16

Bytes = IO[bytes] | gzip.GzipFile

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_bytes(path: str) -> Bytes:
    """Open a file, or standard input for "-"; .gz is unpacked."""
    if path == STANDARD_STREAM:
        return sys.stdin.buffer
    if path.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return Path(path).open("rb")


def as_utf8(stream: Bytes, path: str, encoding: str | None = None) -> io.BufferedReader:
    """The same text in UTF-8, from UTF-16 or UTF-32 (told by its first bytes), or `encoding`.

    What is not valid in that encoding becomes bytes that are not valid in UTF-8.
    Raises DataError for an unknown encoding, and reading it does if the file ends in a character.
    """
    buffered: Any = stream if hasattr(stream, "peek") else io.BufferedReader(stream)  # type: ignore
    encoding = encoding or encoding_of(buffered.peek(64)[:64])
    try:
        codec = codecs.lookup(encoding)
        if not codec._is_text_encoding:
            raise LookupError
    except LookupError:
        raise DataError(
            f"{path}: no encoding is called {encoding!r}; give one such as cp1252, latin-1, "
            "utf-16 or shift_jis."
        ) from None
    if codec.name in ("utf-8", "utf-8-sig"):
        return buffered
    return io.BufferedReader(_Utf8(buffered, path, codec), BLOCK)


def bounded_lines(stream: io.TextIOWrapper | Bytes, path: str) -> Iterator[Any]:
    """Read lines of bounded length: a small .gz can hold an endless one."""
    for number in itertools.count(1):
        line = stream.readline(LONGEST_CELL)
        if not line:
            return
        if len(line) == LONGEST_CELL:
            raise DataError(
                f"{path}: line {number} is longer than {LONGEST_CELL:,} characters; "
                "expected one line per comment."
            )
        yield line


def encoding_of(start: bytes) -> str:
    """UTF-16 or UTF-32 by the mark at the start, or UTF-16 by its zeros; else UTF-8.

    start: the first 64 bytes of a file.
    """
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    even, odd = start[0:16:2], start[1:16:2]
    if len(odd) > 1 and not any(odd) and all(even):
        return "utf-16-le"
    if len(odd) > 1 and not any(even) and all(odd):
        return "utf-16-be"
    return "utf-8"


class _Utf8(io.RawIOBase):
    """A stream's text, encoded again as UTF-8."""

    def __init__(self, stream: Any, path: str, codec: codecs.CodecInfo):
        self._stream, self._path, self._name = stream, path, codec.name
        wide = codec.name.startswith(("utf-16", "utf-32"))
        # A lone surrogate, for which UTF-8 has no valid bytes, marks what cannot be decoded.
        errors = "surrogatepass" if wide else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(codec.name)(errors)
        self._ready = b""

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill the target with the next bytes; 0 at the end."""
        block = b"more"
        while not self._ready and block:
            block = self._stream.read1(BLOCK)
            try:
                text = self._decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path}: not {self._name} text ({error.reason}); copy it again, or "
                    "save it as UTF-8."
                ) from error
            self._ready = text.encode("utf-8", "surrogatepass")
        size = min(len(target), len(self._ready))
        target[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
