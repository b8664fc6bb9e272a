"""How many texts a request may have, where larger ones are refused. Performs no I/O."""

from __future__ import annotations

import math

_REMEMBERED = 600.0
"""Seconds for which a size that was refused is not tried again."""


class Size:
    """The size of requests, learned apart from their pace.

    A size is suspected when a request is refused again, with nothing accepted in between. It is
    found guilty when it, or what is left of it, is refused once more after a smaller one passed, or
    twice where another request was refused before.

    Attributes:
        largest: Texts in one request.
    """

    def __init__(self) -> None:
        self.largest = math.inf
        self._suspect = math.inf
        self._too_large = math.inf
        self._fitting = 1
        self._resized_at = -math.inf
        self._in_vain = 0

    @property
    def is_suspected(self) -> bool:
        """Whether a size was refused and no smaller one has passed since."""
        return self._suspect < math.inf

    def accept(self, texts: int, now: float) -> None:
        """Learn from a request that passed whether a larger one may."""
        self._in_vain = 0
        if self._suspect < math.inf:  # a smaller one passed: try that size once more
            self._fitting = texts
            self.largest = self._too_large = self._suspect
            self._suspect = math.inf
        elif texts >= self._too_large:
            self.largest = self._too_large = math.inf
        elif texts >= self.largest:
            if now - self._resized_at > _REMEMBERED:
                self.largest = math.inf
            elif 2 * self.largest < self._too_large:
                self.largest *= 2

    def refuse(self, texts: int, now: float, *, in_vain: bool) -> bool:
        """Learn from a refusal; tell whether it may be for its size.

        Args:
            texts: In the request.
            now: The clock.
            in_vain: Whether nothing was accepted since the refusal before.
        """
        self._in_vain = self._in_vain + 1 if in_vain else 0
        if texts == 1:
            return False
        if self._in_vain != 1 and 2 * texts > self._too_large:
            self._resized_at, self._too_large = now, texts
            self.largest = min(self._fitting, texts // 2)
            return True
        if self._in_vain > 1:
            if self._suspect == math.inf:
                self._suspect = texts
            self.largest = texts // 2
            return True
        return False
