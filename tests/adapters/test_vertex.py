"""Both adapters on Vertex AI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers import vectors_of
from service.vertex import credentials

from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    import pytest

    from gemini_embed.standin import Standin


async def test_the_adapters_ask_vertex_too(server: Standin) -> None:
    """LangChain's fields and LlamaIndex's vertexai_config mean what they mean elsewhere."""
    as_sent = ["title: none | text: a", "title: none | text: b"]
    langchain = GeminiEmbeddings(
        model="models/gemini-embedding-2",
        vertexai=True,
        project="p",
        location="us",
        credentials=credentials(),
        base_url=server.url,
    )
    llamaindex = GeminiEmbedding(
        "gemini-embedding-2",
        vertexai_config={"project": "p", "location": "us", "credentials": credentials()},
        http_options={"base_url": server.url},
    )

    got = [
        langchain.embed_documents(["a", "b"]),
        await langchain.aembed_documents(["a", "b"]),
        llamaindex.get_text_embedding_batch(["a", "b"]),
        await llamaindex.aget_text_embedding_batch(["a", "b"]),
    ]

    expected = vectors_of(server, as_sent, model="gemini-embedding-2").tolist()
    assert got == [expected] * 4
    assert all("/projects/p/locations/us/" in exchange.path for exchange in server.log)


def test_a_dump_stays_on_its_service(server: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are not dumped; that they meant Vertex AI is."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-other-service")
    langchain = GeminiEmbeddings(credentials=credentials(), project="p", base_url=server.url)
    llamaindex = GeminiEmbedding(credentials=credentials(), project="p", base_url=server.url)

    assert langchain.vertexai is True
    assert langchain.google_api_key is None
    assert llamaindex.to_dict()["vertexai"] is True
    assert "Vertex AI, project p" in repr(GeminiEmbedding.from_dict(llamaindex.to_dict())._embedder)
