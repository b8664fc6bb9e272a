"""From texts to requests: which texts travel together, and whose vector each answer is.

Performs no I/O. Texts are cut into batches only as they are sent, so that a limit learned
on the way holds for everything that is still to be sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gemini_embed.tasks import TaskType, WireText


@dataclass(frozen=True, slots=True)
class Batch:
    """One request.

    Attributes:
        texts: What is sent, in order.
        positions: For each text, where its vector belongs in the caller's list: several
            places where the caller gave the same text several times.
        task_type: The request's field; one for the whole batch, as the SDK has it.
        title: Likewise.
    """

    texts: tuple[str, ...]
    positions: tuple[tuple[int, ...], ...]
    task_type: TaskType | None = None
    title: str | None = None

    @property
    def indexes(self) -> tuple[int, ...]:
        """Every place in the caller's list that waits for this batch, in order."""
        return tuple(sorted(index for places in self.positions for index in places))


class Plan:
    """The texts of one call that are still to be sent.

    Identical requests are sent once. Texts share a batch when task and title, which the SDK
    sends once per call, are the same.
    """

    def __init__(self, wires: Iterable[WireText]) -> None:
        places: dict[WireText, list[int]] = {}
        for index, wire in enumerate(wires):
            places.setdefault(wire, []).append(index)
        self._waiting: dict[
            tuple[TaskType | None, str | None], deque[tuple[str, tuple[int, ...]]]
        ] = {}
        for wire, indexes in places.items():
            group = self._waiting.setdefault((wire.task_type, wire.title), deque())
            group.append((wire.text, tuple(indexes)))

    def batches(self, max_texts: int) -> int:
        """Return how many requests the waiting texts make, `max_texts` in each at most."""
        return sum(-(-len(group) // max_texts) for group in self._waiting.values())

    def take(self, max_texts: int) -> Batch | None:
        """Return the next batch of at most `max_texts`, or None when nothing waits."""
        for (task_type, title), group in self._waiting.items():
            taken = [group.popleft() for _ in range(min(max_texts, len(group)))]
            if not group:
                del self._waiting[task_type, title]
            texts, positions = zip(*taken, strict=True)
            return Batch(texts, positions, task_type, title)
        return None
