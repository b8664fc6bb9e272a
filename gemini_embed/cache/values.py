"""What is kept of a vector: its numbers, and a seal that tells whether they still are. No I/O.

A value is the vector's float32 numbers, then a byte that names this form, then a checksum of the
key and the numbers. Its length is no multiple of 4, so that it is never taken for a value of
before there were seals, which is numbers only.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gemini_embed.vectors import sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FORM = 1
_KEY_DIGITS = 16  # that go into the checksum: 64 bits of a hash


class Opened(NamedTuple):
    """What some values turned out to be.

    Attributes:
        found: The places of those that are vectors.
        block: These.
        damaged: The places of those that are not what was kept.
    """

    found: list[int]
    block: NDArray[np.float32]
    damaged: list[int]


def sealed(keys: Sequence[str], block: NDArray[np.float32]) -> list[bytes]:
    """Return what is to be kept of each vector under its key."""
    records = np.empty(len(keys), _record(block.shape[1]))
    records["numbers"] = block
    records["form"] = _FORM
    records["checksum"] = _checksums(keys, block)
    return [record.tobytes() for record in records]


def opened(keys: Sequence[str], values: Sequence[Any], *, dimension: int) -> Opened:
    """Return the vectors among the values of some keys, and which are damaged; None is no value.

    A cache of the user's may return anything else.
    """
    record = _record(dimension)
    whole: list[int] = []
    bare: list[int] = []
    damaged: list[int] = []
    of_length = {record.itemsize: whole, 4 * dimension: bare}
    for i, value in enumerate(values):
        if isinstance(value, bytes | bytearray | memoryview):
            of_length.get(len(value), damaged).append(i)
        elif value is not None:
            damaged.append(i)

    records = np.frombuffer(b"".join(values[i] for i in whole), record)
    block = np.ascontiguousarray(records["numbers"])
    checksums = _checksums([keys[i] for i in whole], block)
    good = (records["form"] == _FORM) & (records["checksum"] == checksums)
    if bare:  # of such, all that can be told is whether the numbers make a vector
        numbers = np.frombuffer(b"".join(values[i] for i in bare), "<f4").reshape(-1, dimension)
        block = np.concatenate([block, numbers])
        good = np.concatenate([good, sound(numbers)])

    places = whole + bare
    if not good.all():
        damaged += [i for i, ok in zip(places, good, strict=True) if not ok]
        places = [i for i, ok in zip(places, good, strict=True) if ok]
        block = block[good]
    return Opened(places, block, damaged)


@lru_cache
def _record(dimension: int) -> np.dtype[np.void]:
    return np.dtype([("numbers", "<f4", (dimension,)), ("form", "u1"), ("checksum", "<u8")])


def _checksums(keys: Sequence[str], block: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the checksum of each vector with its key: a weighted sum of its numbers' bits.

    Half the cost of a CRC, since all vectors are summed in one go. One number that changed in
    whatever way is always seen: an odd weight times a difference below 2**32 is never 0 modulo
    2**64. So are two that changed their signs. Of more changes, of a vector in another's place and
    of what is no vector at all, one in 2**64 is missed; were only signs changed, one in 2**32.
    """
    bits = np.ascontiguousarray(block, "<f4").view("<u4")
    sums = np.einsum("ij,j->i", bits, _weights(block.shape[1]), dtype=np.uint64)
    starts = bytes.fromhex("".join(key[:_KEY_DIGITS] for key in keys))
    checksums: NDArray[np.uint64] = sums + np.frombuffer(starts, "<u8")
    return checksums


@lru_cache
def _weights(dimension: int) -> NDArray[np.uint64]:
    """Return the weights: what they are does not matter, but they never change."""
    random = hashlib.shake_256(b"gemini-embed").digest(8 * dimension)
    return np.frombuffer(random, "<u8") | np.uint64(1)
