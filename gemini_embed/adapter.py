"""What both adapters need of the core: its options' names, one core for them, and closing it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

from gemini_embed.embedder import GeminiEmbedder

OPTIONS = frozenset(field.name for field in fields(GeminiEmbedder))
"""The names of all options, for adapters."""


def embedder_for(options: dict[str, Any], last: GeminiEmbedder | None) -> GeminiEmbedder:
    """Return an embedder of these options: the last one if it has them, else a new one.

    For adapters, whose fields may be assigned at any time. A new one goes on counting where
    the last one was, if what it is told of the quota is the same.
    """
    if last is not None and last._given == options:  # noqa: SLF001 - our own class
        return last
    made = GeminiEmbedder(**options)
    made._given = options  # noqa: SLF001 - likewise
    if last is not None and all(
        getattr(last, name) == getattr(made, name)
        for name in ("quota", "requests_per_minute", "tokens_per_minute")
    ):
        made._quota = last._quota  # noqa: SLF001 - likewise
    return made


class Closing:
    """`close`, `aclose` and both kinds of `with`, for a class that keeps its core in `_core`."""

    _core: GeminiEmbedder | None

    def close(self) -> None:
        """Close the connections: see `gemini_embed.GeminiEmbedder.close`."""
        if self._core is not None:
            self._core.close()

    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""
        if self._core is not None:
            await self._core.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
