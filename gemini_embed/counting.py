"""Tokens counted by a caller's own function, which is not trusted. Performs no I/O."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from gemini_embed.errors import HookError, described

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = Callable[[str], int]
"""Returns how many tokens a text has."""

CountTokens = Literal["estimate", "api"] | Count
"""Google's `countTokens` for one text that may be too long, or what counts every text."""


def counted(texts: Sequence[str], count: Count) -> list[int]:
    """Return how many tokens each text has, by a caller's own function.

    Raises:
        HookError: It raised, or returned something else than a whole number from 0.
    """
    return [_one(text, count) for text in texts]


def _one(text: str, count: Count) -> int:
    try:
        found = count(text)
    except Exception as error:
        raise HookError(f"count_tokens raised {described(error)}") from error
    try:
        tokens = operator.index(found)
    except TypeError:
        kind = type(found).__name__
        raise HookError(f"count_tokens must return a whole number, not {kind}") from None
    if tokens < 0 or isinstance(found, bool):
        raise HookError(f"count_tokens must return a whole number from 0, not {found!r}")
    return tokens
