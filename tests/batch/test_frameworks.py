"""Both frameworks find in the cache what the Batch API has embedded, at half the price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batch.standing import DIMENSION, TEXTS, embedder, online, sent_online, standing
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode

from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Standin]:
    """A service that has embedded the texts in jobs, for a cache file in the folder."""
    with standing() as running:
        with embedder(running, tmp_path) as mine:
            run = mine.batch(TEXTS, role="document")
            run.wait()
            run.clean()
        yield running


@pytest.fixture
def options(server: Standin, tmp_path: Path) -> dict[str, Any]:
    return {
        "api_key": "k",
        "base_url": server.url,
        "output_dimensionality": DIMENSION,
        "cache": tmp_path / "vectors.sqlite3",
    }


def test_a_langchain_index_costs_nothing_after_a_run(
    server: Standin, options: dict[str, Any]
) -> None:
    """A store is filled without a request for a document; only the query is sent."""
    store = InMemoryVectorStore.from_texts(TEXTS, GeminiEmbeddings(**options))

    assert online(server) == []
    (found,) = store.similarity_search("which text?", k=1)
    assert found.page_content in TEXTS
    assert sent_online(server) == ["task: search result | query: which text?"]


def test_a_llamaindex_index_costs_nothing_after_a_run(
    server: Standin, options: dict[str, Any]
) -> None:
    """An index is built without a request for a document; only the query is sent."""
    nodes = [TextNode(text=text) for text in TEXTS]
    index = VectorStoreIndex(nodes, embed_model=GeminiEmbedding(**options))

    assert online(server) == []
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("which text?")
    assert found.text in TEXTS
    assert sent_online(server) == ["task: search result | query: which text?"]


def test_an_ingestion_pipeline_costs_nothing_after_a_run(
    server: Standin, options: dict[str, Any]
) -> None:
    """The nodes come out with their vectors, and nothing was sent."""
    pipeline = IngestionPipeline(transformations=[GeminiEmbedding(**options)])
    nodes = pipeline.run(nodes=[TextNode(text=text) for text in TEXTS])

    expected = [
        server.vector(f"title: none | text: {t}", None, "gemini-embedding-2", DIMENSION)
        for t in TEXTS
    ]
    assert [node.embedding for node in nodes] == [pytest.approx(one) for one in expected]
    assert online(server) == []
