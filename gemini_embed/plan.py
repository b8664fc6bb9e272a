"""From texts to requests: which texts travel together, and whose vector each answer is.

Performs no I/O. Texts are cut into batches only as they are sent, so that a limit learned
on the way holds for everything that is still to be sent.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gemini_embed.tasks import WireText

_BYTES_BESIDE = 256
"""What a body holds for each text beside it: names of fields, the model, task and dimension."""

_MOST_BYTES_OF_A_LETTER = 6
"""A control character is written as `\\u0001`."""


@dataclass(slots=True, eq=False)
class Refused:
    """A request that was refused, until each of its texts has an answer of its own.

    Attributes:
        size: How many texts it had.
        left: How many of them have no answer yet.
        within: The larger one that it is a part of.
        harmless: Whether none of them was refused alone.
    """

    size: int
    left: int
    within: Refused | None = None
    harmless: bool = True


_TOKENS_BESIDE = 8
"""Tokens that a service may add to a text: where it begins and ends."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request.

    Attributes:
        wires: What is sent, in order.
        positions: For each text, where its vector belongs in the caller's list: several
            places where the caller gave the same text several times.
        attempts: How often it was tried.
        within: The refused request that it is a part of, if any.
    """

    wires: tuple[WireText, ...]
    positions: tuple[tuple[int, ...], ...]
    attempts: int = 0
    within: Refused | None = None

    def split(self, size: int) -> tuple[Batch, Batch]:
        """Return the first `size` texts and the rest, as two batches."""
        return (
            replace(self, wires=self.wires[:size], positions=self.positions[:size]),
            replace(self, wires=self.wires[size:], positions=self.positions[size:]),
        )

    def only(self, rows: Sequence[int]) -> Batch:
        """Return some of the texts as a batch."""
        wires = tuple(self.wires[row] for row in rows)
        return replace(self, wires=wires, positions=tuple(self.positions[row] for row in rows))

    @property
    def texts(self) -> list[str]:
        """The texts alone."""
        return [wire.text for wire in self.wires]

    @property
    def indexes(self) -> tuple[int, ...]:
        """Every place in the caller's list that waits for this batch, in order."""
        return tuple(sorted(index for places in self.positions for index in places))


def places_of(wires: Iterable[WireText]) -> dict[WireText, list[int]]:
    """Return where each request's vector belongs: identical requests are one."""
    places: dict[WireText, list[int]] = {}
    for index, wire in enumerate(wires):
        places.setdefault(wire, []).append(index)
    return places


class Plan:
    """The texts of one call that are still to be sent.

    Attributes:
        is_held: Whether nothing may be sent now but parts of what was refused.
    """

    def __init__(self) -> None:
        self.is_held = False
        self._places: dict[WireText, Sequence[int]] = {}
        self._waiting: deque[WireText] = deque()
        self._again: deque[Batch] = deque()
        self._parts: deque[Batch] = deque()

    def __len__(self) -> int:
        """Return how many texts wait that may be sent, repeated ones counted once."""
        parts = sum(len(batch.wires) for batch in self._parts)
        if self.is_held:
            return parts
        return parts + len(self._waiting) + sum(len(batch.wires) for batch in self._again)

    @property
    def has_parts(self) -> bool:
        """Whether parts of what was refused wait."""
        return bool(self._parts)

    def add(self, places: Mapping[WireText, Sequence[int]]) -> None:
        """Let texts wait, after those that wait already.

        Args:
            places: For each request, where in the caller's list its vector belongs.
        """
        self._places.update(places)
        self._waiting.extend(places)

    def put_back(self, batch: Batch) -> None:
        """Let a batch wait again, before everything else but parts of what was refused."""
        (self._parts if batch.within else self._again).appendleft(batch)

    def pick(self) -> Batch | None:
        """Take one text out of the middle of those that were never sent; None if there is none."""
        if not self._waiting:
            return None
        middle = len(self._waiting) // 2
        wire = self._waiting[middle]
        del self._waiting[middle]
        return self._batch((wire,))

    @property
    def next_size(self) -> int:
        """How many texts the next batch may have at most."""
        if batches := self._parts or (not self.is_held and self._again):
            return len(batches[0].wires)
        return 0 if self.is_held else len(self._waiting)

    def next_text(self) -> str | None:
        """Return the text that `take` would begin with."""
        if batches := self._parts or (not self.is_held and self._again):
            return batches[0].wires[0].text
        return self._waiting[0].text if self._waiting and not self.is_held else None

    def take(
        self,
        max_texts: float,
        *,
        max_bytes: float = math.inf,
        max_tokens: float = math.inf,
        tokens_per_estimate: float = 1.0,
    ) -> Batch | None:
        """Return the next batch within the limits, of one text at least; None if nothing waits."""
        limits = (max_texts, max_bytes, max_tokens / tokens_per_estimate)
        if batches := self._parts or (not self.is_held and self._again):
            return self._cut(batches.popleft(), *limits)
        if not self._waiting or self.is_held:
            return None
        size = _fitting(self._waiting, *limits)
        return self._batch(tuple(self._waiting.popleft() for _ in range(size)))

    def _batch(self, wires: tuple[WireText, ...]) -> Batch:
        return Batch(wires, tuple(tuple(self._places[wire]) for wire in wires))

    def _cut(self, batch: Batch, max_texts: float, max_bytes: float, max_estimate: float) -> Batch:
        size = _fitting(batch.wires, max_texts, max_bytes, max_estimate)
        if size < len(batch.wires):
            batch, rest = batch.split(size)
            self.put_back(rest)
        return batch


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text is: four bytes of UTF-8 to one, and at least one.

    English has about four letters to a token, and Chinese, of three bytes a letter, about one.
    """
    return 1 + (len(text) if text.isascii() else len(text.encode())) // 4


def can_have(wires: Sequence[WireText], tokens: int) -> bool:
    """Tell whether texts can have so many tokens: one each, and hardly more than bytes."""
    most = _TOKENS_BESIDE * len(wires) + 4 * letters(wires)  # a letter has four bytes at most
    return len(wires) <= tokens <= most


def letters(wires: Iterable[WireText]) -> int:
    """Return how many letters the texts have: a body of them has more bytes."""
    return sum(len(wire.text) + len(wire.title or "") for wire in wires)


def body_bytes(wires: Iterable[WireText]) -> int:
    """Return about how many bytes a body of these texts has; hardly less than it has."""
    return sum(
        _BYTES_BESIDE + _bytes(wire.text) + (_bytes(wire.title) if wire.title else 0)
        for wire in wires
    )


def _bytes(text: str) -> int:
    written = encode_basestring(text)
    return len(written) if written.isascii() else len(written.encode())


def _fitting(
    wires: Sequence[WireText], max_texts: float, max_bytes: float, max_estimate: float
) -> int:
    """Return how many of the first texts fit, one at least."""
    size, estimate = 0, 0
    for wire in wires:
        estimate += estimate_tokens(wire.text) if max_estimate < math.inf else 0
        if size and (size >= max_texts or estimate > max_estimate):
            break
        size += 1
    first = tuple(islice(wires, size))
    if _BYTES_BESIDE * size + _MOST_BYTES_OF_A_LETTER * letters(first) <= max_bytes:
        return size  # most are far from it, and need not be counted
    return _within_bytes(first, max_bytes)


def _within_bytes(wires: Sequence[WireText], max_bytes: float) -> int:
    size = 0
    for number, wire in enumerate(wires):
        size += body_bytes((wire,))
        if number and size > max_bytes:
            return number
    return len(wires)
