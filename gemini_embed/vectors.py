"""Vectors: checked, truncated, normalised. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemini_embed.errors import BadResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from gemini_embed.models import Model, Normalize


def checked(rows: Sequence[Sequence[float]], *, count: int, dimension: int) -> NDArray[np.float32]:
    """Return an answer's vectors as a float32 array of shape (count, dimension).

    float32 is exact for what the service sends: its numbers are float32, printed.

    Raises:
        BadResponseError: Too few or too many vectors, one of another length, one that holds
            a number that is not finite, or one of zeros only, which has no direction.
    """
    if len(rows) != count:
        raise BadResponseError(f"{count} texts were sent and {len(rows)} vectors came back")
    for row, values in enumerate(rows):
        if len(values) != dimension:
            raise BadResponseError(
                f"vector {row} of the answer has {len(values)} numbers, not {dimension}"
            )
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, found below
        block = np.array(rows, dtype=np.float32).reshape(count, dimension)
    # One pass finds both flaws: a sum of squares is zero, or not finite, just where a vector is.
    squares = np.einsum("ij,ij->i", block, block, dtype=np.float64)
    for row in map(int, np.flatnonzero(~np.isfinite(squares) | (squares == 0))):
        what = "is all zeros" if squares[row] == 0 else "holds a number that is not finite"
        raise BadResponseError(f"vector {row} of the answer {what}")
    return block


def must_normalize(normalize: Normalize, *, model: Model, dimension: int) -> bool:
    """Tell whether vectors of `dimension` need to be brought to unit length here.

    `"auto"`: where the service does not do it. gemini-embedding-001 below 3072 dimensions
    comes back as a bare prefix, of length 0.57 at 768.
    """
    if normalize != "auto":
        return normalize
    return model.normalized == "native" and dimension != model.dimension


def unit(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows of an (n, d) array, each of length 1."""
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))
    scaled: NDArray[np.float32] = (block / lengths[:, np.newaxis]).astype(np.float32)
    return scaled


def truncate(vectors: ArrayLike, n: int) -> NDArray[np.float32]:
    """Return the first `n` numbers of each vector, brought to unit length.

    Matryoshka models put what matters first, so this gives the direction that asking the
    service for `output_dimensionality=n` gives (recorded answers of gemini-embedding-001 and
    -2 agree), and one stored set of vectors serves every smaller dimension.

    Args:
        vectors: Shape (d,) or (rows, d).
        n: From 1 to d.

    Raises:
        ValueError: `n` is out of range, or a vector's first `n` numbers are all zeros.
    """
    block = np.asarray(vectors, dtype=np.float32)
    if block.ndim not in {1, 2}:
        raise ValueError(f"vectors must have one or two dimensions, not {block.ndim}")
    if not 1 <= n <= block.shape[-1]:
        raise ValueError(f"n={n}: vectors of {block.shape[-1]} numbers give 1 to that many")
    prefix = np.atleast_2d(block)[:, :n]
    if not prefix.any(axis=1).all():
        raise ValueError(f"a vector's first {n} numbers are all zeros and have no direction")
    return unit(prefix).reshape(*block.shape[:-1], n)
