"""What several tests read off the stand-in."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    from numpy.typing import NDArray

    from gemini_embed.standin import Standin

    T = TypeVar("T")


TEXTS = [f"text number {i}" for i in range(250)]
"""More than two full requests."""

LLAMAINDEX_POSITIONAL = [
    "model_name",
    "api_key",
    "embedding_config",
    "vertexai_config",
    "http_options",
    "debug_config",
    "embed_batch_size",
    "callback_manager",
    "retries",
    "timeout",
    "retry_min_seconds",
    "retry_max_seconds",
    "retry_exponential_base",
]
"""Arguments of LlamaIndex's official class that existing code may give by position, in order."""


async def arrived(server: Standin, count: int = 1) -> None:
    """Wait until so many requests have reached the stand-in."""
    while len(server.log) < count:  # noqa: ASYNC110 - it runs on another thread
        await asyncio.sleep(0.001)


def sent_texts(server: Standin) -> list[list[str]]:
    """Return the texts of each request that reached the stand-in, as they were sent."""
    return [
        [request["content"]["parts"][0]["text"] for request in exchange.body["requests"]]
        for exchange in server.log
        if exchange.body is not None
    ]


def joined(lists: Iterable[Iterable[T]]) -> list[T]:
    return list(chain.from_iterable(lists))


def vectors_of(server: Standin, as_sent: list[str], **of: Any) -> NDArray[np.float32]:
    """Return what the stand-in answers for texts as sent: float32, shape (texts, dimension)."""
    return np.array([server.vector(text, **of) for text in as_sent], np.float32)


def floats(server: Standin, text: str, **of: Any) -> list[float]:
    """Return the same of one text, as both frameworks want it: plain floats."""
    return [float(number) for number in vectors_of(server, [text], **of)[0]]
