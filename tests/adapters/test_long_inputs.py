"""Texts that are too long, through both adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import GeminiEmbedder, TextTooLongError
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from gemini_embed.standin import Standin

BOOK = "A sentence of a long book. " * 20_000


async def test_both_adapters_split(server: Standin) -> None:
    """Sync and async, in lists of floats: what the core gives for the same text and title."""
    options: dict[str, Any] = {"api_key": "k", "base_url": server.url, "on_long": "split"}
    expected = GeminiEmbedder(**options).embed(["a", BOOK], role="document").vectors.tolist()
    langchain, llamaindex = GeminiEmbeddings(**options), GeminiEmbedding(**options)

    assert langchain.embed_documents(["a", BOOK]) == expected
    assert await langchain.aembed_documents(["a", BOOK]) == expected
    assert llamaindex.get_text_embedding_batch(["a", BOOK]) == expected
    assert await llamaindex.aget_text_embedding_batch(["a", BOOK]) == expected
    assert llamaindex.get_text_embedding(BOOK) == expected[1]


def test_both_adapters_refuse(server: Standin) -> None:
    """The error names the place in the whole list, and nothing was sent."""
    options: dict[str, Any] = {"api_key": "k", "base_url": server.url, "on_long": "error"}
    langchain, llamaindex = GeminiEmbeddings(**options), GeminiEmbedding(**options)
    for call in (langchain.embed_documents, llamaindex.get_text_embedding_batch):
        with pytest.raises(TextTooLongError) as told:
            call(["a", BOOK])
        assert told.value.indexes == (1,)
    for ask in (langchain.embed_query, llamaindex.get_query_embedding):
        with pytest.raises(TextTooLongError):
            ask(BOOK)
    assert server.log == []


def test_a_dump_says_what_differs_from_ever(server: Standin) -> None:
    """An ingestion pipeline's cache goes by its text: the default is not in it."""
    made = GeminiEmbedding(api_key="k", base_url=server.url, on_long="split")

    assert made.to_dict()["on_long"] == "split"
    assert GeminiEmbedding.from_dict(made.to_dict()).on_long == "split"
    assert "on_long" not in GeminiEmbedding(api_key="k", base_url=server.url).to_dict()

    class Splitting(GeminiEmbedding):
        on_long: Any = "split"

    assert Splitting(api_key="k", base_url=server.url).to_dict()["on_long"] == "split"
    kept = Splitting(api_key="k", base_url=server.url, on_long="truncate").to_dict()
    assert Splitting.from_dict(kept).on_long == "truncate"
