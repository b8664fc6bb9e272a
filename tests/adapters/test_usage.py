"""What both adapters say of usage, and that what frameworks count themselves still counts."""

from __future__ import annotations

import asyncio
import pickle
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler

from gemini_embed import Price, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin
    from langchain_gemini_embed import GeminiEmbeddings
    from llamaindex_gemini_embed import GeminiEmbedding

TEXTS = ["a text", "another", "a text"]


@pytest.fixture(params=["embeddings", "embedding"])
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a maker of either adapter."""
    made: Callable[..., Any] = request.getfixturevalue(request.param)
    return made


def embedded(adapter: Any) -> None:
    """Embed three documents, the way of its framework."""
    if hasattr(adapter, "embed_documents"):
        adapter.embed_documents(TEXTS)
    else:
        adapter.get_text_embedding_batch(TEXTS)


def test_an_adapter_says_what_it_has_used(make: Callable[..., Any]) -> None:
    """For its life, and for a block; it can begin again."""
    adapter = make(prices={"gemini-embedding-2": Price(Decimal(1_000_000))})
    embedded(adapter)

    with adapter.track() as usage:
        embedded(adapter)

    assert (usage.texts, usage.duplicates, usage.requests) == (3, 1, 1)
    assert usage.cost() == usage.prompt_tokens > 0
    assert adapter.usage == usage + usage
    assert adapter.reset_usage().texts == 6
    assert adapter.usage == Usage()


def test_options_that_change_do_not_begin_again(make: Callable[..., Any]) -> None:
    """An adapter is one embedder to its user, whatever is assigned to it meanwhile."""
    adapter = make()

    with adapter.track() as usage:
        embedded(adapter)
        adapter.output_dimensionality = 256
        embedded(adapter)

    assert usage.texts == adapter.usage.texts == 6


def test_copies_and_pickles_count_for_themselves(make: Callable[..., Any]) -> None:
    """Each begins at nothing; usage is no field, and in no dump."""
    adapter = make()
    embedded(adapter)

    for other in (
        adapter.model_copy(),
        adapter.model_copy(deep=True),
        pickle.loads(pickle.dumps(adapter)),  # noqa: S301 - our own
    ):
        assert other.usage == Usage()
        embedded(other)
        assert other.usage.texts == 3
    assert adapter.usage.texts == 3
    assert "usage" not in adapter.model_dump()


async def test_async_calls_count_alike(
    embeddings: Callable[..., GeminiEmbeddings], embedding: Callable[..., GeminiEmbedding]
) -> None:
    """And calls that LangChain runs on a thread of its own."""
    langchain, llamaindex = embeddings(), embedding()

    with langchain.track() as first, llamaindex.track() as second:
        await langchain.aembed_documents(TEXTS)
        await langchain.aembed_query("a query")
        await asyncio.to_thread(langchain.embed_query, "another")
        await llamaindex.aget_text_embedding_batch(TEXTS)
        await llamaindex.aget_query_embedding("a query")

    assert (first.texts, second.texts) == (5, 4)


def test_llamaindexs_own_counter_still_counts(
    server: Standin, embedding: Callable[..., GeminiEmbedding]
) -> None:
    """`TokenCountingHandler` counts with its own tokenizer; what Google told stands in `usage`."""
    handler = TokenCountingHandler(tokenizer=str.split)
    model = embedding(callback_manager=CallbackManager([handler]))

    model.get_text_embedding_batch(["one two three", "four"])
    model.get_query_embedding("five six")

    assert handler.total_embedding_token_count == 6
    assert model.usage.requests == len(server.log) == 2
    assert model.usage.prompt_tokens != 6
