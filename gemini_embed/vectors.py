"""Vectors: checked, truncated, normalised. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gemini_embed.errors import BadResponseError, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from gemini_embed.models import Model


def checked(
    rows: Sequence[Sequence[float] | NDArray[np.float32]],
    *,
    count: int,
    dimension: int,
    used: int | None = None,
) -> NDArray[np.float32]:
    """Return an answer's vectors as a float32 array of shape (count, dimension).

    float32 is exact for what the service sends: its numbers are float32, printed. `used` is how
    many numbers of each vector are to be served, where that is less.

    Raises:
        BadResponseError: Too few or too many vectors, one of another length, one that holds
            a number that is not finite, or one that has no direction: zeros only, where used.
    """
    if len(rows) != count:
        sent = f"{number_of(count, 'text')} {'was' if count == 1 else 'were'} sent"
        raise BadResponseError(f"{sent} and {number_of(len(rows), 'vector')} came back")
    for row, values in enumerate(rows):
        if len(values) != dimension:
            raise BadResponseError(
                f"vector {row} of the answer has {len(values)} numbers, not {dimension}"
            )
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, found below
        block = np.array(rows, dtype=np.float32).reshape(count, dimension)
    directed = sound(block)
    if used is not None and used < dimension:
        directed &= block[:, :used].any(axis=1)
    for row in map(int, np.flatnonzero(~directed)):
        if not np.isfinite(block[row]).all():
            what = "holds a number that is not finite"
        else:
            what = f"begins with {used} zeros" if block[row].any() else "is all zeros"
        raise BadResponseError(f"vector {row} of the answer {what}")
    return block


def sound(block: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell of each row whether it has a direction: finite, and not all zeros."""
    # One pass finds both: a sum of squares is zero, or not finite, just where a vector is.
    squares = np.einsum("ij,ij->i", block, block, dtype=np.float64)
    sound: NDArray[np.bool_] = np.isfinite(squares) & (squares > 0)
    return sound


def as_served(block: NDArray[np.float32], n: int, *, model: Model) -> NDArray[np.float32]:
    """Return what the service would answer for `n` dimensions, from its longer answer.

    gemini-embedding-001 answers the bare prefix, gemini-embedding-2 the prefix at length 1.
    """
    prefix = block[:, :n]
    return unit(prefix) if model.normalized == "always" else prefix


def unit(block: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the rows of an (n, d) array, each of length 1. Each must have a direction."""
    # The square of a float32, and the inverse of any length they give, fit a float64 only.
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))
    scaled = np.empty(block.shape, np.float32)
    np.multiply(block, 1 / lengths[:, np.newaxis], out=scaled, casting="same_kind")
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
        ValueError: `n` is out of range, or a vector's first `n` numbers are all zeros, or not all
            finite.
    """
    block = np.asarray(vectors)
    if block.ndim not in {1, 2}:
        raise ValueError(f"vectors must have one or two dimensions, not {block.ndim}")
    if not 1 <= n <= block.shape[-1]:
        raise ValueError(f"n={n}: vectors of {block.shape[-1]} numbers give 1 to that many")
    prefix = _as_float32(np.atleast_2d(block)[:, :n])
    for row in map(int, np.flatnonzero(~sound(prefix))):
        finite = np.isfinite(prefix[row]).all()
        what = "are all zeros and have no direction" if finite else "are not all finite"
        raise ValueError(f"the first {n} numbers of vector {row} {what}")
    return unit(prefix).reshape(*block.shape[:-1], n)


def _as_float32(block: NDArray[Any]) -> NDArray[np.float32]:
    """Return the rows as float32; what comes in another type is scaled first, so that it fits."""
    if block.dtype == np.float32:
        return block
    wide = block.astype(np.float64)
    # By a power of two, which changes no digit.
    _, exponents = np.frexp(np.abs(wide).max(axis=1, keepdims=True))
    scaled: NDArray[np.float64] = np.ldexp(wide, -exponents)
    return scaled.astype(np.float32)
