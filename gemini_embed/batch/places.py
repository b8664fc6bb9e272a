"""Where the vectors of a run belong: kept in the ledger, so that a result needs no texts.

Performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from gemini_embed.contents import Content, Inputs

KEY_BYTES = 20

_SEAL = 8
"""Bytes by which a change is seen: it might give a text the vector of another."""


class Lines(NamedTuple):
    """Where the lines of rows that follow each other lie in the spool.

    Attributes:
        start: Where the first begins.
        end: Where the last ends.
        seals: The `seal_of` each; none where nobody wrote it down.
    """

    start: int
    end: int
    seals: Sequence[int]


@dataclass(frozen=True)
class Places:
    """Where the vectors of a run belong, and where its rows lie in the spool.

    A content is what one vector is of; equal ones are one. A row is a content that is sent.

    Attributes:
        keys: The key in the cache of each content, one after another, of 20 bytes each.
        contents: Of each place in turn, which content's vector belongs there.
        owners: Of each, which text of the caller's it is: a text that was split has several.
        weights: How much each content counts in a mean; empty where no text was split.
        rows: Of each row, which content it is.
        offsets: Of each row, where it begins in the spool; and where the last ends.
        seals: Of each row, the `seal_of` its line; empty where an earlier version wrote it.
    """

    keys: bytes
    contents: NDArray[np.uint32]
    owners: NDArray[np.uint32]
    weights: NDArray[np.float64]
    rows: NDArray[np.uint32]
    offsets: NDArray[np.uint64]
    seals: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    @classmethod
    def of(cls, inputs: Inputs, number: Mapping[Content, int], keys: bytes) -> Self:
        """Return the places of a call's contents, of which none is sent yet.

        Args:
            inputs: What is embedded.
            number: Its different contents, in order, numbered from 0.
            keys: Their keys.
        """
        places = (number[content] for content in inputs.contents)
        return cls(
            keys,
            np.fromiter(places, np.uint32, len(inputs.contents)),
            np.fromiter(inputs.owners, np.uint32, len(inputs.owners)),
            np.array(inputs.weights_of(number), np.float64),
            np.empty(0, np.uint32),
            np.zeros(1, np.uint64),
        )

    def __len__(self) -> int:
        """Return how many different contents there are."""
        return len(self.keys) // KEY_BYTES

    @property
    def texts(self) -> int:
        """How many texts the caller has."""
        return int(self.owners[-1]) + 1 if len(self.owners) else 0

    def key(self, content: int) -> str:
        """Return the key of a content."""
        return self.keys[content * KEY_BYTES : (content + 1) * KEY_BYTES].hex()

    def keys_of_rows(self, first: int, last: int) -> list[str]:
        """Return the keys of some rows."""
        return [self.key(content) for content in self.rows[first:last].tolist()]

    def item_of(self, content: int) -> int:
        """Return the first text that the vector of a content belongs to."""
        ((item, *_),) = self.positions(content, content + 1)
        return item

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return where some rows begin and end in the spool."""
        return int(self.offsets[first]), int(self.offsets[last])

    @property
    def all_lines(self) -> Lines:
        """Where all lines of the spool lie."""
        return self.lines(0, len(self.rows))

    def lines(self, first: int, last: int) -> Lines:
        """Return where the lines of some rows lie in the spool."""
        return Lines(*self.span(first, last), self.seals[first:last].tolist())

    def longest(self, first: int, last: int) -> int:
        """Return how many bytes the longest of some rows has."""
        return int(np.diff(self.offsets[first : last + 1]).max(initial=0))

    def positions(self, first: int, last: int) -> list[list[int]]:
        """Return, for each of some contents, the texts that its vector belongs to."""
        order = self._order
        ends = np.searchsorted(self.contents, np.arange(first, last + 1), sorter=order)
        owners = self.owners[order[ends[0] : ends[-1]]].tolist()
        ends -= ends[0]
        return [owners[a:b] for a, b in pairwise(ends.tolist())]

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The places in the order of the contents, and of the texts of each."""
        return np.argsort(self.contents, kind="stable")

    @property
    def pieces(self) -> Mapping[int, int]:
        """How many pieces each text has that was split."""
        if not len(self.weights):
            return {}
        texts, counts = np.unique(self.owners, return_counts=True)
        return {int(text): int(n) for text, n in zip(texts, counts, strict=True) if n > 1}

    def as_bytes(self) -> bytes:
        """Return it as the ledger holds it."""
        arrays: list[NDArray[Any]] = [
            self.contents,
            self.owners,
            self.weights,
            self.rows,
            self.offsets,
        ]
        if len(self.seals):  # runs are called by what it is without them
            arrays.append(self.seals)
        sizes = np.array([len(self.keys), *(array.nbytes for array in arrays)], "<u8")
        held = b"".join([sizes.tobytes(), self.keys, *(array.tobytes() for array in arrays)])
        return _seal(held) + held

    @classmethod
    def read(cls, held: bytes) -> Self:
        """Return what `as_bytes` made.

        Raises:
            ValueError: It is something else, if only by one bit.
        """
        seal, held = held[:_SEAL], held[_SEAL:]
        if seal != _seal(held):
            raise ValueError("its places were changed")
        sizes = _sizes(held)
        ends = np.cumsum(sizes) + sizes.nbytes
        parts = [held[int(a) : int(b)] for a, b in zip(ends - sizes, ends, strict=True)]
        made = cls(
            parts[0],
            np.frombuffer(parts[1], np.uint32),
            np.frombuffer(parts[2], np.uint32),
            np.frombuffer(parts[3], np.float64),
            np.frombuffer(parts[4], np.uint32),
            *(np.frombuffer(part, np.uint64) for part in parts[5:]),
        )
        if not made._is_sound():
            raise ValueError("its places are none")
        return made

    def _is_sound(self) -> bool:
        """Tell whether each number can be what it stands for."""
        return (
            len(self.keys) % KEY_BYTES == 0
            and len(self.contents) == len(self.owners)
            and len(self.weights) in (0, len(self))
            and len(self.offsets) == len(self.rows) + 1
            and len(self.seals) in (0, len(self.rows))
            and all(not len(of) or of.max() < len(self) for of in (self.contents, self.rows))
            and bool((self.owners[:-1] <= self.owners[1:]).all())
            and bool((self.offsets[:-1] <= self.offsets[1:]).all())
        )


def _sizes(held: bytes) -> NDArray[np.uint64]:
    """Return how many bytes each part has: an earlier version had one part less."""
    for count in (7, 6):
        sizes = np.frombuffer(held, "<u8", count)
        if sizes.max() <= len(held) and int(sizes.sum()) + sizes.nbytes == len(held):
            return sizes
    raise ValueError("its places have another size")


def seal_of(line: Iterable[bytes]) -> int:
    """Return a number by which a line is known again, of its pieces."""
    hasher = blake2b(digest_size=_SEAL)
    for piece in line:
        hasher.update(piece)
    return int.from_bytes(hasher.digest())


def _seal(held: bytes) -> bytes:
    return blake2b(held, digest_size=_SEAL).digest()
