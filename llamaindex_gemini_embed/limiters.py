"""LlamaIndex's rate limiters, as the core asks them: before a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    BeforeRequest = Callable[[], Awaitable[None]]


def before_each(model: Any) -> BeforeRequest | None:
    """Return what to await before each request, if the model has a limiter."""
    limiter = getattr(model, "rate_limiter", None)  # older llama-index-core has none
    return None if limiter is None else limiter.async_acquire


def before_repeats(model: Any) -> BeforeRequest | None:
    """Return the same for a single text or query: before the first, the base class asks itself."""
    ask, asked = before_each(model), False
    if ask is None:
        return None

    async def before_request() -> None:
        nonlocal asked
        if asked:
            await ask()
        asked = True

    return before_request
