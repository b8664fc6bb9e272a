"""How many tokens a text has, for one that it was estimated to have. Performs no I/O."""

from __future__ import annotations

MOST_TOKENS = 4.5
"""Tokens to an estimated one. No estimate is so far off, and few are off by half; a caller's own
count may be of another tokenizer."""

_WEIGHT = 0.25
"""Of the last answer, beside all before."""


class TokenRatio:
    """Tokens to an estimated one, from what answers report.

    A refusal does not say that an estimate was wrong: it teaches a pace, which is right either way.

    Attributes:
        value: The ratio, 1 at first.
    """

    def __init__(self) -> None:
        self.value = 1.0

    def report(self, estimated: float, tokens: int) -> None:
        """Learn from an answer to a request whose texts were estimated to have so many."""
        ratio = self.value + _WEIGHT * (tokens / estimated - self.value)
        self.value = max(1 / MOST_TOKENS, min(MOST_TOKENS, ratio))
