"""What the best client could have had: one that knows all, alone, at a service at no distance."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.quotas.scenarios import BATCH, WIDTH, Scenario
from benchmarks.quotas.services import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE = 10
"""Texts that are waited for: a curve of single texts has too many points."""

_SHORT = 200.0

_UNLIMITED = 32_000
"""Texts that are sent where nothing limits them."""


class Curve:
    """How many texts a service lets through by when, at best."""

    def __init__(self, scenario: Scenario, load: float) -> None:
        alone = replace(scenario, foreign=0.0, trouble="none")
        if alone.counts == "day":
            alone = replace(alone, counts="texts")
        self._service = Service(alone, load)
        self._at_once = min(_AT_ONCE, scenario.largest)
        self._each = scenario.tokens_per_text
        self._now = 0.0
        self._times: list[float] = []
        self._sums: list[int] = []

    def by(self, time: float) -> int:
        """Return the texts let through by a time."""
        while not self._times or self._times[-1] <= time:
            self._step()
        place = bisect_right(self._times, time)
        return self._sums[place - 1] if place else 0

    def first(self, amount: float, others: Sequence[tuple[float, int]] = ()) -> float:
        """Return when `amount` is through, beside what others took."""
        place, taken, step = 0, 0, 0
        while True:
            while step >= len(self._times):
                self._step()
            time = self._times[step]
            while place < len(others) and others[place][0] <= time:
                taken += others[place][1]
                place += 1
            if self._sums[step] - taken >= amount:
                return time
            step += 1

    def _step(self) -> None:
        """Let through what fits, or wait until more does."""
        while (room := self._service.room(self._now)) < 1:
            self._now += max(self._service.until(self._now, self._at_once), 1e-9)
        texts = int(min(room, BATCH))
        assert self._service.offer(self._now, texts, texts * self._each) is None  # noqa: S101 - it fits
        self._times.append(self._now)
        self._sums.append(texts + (self._sums[-1] if self._sums else 0))


def amount_of(scenario: Scenario, load: float) -> int:
    """Return the texts that take the ideal client `load` seconds, the same for each process.

    Where nothing is limited or the limit does not matter, a fixed number of texts.
    """
    if scenario.service == "none":
        return _UNLIMITED
    if scenario.short:
        load = min(load, _SHORT)
    amount = Curve(scenario, load).by(load) * (1 - scenario.foreign)
    return max(BATCH, int(amount)) // scenario.processes * scenario.processes


def crossing(scenario: Scenario, amount: int) -> float:
    """Return the seconds that `amount` takes for the latency alone: so many at once."""
    rounds = math.ceil(amount / (scenario.largest * WIDTH * scenario.processes))
    return rounds * scenario.latency
