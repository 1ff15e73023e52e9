"""The rows of a JSON file as bytes: one object per line, an array of objects, or spread out."""

import re
from collections.abc import Iterator
from itertools import chain, islice

from comment_toxicity.errors import DataError
from comment_toxicity.files.csv_rows import LONGEST_CELL
from comment_toxicity.files.streams import BLOCK, Bytes, bounded_lines

MOST_EMPTY = 1000  # lines, before the first two that decide on the layout
_BLANK = b" \t\r\n,"
_MARK = b"\xef\xbb\xbf"
# A whole string, or what opens and closes; a quotation mark alone begins a string cut off here.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)


def json_rows(stream: Bytes, path: str) -> Iterator[tuple[int, bytes]]:
    """The number of the line where each row begins, and the row. An empty line is an empty row.

    An array's elements are rows, and so are objects that span lines. A comma after a row is
    dropped. Raises DataError for a row of more than LONGEST_CELL bytes, or one that does not end.
    """
    if stream.peek(BLOCK).lstrip(_MARK + _BLANK).startswith(b"["):  # type: ignore[union-attr]
        yield from _Values(stream, path, b"")
        return
    lines = enumerate(bounded_lines(stream, path), start=1)
    head, texts = [], []
    for number, line in islice(lines, MOST_EMPTY):
        head.append((number, line))
        if text := line.strip(_MARK + _BLANK):
            texts.append(text)
        if len(texts) == 2 or (texts and not _continues(texts[0])):
            break
    if len(texts) == 2 and not texts[1].startswith(b"{"):
        yield from _Values(stream, path, b"".join(line for _, line in head))
        return
    for number, line in chain(head, lines):
        text = line.rstrip()
        yield number, text[:-1] if text.endswith(b"},") else line


def _continues(line: bytes) -> bool:
    """Whether an object begins in a line and ends in a later one."""
    tokens = [match[0] for match in _TOKEN.finditer(line)]
    opened, closed = (
        sum(token in both for token in tokens) for both in ((b"{", b"["), (b"}", b"]"))
    )
    return line.startswith(b"{") and opened > closed and b'"' not in tokens


class _Values:
    """Cut JSON into its values, and its arrays into theirs: an iterable of line and value."""

    def __init__(self, stream: Bytes, path: str, start: bytes):
        self._stream, self._path = stream, path
        self._buffer = start  # what has been read, but not been given out
        self._line = 1  # where it begins
        self._done = 0  # up to here, it has been given out since

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        scanned = depth = 0
        in_array, more = False, True
        while more:
            block = self._stream.read(max(BLOCK, len(self._buffer)))  # so that the time is linear
            more = bool(block)
            self._buffer += block
            for token in _TOKEN.finditer(self._buffer, scanned):
                sign, outside = token[0], depth == in_array
                if sign == b'"' and more:
                    break
                scanned = token.end()
                if outside:
                    yield from self._bare(token.start())
                if sign in (b"{", b"["):
                    depth += 1
                    if sign == b"[" and depth == 1:
                        in_array, self._done = True, scanned
                elif sign in (b"}", b"]"):
                    depth -= 1
                    if outside and not (in_array and sign == b"]"):
                        raise self._error(f"a {sign.decode()} that nothing opens")
                    if outside:
                        in_array, self._done = False, scanned
                    elif depth == in_array:
                        yield self._take(scanned)
                elif outside:
                    yield self._take(scanned)
            else:
                scanned = len(self._buffer)
            if depth == in_array and not self._buffer[self._done : scanned].strip(_BLANK):
                self._take(scanned)
            self._buffer, scanned, self._done = (
                self._buffer[self._done :],
                scanned - self._done,
                0,
            )
            if len(self._buffer) > LONGEST_CELL:
                raise self._error(f"more than {LONGEST_CELL:,} characters in one object")
        if depth > in_array:
            raise self._error("an object that does not end")
        yield from self._bare(len(self._buffer))
        if in_array:
            raise self._error("the array does not end")

    def _take(self, end: int) -> tuple[int, bytes]:
        """Return what ends here, with the number of the line in which it begins."""
        value = self._buffer[self._done : end]
        text = value.lstrip(_MARK + _BLANK)
        number = self._line + value.count(b"\n", 0, len(value) - len(text))
        self._line += value.count(b"\n")
        self._done = end
        return number, text.rstrip(_BLANK)

    def _bare(self, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield what ends here and is no object, array or string, such as null."""
        for piece in self._buffer[self._done : end].split(b","):
            number, text = self._take(min(self._done + len(piece) + 1, end))
            if text:
                yield number, text

    def _error(self, what: str) -> DataError:
        number, _ = self._take(len(self._buffer))
        return DataError(
            f"{self._path}: line {number}: {what}; expected one whole object per comment."
        )
