"""The body of an answer, piece by piece: decompressed here, and never beyond its bound. Pure."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from .errors import DecodeError, clip

if TYPE_CHECKING:
    from zlib import _Decompress  # pyright: ignore[reportPrivateUsage]

ENCODING = "gzip"
"""The compression that is asked for, and understood."""

_GZIP = 16 + zlib.MAX_WBITS

_MEMBERS = 1000
"""The parts that a compressed body may be joined from, at most; it has one."""


class BrokenBody(ValueError):
    """A body that can't be decompressed, or that ends too early; nobody outside meets this."""


class Body:
    """Takes the pieces of a body, and gives it whole.

    No more than the bound is ever held, whatever a small piece decompresses to.

    Args:
        encoding: The ``Content-Encoding`` of the answer; empty for none.
        most: The bytes that it may hold, decompressed.

    Raises:
        BrokenBody: The compression is none that was asked for.
    """

    def __init__(self, encoding: str, *, most: int) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", ENCODING):
            raise BrokenBody(f"it is compressed as {clip(name, 40)}, which was not asked for")
        self._most = most
        self._bytes = bytearray()
        self._unpacks = name == ENCODING
        self._members = 0
        self._part: _Decompress | None = None

    def feed(self, piece: bytes) -> None:
        """Take a further piece.

        Raises:
            DecodeError: The body is larger than its bound.
            BrokenBody: It can't be decompressed.
        """
        if not self._unpacks:
            self._bytes += piece
            self._check()
        while self._unpacks and piece:
            piece = self._unpack(piece)

    def whole(self) -> bytes:
        """Return the body.

        Raises:
            BrokenBody: It ends too early.
        """
        if self._part is not None:
            raise BrokenBody("its compressed form ends too early")
        return bytes(self._bytes)

    def _unpack(self, piece: bytes) -> bytes:
        """Decompress a piece, as far as there is room; return what is behind the end of a part."""
        part = self._part or self._begun()
        try:
            self._bytes += part.decompress(piece, self._most + 1 - len(self._bytes))
        except zlib.error as error:
            raise BrokenBody(f"it can't be decompressed: {error}") from error
        self._check()
        self._part = None if part.eof else part
        return part.unused_data

    def _begun(self) -> _Decompress:
        self._members += 1
        if self._members > _MEMBERS:
            raise BrokenBody(f"it is joined from more than {_MEMBERS} compressed parts")
        return zlib.decompressobj(wbits=_GZIP)

    def _check(self) -> None:
        if len(self._bytes) > self._most:
            raise DecodeError(f"the answer is larger than {self._most} bytes (max_body)")
