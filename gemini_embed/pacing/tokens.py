"""How many tokens a text has, for one that it was estimated to have. Performs no I/O."""

from __future__ import annotations

MOST_TOKENS = 4.5
"""Tokens to an estimated one: an estimate takes four bytes for one, and no token has less than
one."""

_RAISED = 1.5
_RAISED_A_LITTLE = 1.1
"""What a refused estimate is multiplied by: the second where answers tell tokens."""

_EASED = 0.98
"""What it becomes when a request passed in a full window: others may have been refused for."""

_WEIGHT = 0.25
"""Of the last answer, beside all before."""


class TokenRatio:
    """Tokens to an estimated one, from what answers report and from what is refused.

    Attributes:
        value: The ratio, 1 at first.
    """

    def __init__(self) -> None:
        self.value = 1.0
        self._is_reported = False

    def report(self, estimated: float, tokens: int) -> None:
        """Learn from an answer to a request whose texts were estimated to have so many."""
        self._is_reported = True
        ratio = self.value + _WEIGHT * (tokens / estimated - self.value)
        self.value = max(1 / MOST_TOKENS, min(MOST_TOKENS, ratio))

    def fit(self) -> None:
        """Note that a full window passed of which no answer reported its tokens."""
        if not self._is_reported:
            self.value = max(1.0, _EASED * self.value)

    def refuse(self) -> bool:
        """Learn from a refusal for tokens for which there was room; tell whether that can be."""
        if self.value >= MOST_TOKENS:
            return False
        raised = _RAISED_A_LITTLE if self._is_reported else _RAISED
        self.value = min(MOST_TOKENS, raised * self.value)
        return True
