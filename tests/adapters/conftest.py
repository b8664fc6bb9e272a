"""Makers of both adapters, which talk to the stand-in and retry at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

QUICK = {"retry_min_seconds": 0.001, "retry_max_seconds": 0.002}


@pytest.fixture
def embeddings(server: Standin) -> Callable[..., GeminiEmbeddings]:
    """Return a maker of LangChain's class."""

    def make(**options: Any) -> GeminiEmbeddings:
        named = {"google_api_key": "a-key"} if "api_key" not in options else {}
        given: dict[str, Any] = {"base_url": server.url, **QUICK, **named, **options}
        return GeminiEmbeddings(**given)

    return make


@pytest.fixture
def embedding(server: Standin) -> Callable[..., GeminiEmbedding]:
    """Return a maker of LlamaIndex's class."""

    def make(**options: Any) -> GeminiEmbedding:
        named = {} if "http_options" in options else {"base_url": server.url}
        given: dict[str, Any] = {"api_key": "a-key", **named, **QUICK, **options}
        return GeminiEmbedding(**given)

    return make
