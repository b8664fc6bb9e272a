"""Both adapters over recorded exchanges: what is sent, and which vector each text gets."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

import gemini_embed as ge
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]

MODELS = ("gemini-embedding-001", "gemini-embedding-2")
DIMENSION = 128  # the smallest that Google documents; keeps cassettes small


class LangChain:
    """LangChain's sync methods."""

    def __init__(self, model: str, **options: Any) -> None:
        self.model = GeminiEmbeddings(
            model=model, output_dimensionality=DIMENSION, max_retries=0, **options
        )

    def documents(self, texts: list[str], titles: list[str | None] | None = None) -> Any:
        """Embed documents."""
        return self.model.embed_documents(texts, titles=titles)

    def query(self, text: str) -> Any:
        """Embed a query."""
        return self.model.embed_query(text)


class LangChainAsync(LangChain):
    """LangChain's async methods."""

    def documents(self, texts: list[str], titles: list[str | None] | None = None) -> Any:
        """Embed documents."""
        return self.model.aembed_documents(texts, titles=titles)

    def query(self, text: str) -> Any:
        """Embed a query."""
        return self.model.aembed_query(text)


class LlamaIndex:
    """LlamaIndex's sync methods."""

    def __init__(self, model: str, **options: Any) -> None:
        self.model = GeminiEmbedding(
            model, output_dimensionality=DIMENSION, max_retries=0, **options
        )

    def documents(self, texts: list[str], titles: list[str | None] | None = None) -> Any:
        """Embed documents."""
        return self.model.get_text_embedding_batch(texts, titles=titles)

    def query(self, text: str) -> Any:
        """Embed a query."""
        return self.model.get_query_embedding(text)


class LlamaIndexAsync(LlamaIndex):
    """LlamaIndex's async methods."""

    def documents(self, texts: list[str], titles: list[str | None] | None = None) -> Any:
        """Embed documents."""
        return self.model.aget_text_embedding_batch(texts, titles=titles)

    def query(self, text: str) -> Any:
        """Embed a query."""
        return self.model.aget_query_embedding(text)


Way: TypeAlias = type[LangChain] | type[LlamaIndex]

every_way = pytest.mark.parametrize("way", [LangChain, LangChainAsync, LlamaIndex, LlamaIndexAsync])
both_models = pytest.mark.parametrize("model", MODELS)


async def _result(call: Any) -> Any:
    return await call if inspect.isawaitable(call) else call


def _assert_vectors(vectors: list[list[float]], recorded: list[list[float]], model: str) -> None:
    """Each text has its recorded vector, brought to length 1 where the service does not."""
    theirs = np.array(recorded, np.float32)
    lengths = np.linalg.norm(theirs, axis=1, keepdims=True)
    assert len(vectors[0]) == DIMENSION
    if model == "gemini-embedding-2":
        assert np.allclose(lengths, 1, atol=1e-3)
        assert np.array_equal(np.array(vectors), theirs)
    else:
        assert (lengths < 0.95).all()
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert np.allclose(vectors, theirs / lengths, atol=1e-6)


@every_way
@both_models
async def test_documents(
    way: Way, model: str, recorded: Callable[[], dict[str, list[float]]]
) -> None:
    """Each document gets its own vector, asked for as a document, in one request."""
    vectors = await _result(way(model).documents(["hello", "world"]))
    sent = ["hello", "world"]
    if model == "gemini-embedding-2":
        sent = [f"title: none | text: {text}" for text in sent]
    assert list(recorded()) == sent
    _assert_vectors(vectors, [recorded()[text] for text in sent], model)


@every_way
@both_models
async def test_documents_with_titles(
    way: Way, model: str, recorded: Callable[[], dict[str, list[float]]]
) -> None:
    """A document's title goes with it and with no other, in the form that the model reads."""
    vectors = await _result(way(model).documents(["hello", "world"], ["Greeting", None]))
    sent = ["Greeting / hello", "world"]
    if model == "gemini-embedding-2":
        sent = ["title: Greeting | text: hello", "title: none | text: world"]
    assert set(recorded()) == set(sent)
    _assert_vectors(vectors, [recorded()[text] for text in sent], model)


@every_way
@both_models
async def test_query(way: Way, model: str, recorded: Callable[[], dict[str, list[float]]]) -> None:
    """A query is asked for as a query, and has another vector than the same text as a document."""
    embeddings = way(model)
    vectors = [
        await _result(embeddings.query("hello")),
        (await _result(embeddings.documents(["hello"])))[0],
    ]
    assert vectors[0] != vectors[1]
    if model == "gemini-embedding-2":
        sent = ["task: search result | query: hello", "title: none | text: hello"]
        _assert_vectors(vectors, [recorded()[text] for text in sent], model)


@every_way
async def test_a_bad_key(way: Way) -> None:
    """A key that Google does not know is named as the cause, though the answer is a 400."""
    embeddings = way("gemini-embedding-2", api_key="invalid-key")
    with pytest.raises(ge.AuthenticationError, match="the api_key argument") as caught:
        await _result(embeddings.query("hello"))
    assert (caught.value.status, caught.value.reason) == (400, "INVALID_ARGUMENT")


@every_way
async def test_an_unknown_model(way: Way) -> None:
    """A model that Google does not know is named in the error."""
    embeddings = way("gemini-embedding-none", behaves_like="gemini-embedding-2")
    with pytest.raises(ge.ModelNotFoundError, match="gemini-embedding-none") as caught:
        await _result(embeddings.query("hello"))
    assert (caught.value.status, caught.value.model) == (404, "gemini-embedding-none")
