"""Vectors from nothing but a hash: instant, meaningless, and as regular as Google's.

Performs no I/O. What costs time in serving a vector is printing its 3,072 numbers, so most
of them are printed beforehand. A vector is a row of blocks of 32 numbers, all blocks of the
same length. The first block is drawn and printed for the text alone: vectors differ from
their first numbers on. Every other block is one of a pool of 256, printed once; the text's
hash chooses which. Since all blocks are equally long, a row of k of them has length
sqrt(k / 96) exactly: the whole vector has length 1, and a shorter one that must have length
1 is the same row of blocks from a pool printed at another scale.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from gemini_embed.standin.vector_sources import WantedVector, json_array

_BLOCK = 32
_POOL = 256
_FIRST = 4 * _BLOCK  # bytes of the hash that the first block is made of


class HashedVectors:
    """Random directions, one per text or medium, task type, title and model."""

    def values(self, wanted: WantedVector) -> bytes:
        """Return the vector as a JSON array."""
        model, dimension = wanted.model, wanted.dimension
        blocks = -(-dimension // _BLOCK)
        read = _parts(wanted) if wanted.media else wanted.text
        key = repr((model.name, read, wanted.task_type, wanted.title))
        digest = hashlib.shake_256(key.encode()).digest(_FIRST + blocks)
        if dimension % _BLOCK == 0:
            return b"[%b]" % _row(digest, blocks, dimension if wanted.unit else model.dimension)
        beginning = _row(digest, blocks, model.dimension).split(b",")[:dimension]
        if not wanted.unit:
            return b"[%b]" % b",".join(beginning)
        numbers = np.array(beginning, dtype="S").astype(np.float64)
        return json_array(numbers / np.linalg.norm(numbers))


def _parts(wanted: WantedVector) -> tuple[str, ...]:
    return tuple(part if isinstance(part, str) else part.digest for part in wanted.parts)


def _row(digest: bytes, blocks: int, unit_at: int) -> bytes:
    """Return the numbers of a row of blocks which has length 1 when it has `unit_at` numbers."""
    first = np.frombuffer(digest[:_FIRST], "<i4") + 0.5  # half a step, or it could be all zeros
    first *= np.sqrt(_BLOCK / unit_at) / np.linalg.norm(first)
    pool = _pool(unit_at)
    rest = [pool[choice] for choice in digest[_FIRST + 1 : _FIRST + blocks]]
    return b",".join([json_array(first)[1:-1], *rest])


@cache
def _pool(unit_at: int) -> list[bytes]:
    """Return the printed blocks."""
    numbers = np.random.default_rng(3072).standard_normal((_POOL, _BLOCK))
    numbers *= np.sqrt(_BLOCK / unit_at) / np.linalg.norm(numbers, axis=1, keepdims=True)
    return [json_array(row)[1:-1] for row in numbers]
