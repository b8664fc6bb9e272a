"""The body of a request with media, written in pieces: base64 is made of bytes as they leave.

A body is JSON in which a word stands for each medium, such as nobody can have written. Performs no
I/O.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from itertools import count
from typing import TYPE_CHECKING

from gemini_embed.media.contents import base64_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

_AT_ONCE = 3 * 2**17
"""Bytes that become base64 in one go: a multiple of 3. It takes less than a millisecond."""


class Words:
    """The words of one body, and the bytes that they stand for."""

    def __init__(self) -> None:
        self._start = f"gemini-embed-{secrets.token_hex(16)}-"
        self._numbers = count()
        self.bytes_of: dict[bytes, bytes] = {}

    def word_for(self, data: bytes) -> str:
        """Return a word for some bytes."""
        word = f"{self._start}{next(self._numbers):04}"
        self.bytes_of[word.encode()] = data
        return word


class Pieces:
    """A body in pieces; it can be gone through several times.

    Args:
        body: JSON with words.
        bytes_of: What each of them stands for.

    Attributes:
        size: How many bytes it has in all.
    """

    def __init__(self, body: bytes, bytes_of: Mapping[bytes, bytes]) -> None:
        words = b"|".join(map(re.escape, bytes_of))
        self._parts = re.split(b"(%b)" % words, body)
        self._bytes_of = bytes_of
        held = self._parts[1::2]
        texts = sum(map(len, self._parts[::2]))
        self.size = texts + sum(base64_size(len(bytes_of[word])) for word in held)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            data = self._bytes_of.get(part)
            if data is None:
                yield part
            else:
                view = memoryview(data)
                for start in range(0, len(view), _AT_ONCE):
                    yield b64encode(view[start : start + _AT_ONCE])


class InTurn:
    """Pieces for httpx, which takes what goes on in turn with other work."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
