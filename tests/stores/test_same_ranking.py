"""The same corpus in every store of both frameworks: one order, that of the cosines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from stores import langchain_stores, llamaindex_stores
from stores.corpus import ANSWERS, TEXTS, order_by_cosine

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin
    from langchain_gemini_embed import GeminiEmbeddings
    from llamaindex_gemini_embed import GeminiEmbedding


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
@pytest.mark.parametrize("kind", langchain_stores.KINDS, ids=lambda kind: kind.__name__)
def test_every_langchain_store_ranks_by_cosine(
    kind: Any,
    model: str,
    request: pytest.FixtureRequest,
    meaning: Standin,
    embeddings: Callable[..., GeminiEmbeddings],
) -> None:
    """Moving to another store changes no result: the whole order is that of the vectors alone."""
    made = embeddings(meaning, model=model)
    store = kind(request).empty(made)
    store.add_texts(TEXTS)
    vectors = made.embed_documents(TEXTS)

    for question, answer in ANSWERS.items():
        right = order_by_cosine(TEXTS, vectors, made.embed_query(question))
        found = store.similarity_search(question, k=len(TEXTS))
        assert [document.page_content for document in found] == right
        assert right[0] == answer


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
@pytest.mark.parametrize("kind", llamaindex_stores.KINDS, ids=lambda kind: kind.__name__)
def test_every_llamaindex_store_ranks_by_cosine(
    kind: Any,
    model: str,
    request: pytest.FixtureRequest,
    meaning: Standin,
    embed_model: Callable[..., GeminiEmbedding],
) -> None:
    """Likewise."""
    made = embed_model(meaning, model_name=model)
    context = StorageContext.from_defaults(vector_store=kind(request, False))
    nodes = [TextNode(text=text) for text in TEXTS]
    index = VectorStoreIndex(nodes, embed_model=made, storage_context=context)
    retriever = index.as_retriever(similarity_top_k=len(TEXTS))
    vectors = made.get_text_embedding_batch(TEXTS)

    for question, answer in ANSWERS.items():
        right = order_by_cosine(TEXTS, vectors, made.get_query_embedding(question))
        assert [found.node.get_content() for found in retriever.retrieve(question)] == right
        assert right[0] == answer


def test_both_frameworks_have_the_same_vectors(
    meaning: Standin,
    embeddings: Callable[..., GeminiEmbeddings],
    embed_model: Callable[..., GeminiEmbedding],
) -> None:
    """An index built with one framework can be searched with the other."""
    ours, theirs = embeddings(meaning), embed_model(meaning)

    assert ours.embed_documents(TEXTS) == theirs.get_text_embedding_batch(TEXTS)
    for question in ANSWERS:
        assert ours.embed_query(question) == theirs.get_query_embedding(question)
    assert ours.fingerprint == theirs.fingerprint
