"""LlamaIndex's `IngestionPipeline`: workers, document store, cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of
from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document
from llama_index.core.storage.docstore import SimpleDocumentStore
from pipelines import printed_by
from stores.corpus import DIMENSION
from stores.llamaindex_stores import KEEP_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from llama_index.core.schema import TransformComponent

    from gemini_embed.standin import Standin
    from llamaindex_gemini_embed import GeminiEmbedding

    Maker = Callable[..., GeminiEmbedding]

HERE = Path(__file__).parent
MANY = [f"text number {i}" for i in range(250)]


def documents_of(texts: list[str]) -> list[Document]:
    return [Document(text=text, id_=f"document {i}") for i, text in enumerate(texts)]


def test_two_workers_embed_as_one_does(server: Standin) -> None:
    """`run` and `arun` with `num_workers=2`: every text has its own vector, in order, in time."""
    printed = printed_by(HERE / "workers.py", server.url, str(DIMENSION), str(len(MANY)))

    as_sent = [f"title: none | text: {text}" for text in MANY]
    right = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=DIMENSION)
    for way, nodes in json.loads(printed).items():
        assert [text for text, _ in nodes] == MANY, way
        assert np.array_equal(np.array([vector for _, vector in nodes], np.float32), right), way


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    async def go(pipeline: IngestionPipeline, texts: list[str]) -> list[Any]:
        documents = documents_of(texts)
        if request.param == "run":
            return list(pipeline.run(documents=documents))
        return list(await pipeline.arun(documents=documents))

    return go


async def test_the_cache_spares_a_second_run(
    run: Callable[..., Any], server: Standin, embed_model: Maker, tmp_path: Path
) -> None:
    """A second run embeds nothing, nor does one after the cache was persisted and loaded."""
    transformations: list[TransformComponent] = [SentenceSplitter(), embed_model(server)]
    pipeline = IngestionPipeline(transformations=transformations)

    first = await run(pipeline, MANY)
    sent = len(server.log)
    second = await run(pipeline, MANY)
    pipeline.persist(str(tmp_path))
    other = IngestionPipeline(transformations=[SentenceSplitter(), embed_model(server)])
    other.load(str(tmp_path))
    third = await run(other, MANY)

    assert [node.get_content() for node in first] == MANY
    assert len(joined(sent_texts(server)[:sent])) == 250
    assert len(server.log) == sent
    for again in (second, third):
        assert [node.get_content() for node in again] == MANY
        assert [node.embedding for node in again] == [node.embedding for node in first]


@pytest.mark.parametrize("kind", KEEP_TEXTS, ids=lambda kind: kind.__name__)
async def test_the_document_store_lets_only_changes_through(
    kind: Any,
    run: Callable[..., Any],
    server: Standin,
    embed_model: Maker,
    request: pytest.FixtureRequest,
) -> None:
    """With a document store and a vector store, one changed document of 250 is one text sent."""
    use_async = request.node.callspec.params["run"] == "arun"
    store = kind(request, use_async)
    model = embed_model(server, task_type="SEMANTIC_SIMILARITY")
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(), model],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS,
        disable_cache=True,
    )

    await run(pipeline, MANY)
    sent = len(server.log)
    changed = await run(pipeline, [*MANY[:7], "changed", *MANY[8:]])

    assert [node.get_content() for node in changed] == ["changed"]
    assert len(joined(sent_texts(server)[sent:])) == 1
    retriever = VectorStoreIndex.from_vector_store(store, embed_model=model).as_retriever(
        similarity_top_k=1
    )
    for wanted, found in (("changed", "changed"), (MANY[8], MANY[8])):
        nodes = await retriever.aretrieve(wanted) if use_async else retriever.retrieve(wanted)
        assert [node.node.get_content() for node in nodes] == [found]
    nodes = await retriever.aretrieve(MANY[7]) if use_async else retriever.retrieve(MANY[7])
    assert MANY[7] not in [node.node.get_content() for node in nodes]
