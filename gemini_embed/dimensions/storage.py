"""Ways to store a number, and what is left of vectors that are read again. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Storage = Literal["float32", "float16", "int8", "binary"]

STORAGES: tuple[Storage, ...] = get_args(Storage)

_BITS: dict[Storage, int] = {"float32": 32, "float16": 16, "int8": 8, "binary": 1}

_PGVECTOR: dict[Storage, tuple[str, int]] = {
    "float32": ("vector", 2_000),
    "float16": ("halfvec", 4_000),
    "binary": ("bit", 64_000),
}
"""pgvector's type for it, and how many dimensions its HNSW index takes; of int8 it has none."""

_INT8 = 127
"""What the largest number of a dimension becomes."""


def bytes_of(storage: Storage, dimension: int, *, vectors: int = 1_000_000) -> int:
    """Return the bytes of vectors, without those of an index around them."""
    return -(-_BITS[storage] * dimension // 8) * vectors


def pgvector_type(storage: Storage, dimension: int) -> str | None:
    """Return the column type of pgvector whose HNSW index takes such vectors; None: none does."""
    name, most = _PGVECTOR.get(storage, ("", 0))
    return name if dimension <= most else None


def stored(
    block: NDArray[np.float32], storage: Storage, largest: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the vectors as they are read again.

    Args:
        block: Vectors of length 1.
        storage: How they are stored.
        largest: The largest number of each dimension in the corpus, without its sign.
    """
    if storage == "float16":
        return block.astype(np.float16).astype(np.float32)
    if storage == "int8":
        steps = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(_INT8)
        again: NDArray[np.float32] = np.rint(block / steps) * steps
        return again
    if storage == "binary":  # the product of signs falls as the Hamming distance grows
        return np.where(block > 0, 1, -1).astype(np.float32)
    return block


def asked(
    block: NDArray[np.float32], storage: Storage, largest: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return queries as they are compared with what is stored so.

    Against int8 they stay as they are: a query may lie outside of the corpus's range.
    """
    return block if storage == "int8" else stored(block, storage, largest)
