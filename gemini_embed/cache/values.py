"""The bytes that a cache stores for a vector: its numbers, sealed by a checksum. Performs no I/O.

A value is the vector's float32 numbers, then a byte for the version of this format, then a checksum
of the key and the numbers. Its length is never a multiple of 4, so that it cannot be taken for a
value of release 0.1, which is numbers only.
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
_KEY_DIGITS = 16  # of the key, in the checksum: 64 bits of a hash


class Opened(NamedTuple):
    """Which of some values are vectors, and which are damaged.

    Attributes:
        found: Positions of the values that are vectors.
        block: Those vectors.
        damaged: Positions of the values that are no longer what was stored.
    """

    found: list[int]
    block: NDArray[np.float32]
    damaged: list[int]


def sealed(keys: Sequence[str], block: NDArray[np.float32]) -> list[bytes]:
    """Return the value to store for each vector under its key."""
    records = np.empty(len(keys), _record(block.shape[1]))
    records["numbers"] = block
    records["form"] = _FORM
    records["checksum"] = _checksums(keys, block)
    return [record.tobytes() for record in records]


def opened(keys: Sequence[str], values: Sequence[Any], *, dimension: int) -> Opened:
    """Return the vectors among the values of some keys, and which values are damaged.

    None means that there is no value. A user's own cache may return anything: what is not bytes
    counts as damaged.
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
    if bare:  # without a checksum: all to check is that the numbers are a vector
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

    It costs half of what a CRC does, since numpy sums all vectors at once; `make bench` measures
    reading known texts, section Cache. It finds every change of one number: an odd weight times a
    difference below 2**32 is never 0 modulo 2**64. It finds two changed signs. Of other damage
    (more numbers, another text's vector, any other bytes) it misses one case in 2**64; of more
    changed signs, with nothing else, one in 2**32.
    """
    bits = np.ascontiguousarray(block, "<f4").view("<u4")
    sums = np.einsum("ij,j->i", bits, _weights(block.shape[1]), dtype=np.uint64)
    starts = bytes.fromhex("".join(key[:_KEY_DIGITS] for key in keys))
    checksums: NDArray[np.uint64] = sums + np.frombuffer(starts, "<u8")
    return checksums


@lru_cache
def _weights(dimension: int) -> NDArray[np.uint64]:
    """Return the weights: any odd numbers, but never others than in the files that exist."""
    random = hashlib.shake_256(b"gemini-embed").digest(8 * dimension)
    return np.frombuffer(random, "<u8") | np.uint64(1)
