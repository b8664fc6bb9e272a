"""How much goes at once, at the beginning of a period, where that passes. Performs no I/O."""

from __future__ import annotations

import math

_REFUSALS = 2
"""Refusals of less than passed before, until nothing goes at once any more."""

_MOSTLY = 0.6
"""The share of a burst that must have passed for another one."""

_MOST_LARGER = 2.0
"""What a burst that passed becomes at most, or larger by half a request."""

_FINE = 0.02
"""How near a burst comes to what was too much."""


class Bursts:
    """Texts that pass at once, once in a period, as far as answers and refusals have shown them.

    Attributes:
        size: Texts; 0 where they go steadily.
        best: The most that passed at once.
    """

    def __init__(self) -> None:
        self.size = self.best = 0.0
        self._too_much = math.inf
        self._request = 0  # texts in a request
        self._refusals = 0
        self._began_at = -math.inf  # when the last burst did
        self._passed = 0  # texts of it

    def begin(self, size: float, request: int) -> None:
        """Take it that so many texts pass, while a request of some more is refused."""
        self.size = self.best = size
        self._too_much, self._request, self._refusals = math.inf, request, 0

    def end(self) -> None:
        """Let nothing go at once any more."""
        self.size = 0.0

    def accept(self, texts: int, sent_at: float, period: float) -> None:
        """Note that a request passed: as a part of the last burst, or of a new one."""
        if sent_at >= self._began_at + period:
            self._began_at, self._passed = sent_at, 0
        self._passed += texts
        self.size = max(self.size, self._passed)
        self.best = max(self.best, self.size)

    def refuse(self, passed: float, texts: int) -> None:
        """Learn from a refused request after what had passed: of less than before, or of more."""
        size, self._too_much = self.size, passed + texts
        if self._too_much <= size:  # others take a part
            self._refusals += 1
            self.size = passed if self._refusals < _REFUSALS and passed > _MOSTLY * size else 0.0

    def forget_refusals(self) -> None:
        """Believe no longer that what was too much still is."""
        self._too_much = math.inf

    @property
    def trial(self) -> float:
        """What may go at once: half the way to what was too much, and not far beyond the size."""
        size = self.size
        most = max(_MOST_LARGER * size, size + self._request / 2)
        trial = min((size + self._too_much) / 2, most)
        return trial if trial > (1 + _FINE) * size else size
