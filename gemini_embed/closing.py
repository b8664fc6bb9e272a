"""Closing what an adapter opened, for those who want to: the core closes, the adapter asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from gemini_embed.embedder import GeminiEmbedder


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
