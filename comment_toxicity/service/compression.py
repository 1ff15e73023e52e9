"""Compressed request bodies: gzip and deflate, as Google's clients for Java and .NET send them."""

import zlib

from comment_toxicity.service.errors import ApiError, invalid, too_large

GZIP, ZLIB, RAW = 31, 15, -15  # zlib's wbits
ACCEPTED = "gzip, deflate"


class Decompressor:
    """Unpacks a body as it arrives, up to a limit.

    encoding: the Content-Encoding header. limit: bytes of the body, packed and unpacked.
    Raises ApiError 415 for another encoding, or several.
    """

    def __init__(self, encoding: str, limit: int):
        names = {name.strip().lower() for name in encoding.split(",")} - {"", "identity"}
        if len(names) > 1 or not names <= {"gzip", "x-gzip", "deflate"}:
            raise ApiError(
                415,
                f"The request's Content-Encoding is not supported; send {ACCEPTED} or identity.",
                headers={"Accept-Encoding": ACCEPTED},
            )
        self._limit = self._packed_left = self._left = limit
        self._gzip, self._deflate = bool(names - {"deflate"}), names == {"deflate"}
        self._waiting = b""  # the first byte of deflate, which does not tell its form yet
        self._stream = zlib.decompressobj(GZIP) if self._gzip else None

    def unpack(self, part: bytes) -> bytes:
        """Return the bytes that a part of the body unpacks to.

        Raises ApiError 413 beyond the limit, 400 for what is not compressed as announced.
        """
        self._packed_left -= len(part)
        if self._packed_left < 0:
            raise too_large(self._limit)
        if self._gzip or self._deflate:
            part = self._decompressed(self._waiting + part)
            if len(part) > self._left:
                raise too_large(self._limit)
            self._left -= len(part)
        return part

    def finish(self) -> None:
        """Raise ApiError 400 where the compressed data ended early."""
        if self._waiting or (self._stream is not None and not self._stream.eof):
            raise invalid("The request's body ends in the middle of its compressed data.")

    def _decompressed(self, part: bytes) -> bytes:
        """Unpack a part, or the first byte more than may be left of it."""
        if self._stream is None:
            self._waiting = part if len(part) < 2 else b""
            if self._waiting or not part:
                return b""
            # RFC 1950's header, which some clients leave out.
            has_header = part[0] & 0x0F == 8 and int.from_bytes(part[:2]) % 31 == 0
            self._stream = zlib.decompressobj(ZLIB if has_header else RAW)
        unpacked = b""
        try:
            while part and len(unpacked) <= self._left:
                unpacked += self._stream.decompress(part, self._left + 1 - len(unpacked))
                part = self._stream.unconsumed_tail
                if self._stream.eof and (part := self._stream.unused_data):
                    if not self._gzip:
                        raise zlib.error
                    self._stream = zlib.decompressobj(GZIP)  # a gzip file can have several members
        except zlib.error:
            raise invalid("The request's body is not compressed as it says.") from None
        return unpacked
