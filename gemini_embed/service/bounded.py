"""How long an answer may be; decompresses it no further than that. Performs no I/O.

A few megabytes of gzip can hold gigabytes, so the bound is known before anything is read.
"""

from __future__ import annotations

import zlib

from gemini_embed.errors import BadResponseError

ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""How an answer may be compressed -> the `wbits` of zlib that decompress it."""

ACCEPTED = "gzip, deflate"
"""The same for the header `Accept-Encoding`."""

MOST_BESIDES = 2**20
"""Bytes that an answer may have besides vectors; the bound of an error, which has none."""

_PER_NUMBER = 64
"""Bytes allowed for a number: the service needs 12, and a gateway that indents them 30 to 45."""

_PER_TEXT = 1024


def most_bytes(texts: int, dimension: int) -> int:
    """Return how long an answer of that many vectors may be."""
    return texts * (dimension * _PER_NUMBER + _PER_TEXT) + MOST_BESIDES


class Body:
    """The body of an answer, taken in piece by piece.

    Args:
        most: Bytes it may hold, compressed or not.
        encoding: The header `Content-Encoding`.

    Raises:
        BadResponseError: It is compressed in a way that nobody asked for.
    """

    def __init__(self, most: int, encoding: str) -> None:
        self._most = most
        self._taken = self._held = 0
        self._has_begun = False
        self._pieces: list[bytes] = []
        self._inflater = _inflater(encoding.strip().lower())

    def take(self, piece: bytes) -> None:
        """Take in the next piece.

        Raises:
            BadResponseError: The answer is too long, or cannot be decompressed.
        """
        self._has_begun |= bool(piece)
        self._taken += len(piece)  # compressed bytes too may go on for ever, with no content
        if self._inflater is not None:
            piece = self._inflated(self._inflater, piece)
        self._held += len(piece)
        if max(self._taken, self._held) > self._most:
            raise BadResponseError(f"the answer is longer than the {self._most} bytes it may need")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        """Return the complete body.

        Raises:
            BadResponseError: It ended within its compression.
        """
        if self._has_begun and self._inflater is not None and not self._inflater.eof:
            raise BadResponseError("the answer could not be read: it ends within its compression")
        return b"".join(self._pieces)

    def drain(self) -> bytes:
        """Return what was taken in since the last time, for who reads an answer of any length."""
        held = b"".join(self._pieces)
        self._pieces.clear()
        self._taken = self._held = 0
        return held

    def _inflated(self, inflater: zlib._Decompress, piece: bytes) -> bytes:
        try:
            inflated = inflater.decompress(piece, self._most - self._held + 1)
        except zlib.error as error:
            raise BadResponseError(f"the answer could not be decompressed: {error}") from error
        if inflater.unused_data:
            raise BadResponseError("the answer goes on after the end of its compression")
        return inflated


def _inflater(encoding: str) -> zlib._Decompress | None:
    if encoding in {"", "identity"}:
        return None
    if encoding not in ENCODINGS:
        raise BadResponseError(
            f"the answer is compressed with {encoding[:40]!r}; {ACCEPTED} was asked for"
        )
    return zlib.decompressobj(ENCODINGS[encoding])
