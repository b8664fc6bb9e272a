"""From texts to requests: which texts travel together, and whose vector each answer is.

Performs no I/O. Texts are cut into batches only as they are sent, so that a limit learned
on the way holds for everything that is still to be sent.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gemini_embed.tasks import WireText


@dataclass(frozen=True, slots=True)
class Batch:
    """One request.

    Attributes:
        wires: What is sent, in order.
        positions: For each text, where its vector belongs in the caller's list: several
            places where the caller gave the same text several times.
        attempts: How often it was tried.
    """

    wires: tuple[WireText, ...]
    positions: tuple[tuple[int, ...], ...]
    attempts: int = 0

    def split(self, size: int) -> tuple[Batch, Batch]:
        """Return the first `size` texts and the rest, as two batches."""
        return (
            replace(self, wires=self.wires[:size], positions=self.positions[:size]),
            replace(self, wires=self.wires[size:], positions=self.positions[size:]),
        )

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
    """The texts of one call that are still to be sent."""

    def __init__(self) -> None:
        self._places: dict[WireText, Sequence[int]] = {}
        self._waiting: deque[WireText] = deque()
        self._again: deque[Batch] = deque()
        self._last: deque[Batch] = deque()

    def __len__(self) -> int:
        """Return how many texts wait, repeated ones counted once."""
        batches = (*self._again, *self._last)
        return len(self._waiting) + sum(len(batch.wires) for batch in batches)

    def add(self, places: Mapping[WireText, Sequence[int]]) -> None:
        """Let texts wait, after those that wait already.

        Args:
            places: For each request, where in the caller's list its vector belongs.
        """
        self._places.update(places)
        self._waiting.extend(places)

    def put_back(self, batch: Batch) -> None:
        """Let a batch wait again, before everything else."""
        self._again.appendleft(batch)

    def put_last(self, *batches: Batch) -> None:
        """Let batches wait until everything else was sent; of these, the latest goes first."""
        self._last.extend(batches)

    def turn_last(self) -> None:
        """Let the batch that waits longest among the last go next."""
        self._last.rotate(-1)

    def next_text(self) -> str | None:
        """Return the text that `take` would begin with."""
        if self._again:
            return self._again[0].wires[0].text
        if self._waiting:
            return self._waiting[0].text
        return self._last[-1].wires[0].text if self._last else None

    def take(
        self, max_texts: float, *, max_tokens: float = math.inf, tokens_per_estimate: float = 1.0
    ) -> Batch | None:
        """Return the next batch within the limits, of one text at least; None if nothing waits."""
        estimate = max_tokens / tokens_per_estimate
        if self._again:
            return self._cut(self._again.popleft(), max_texts, estimate)
        if self._waiting:
            size = _fitting(self._waiting, max_texts, estimate)
            wires = tuple(self._waiting.popleft() for _ in range(size))
            return Batch(wires, tuple(tuple(self._places[wire]) for wire in wires))
        return self._cut(self._last.pop(), max_texts, estimate) if self._last else None

    def _cut(self, batch: Batch, max_texts: float, max_estimate: float) -> Batch:
        size = _fitting(batch.wires, max_texts, max_estimate)
        if size < len(batch.wires):
            batch, rest = batch.split(size)
            self.put_back(rest)
        return batch


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text is: four bytes of UTF-8 to one, and at least one.

    English has about four letters to a token, and Chinese, of three bytes a letter, about one.
    """
    return 1 + (len(text) if text.isascii() else len(text.encode())) // 4


def _fitting(wires: Iterable[WireText], max_texts: float, max_estimate: float) -> int:
    """Return how many of the first texts fit, one at least."""
    size, estimate = 0, 0
    for wire in wires:
        estimate += estimate_tokens(wire.text) if max_estimate < math.inf else 0
        if size and (size >= max_texts or estimate > max_estimate):
            break
        size += 1
    return size
