"""A stream read as people read it: in a thread, and in an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from gemini_embed import GeminiEmbedder, StreamBlock
    from gemini_embed.standin import Standin

    Read = Callable[..., list[StreamBlock[str]]]

DIMENSION = 128

T = TypeVar("T")


def read(
    embedder: GeminiEmbedder,
    texts: Iterable[str],
    into: list[StreamBlock[str]] | None = None,
    **stream: Any,
) -> list[StreamBlock[str]]:
    """Return all blocks; those that came before an error are in `into`."""
    blocks = [] if into is None else into
    given: dict[str, Any] = {"role": "document", **stream}
    blocks.extend(embedder.embed_stream(texts, **given))
    return blocks


def aread(
    embedder: GeminiEmbedder,
    texts: Any,
    into: list[StreamBlock[str]] | None = None,
    **stream: Any,
) -> list[StreamBlock[str]]:
    """Do the same in an event loop."""
    blocks = [] if into is None else into
    given: dict[str, Any] = {"role": "document", **stream}

    async def go() -> None:
        async for block in embedder.aembed_stream(texts, **given):
            blocks.append(block)

    asyncio.run(go())
    return blocks


async def slowly(texts: Iterable[T]) -> AsyncIterator[T]:
    for text in texts:
        await asyncio.sleep(0)
        yield text


def aread_async(
    embedder: GeminiEmbedder, texts: Iterable[str], *into: Any, **stream: Any
) -> list[StreamBlock[str]]:
    """Do the same with an async iterable."""
    return aread(embedder, slowly(texts), *into, **stream)


WAYS = pytest.mark.parametrize("reading", [read, aread, aread_async])


def right(server: Standin, texts: Iterable[str]) -> Any:
    """Return the vectors of documents."""
    of: dict[str, Any] = {"model": "gemini-embedding-2", "dimension": DIMENSION}
    return np.array([server.vector(f"title: none | text: {text}", **of) for text in texts], "f4")
