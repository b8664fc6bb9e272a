"""Code as users write it, checked by the type checker; running it is a bonus."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from gemini_embed import EmbeddingResult, GeminiEmbedder, Quota
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from llama_index.core.base.embeddings.base import BaseEmbedding

    from gemini_embed.standin import Standin


def chain_of(embeddings: Embeddings) -> list[float]:
    return embeddings.embed_query("a")


def index_of(embed_model: BaseEmbedding) -> list[float]:
    return embed_model.get_query_embedding("a")


async def test_users_code_is_well_typed(server: Standin) -> None:
    """Names, arguments and results are typed for users of each package."""
    core = GeminiEmbedder(
        model="gemini-embedding-2", api_key="k", base_url=server.url, quota=Quota(requests=100)
    )
    langchain = GeminiEmbeddings(
        model="gemini-embedding-2", base_url=server.url, output_dimensionality=256
    )
    llamaindex = GeminiEmbedding("gemini-embedding-2", "k", base_url=server.url)

    with core:
        assert_type(core.embed(["a"], role="query"), EmbeddingResult)
        assert_type(core.embed(["a"], role="document").usage.prompt_tokens, int | None)
    async with langchain:
        langchain.google_api_key = core.api_key
        assert_type(await langchain.aembed_documents(["a"], titles=["T"]), list[list[float]])
        assert_type(chain_of(langchain), list[float])
    with llamaindex:
        assert_type(llamaindex.get_text_embedding_batch(["a"]), list[list[float]])
        assert_type(index_of(llamaindex), list[float])
        assert_type(llamaindex.fingerprint, str)
