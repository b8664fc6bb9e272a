# pyright: strict
"""Code as users write it, for mypy and pyright to accept; running it is a bonus.

`make typecheck` has it checked by mypy with and without the pydantic plugin, and by pyright.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from google import genai
from google.auth.credentials import AnonymousCredentials, Credentials
from google.genai import types
from llama_index.core.callbacks import CallbackManager
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import SecretStr

from gemini_embed import EmbeddingResult, GeminiEmbedder, Price, Progress, Quota, Retry, Usage
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    import pytest
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
        with core.track() as usage:
            assert_type(core.embed(["a"], role="document").usage.prompt_tokens, int | None)
        assert_type(usage.cost(), Decimal | None)
        assert_type(usage + core.usage, Usage)
        assert_type(sum([usage, usage], Usage()), Usage)
    async with langchain:
        langchain.google_api_key = core.api_key
        assert_type(await langchain.aembed_documents(["a"], titles=["T"]), list[list[float]])
        assert_type(chain_of(langchain), list[float])
    with llamaindex:
        assert_type(llamaindex.get_text_embedding_batch(["a"]), list[list[float]])
        assert_type(index_of(llamaindex), list[float])
        assert_type(llamaindex.fingerprint, str)
        assert_type(llamaindex.usage.prompt_tokens, int | None)


class Limiter:
    def acquire(self, num_tokens: int = 0) -> None: ...

    async def async_acquire(self, num_tokens: int = 0) -> None: ...


def note(retry: Retry) -> None:
    print(retry.attempt, retry.wait, retry.indexes)  # noqa: T201 - as users do


def draw(progress: Progress) -> None:
    print(progress.done / progress.total, progress.seconds_left)  # noqa: T201 - likewise


def anonymous() -> Credentials:
    return AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth is untyped here


def test_langchains_class_takes_every_option(tmp_path: Path) -> None:
    """By its own name and by each other spelling, in each form that is documented."""
    GeminiEmbeddings(
        model="gemini-embedding-2",
        api_key="k",
        vertexai=False,
        task_type="SEMANTIC_SIMILARITY",
        output_dimensionality=768,
        normalize="auto",
        task_prefix=True,
        on_blank="placeholder",
        on_surrogate="replace",
        on_long="split",
        batch_size=50,
        max_concurrency=4,
        timeout=None,
        deadline=600,
        max_retries=2,
        max_wait=60.0,
        retry_min_seconds=0.5,
        retry_max_seconds=10,
        retry_exponential_base=2,
        on_retry=note,
        on_progress=draw,
        requests_per_minute=100,
        tokens_per_minute=30_000,
        requests_per_day=1000,
        on_daily_quota="wait",
        prices={"gemini-embedding-2": Price(Decimal("0.18"))},
        count_tokens=len,
        cache=tmp_path / "vectors.sqlite3",
        cache_full_dimension=True,
        batch_documents=True,
        batch_tokens=4_500_000,
        batch_settle=900,
        batch_fallback="error",
        bucket=None,
        cache_uris=False,
        caption_prefix=False,
        media_in_flight=2**20,
        base_url="http://127.0.0.1:9",
        service_name="ours",
        api_version="v1beta",
        additional_headers={"a": "b"},
        client_args={"verify": False},
        fast_decode=False,
        show_progress=True,
    )
    GeminiEmbeddings(google_api_key="k", dimensions=768, request_options={"timeout": 5})
    GeminiEmbeddings(google_api_key=SecretStr("k"), additional_headers={"a": SecretStr("b")})
    GeminiEmbeddings(quota=Quota(requests=100), normalize=False, cache=False)
    GeminiEmbeddings(project="p", location="eu", credentials=anonymous())
    GeminiEmbeddings(project="p", credentials="account.json")
    GeminiEmbeddings(project="p", credentials=Path("account.json"))
    GeminiEmbeddings(model="ours", behaves_like="gemini-embedding-2", base_url="http://127.0.0.1:9")
    GeminiEmbeddings(client=genai.Client(api_key="k", vertexai=False))


def test_llamaindexs_class_takes_every_option(tmp_path: Path) -> None:
    """In its place, by its own name and by each other spelling, in each documented form."""
    GeminiEmbedding(
        "gemini-embedding-2",
        "k",
        {"title": "T"},
        None,
        {"timeout": 5000, "headers": {"a": "b"}},
        None,
        50,
        CallbackManager([]),
        3,
        5,
        0.5,
        10,
        2,
    )
    GeminiEmbedding(
        model_name="gemini-embedding-2",
        api_key=SecretStr("k"),
        vertexai=False,
        task_type="SEMANTIC_SIMILARITY",
        output_dimensionality=768,
        normalize=True,
        task_prefix=True,
        on_blank="placeholder",
        on_surrogate="replace",
        on_long="split",
        embed_batch_size=50,
        callback_manager=None,
        max_concurrency=4,
        timeout=None,
        deadline=600,
        max_retries=2,
        max_wait=None,
        retry_min_seconds=0.5,
        retry_max_seconds=10.0,
        retry_exponential_base=2.0,
        on_retry=note,
        on_progress=draw,
        requests_per_minute=100,
        tokens_per_minute=30_000,
        requests_per_day=1000,
        on_daily_quota="wait",
        prices={"gemini-embedding-2": Price(Decimal("0.18"))},
        count_tokens=len,
        cache=str(tmp_path / "vectors.sqlite3"),
        cache_full_dimension=True,
        batch_documents=True,
        batch_tokens=4_500_000,
        batch_settle=900,
        batch_fallback="error",
        bucket=None,
        cache_uris=False,
        caption_prefix=False,
        media_in_flight=2**20,
        base_url="http://127.0.0.1:9",
        service_name="ours",
        api_version="v1beta",
        additional_headers={"a": "b"},
        client_args={"verify": False},
        fast_decode=False,
        title_metadata_key="title",
    )
    GeminiEmbedding(
        model="gemini-embedding-001",
        batch_size=50,
        num_workers=4,
        retries=3,
        embeddings_cache=SimpleKVStore(),
        embedding_config=types.EmbedContentConfig(task_type="CLUSTERING"),
        http_options=types.HttpOptions(timeout=5000),
        debug_config=None,
    )
    if "rate_limiter" in GeminiEmbedding.model_fields:  # not with older llama-index-core
        GeminiEmbedding(rate_limiter=Limiter())
    GeminiEmbedding(vertexai_config={"project": "p", "location": "eu"})
    GeminiEmbedding(quota=Quota(requests=100), additional_headers={"a": SecretStr("b")})
    GeminiEmbedding(project="p", location="eu", credentials=anonymous())
    GeminiEmbedding(behaves_like="gemini-embedding-2", model="ours", base_url="http://127.0.0.1:9")
    GeminiEmbedding(client=genai.Client(api_key="k", vertexai=False))
    GeminiEmbedding.from_dict(GeminiEmbedding().to_dict(), api_key="k")


async def test_the_options_of_calls(server: Standin) -> None:
    """In both worlds, sync and async."""
    core = GeminiEmbedder(api_key="k", base_url=server.url)
    core.embed(
        ["a"],
        role="document",
        task_type="RETRIEVAL_DOCUMENT",
        titles=["T"],
        output_dimensionality=256,
        batch_size=1,
        show_progress=False,
        rate_limiter=Limiter().async_acquire,
    )
    await core.aembed(
        (text for text in "ab"),
        role="document",
        task_type=None,
        titles=("T", None),
        output_dimensionality=None,
        batch_size=None,
        show_progress=False,
        rate_limiter=None,
    )
    lang = GeminiEmbeddings(api_key="k", base_url=server.url)
    lang.dimensions = 256
    lang.embed_documents(["a"], batch_size=1, task_type="CLUSTERING", output_dimensionality=512)
    await lang.aembed_documents(["a"], batch_size=1, titles=["T"])
    lang.embed_query("a", title="T", task_type="RETRIEVAL_DOCUMENT", output_dimensionality=512)
    await lang.aembed_query("a", title="T", task_type="RETRIEVAL_DOCUMENT")
    llama = GeminiEmbedding(api_key="k", base_url=server.url)
    llama.get_text_embedding_batch(["a"], show_progress=False, titles=["T"])
    await llama.aget_text_embedding_batch(["a"], titles=[None])


class Tenant(GeminiEmbeddings):
    tenant: str = "x"


class Ours(GeminiEmbedding):
    output_dimensionality: int | None = 256
    timeout: float | None = 5.0


def test_subclasses_are_well_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own fields beside every spelling of ours."""
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)

    assert_type(Tenant(api_key="k", dimensions=768, tenant="us").tenant, str)
    assert Ours(api_key="k").output_dimensionality == 256
