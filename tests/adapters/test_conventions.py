"""What both ecosystems expect of a class: closing, saving, loading, titles of nodes."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumps, loads
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode

import langchain_gemini_embed
import llamaindex_gemini_embed
from gemini_embed import GeminiEmbedder
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin


def _core(url: str) -> tuple[Any, Callable[[], Any]]:
    made = GeminiEmbedder(api_key="a-key", base_url=url)

    def ask() -> Any:
        return made.embed(["a"], role="query").vectors.tolist()

    return made, ask


def _langchain(url: str) -> tuple[Any, Callable[[], Any]]:
    made = GeminiEmbeddings(api_key="a-key", base_url=url)
    return made, lambda: made.embed_query("a")


def _llamaindex(url: str) -> tuple[Any, Callable[[], Any]]:
    made = GeminiEmbedding(api_key="a-key", base_url=url)
    return made, lambda: made.get_query_embedding("a")


@pytest.mark.parametrize("way", [_core, _langchain, _llamaindex])
async def test_closing_ends_connections_and_nothing_else(
    way: Callable[[str], tuple[Any, Callable[[], Any]]], server: Standin
) -> None:
    """`with`, `async with`, `close` and `aclose`, before and after use; a later call just works."""
    made, ask = way(server.url)
    made.close()
    with made:
        first = ask()
    async with made:
        assert ask() == first
    made.close()
    await made.aclose()

    assert ask() == first
    assert len(server.log) == 3


def test_langchain_dumps_and_loads(server: Standin) -> None:
    """A dump holds neither key nor header, and comes back with the key from `secrets_map`."""
    made = GeminiEmbeddings(
        api_key="s3cret",
        base_url=server.url,
        output_dimensionality=256,
        task_type="CLUSTERING",
        timeout=5,
        additional_headers={"authorization": "t0ken"},
    )
    trusted: dict[str, Any] = {"valid_namespaces": ["langchain_gemini_embed"]}
    if "allowed_objects" in inspect.signature(loads).parameters:  # not in langchain-core 1.0
        trusted["allowed_objects"] = [GeminiEmbeddings]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain calls its serializer a beta feature
        text = dumps(made)
        back = loads(text, **trusted, secrets_map={"GOOGLE_API_KEY": "another"})
        bare = loads(text, **trusted)

    assert "s3cret" not in text
    assert "t0ken" not in text
    assert (back.fingerprint, back.timeout) == (made.fingerprint, 5)
    assert back.embed_query("a") == made.embed_query("a")
    assert server.log[0].headers["x-goog-api-key"] == "another"
    assert bare.google_api_key is None


def test_llamaindex_dumps_where_vectors_come_from() -> None:
    """The place on Vertex AI, the base URL and all that shapes a vector survive; a key does not."""
    made = GeminiEmbedding(
        "gemini-embedding-001",
        vertexai_config={"project": "p", "location": "eu"},
        http_options={"base_url": "http://127.0.0.1:9", "api_version": "v1"},
        task_type="CLUSTERING",
        output_dimensionality=256,
        normalize=False,
        title_metadata_key="title",
        retries=2,
        timeout=3,
    )

    back = GeminiEmbedding.from_dict(made.to_dict())

    for name in (
        "vertexai",
        "project",
        "location",
        "base_url",
        "api_version",
        "title_metadata_key",
    ):
        assert getattr(back, name) == getattr(made, name)
    assert back.fingerprint == made.fingerprint
    assert (back.max_retries, back.timeout) == (None, 60)


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
async def test_llamaindex_nodes_send_their_titles(model: str, server: Standin) -> None:
    """`title_metadata_key` names the metadata whose value reaches the model as the title."""
    made = GeminiEmbedding(
        model, api_key="a-key", base_url=server.url, title_metadata_key="title", max_concurrency=1
    )
    nodes = [
        TextNode(text=text, metadata=metadata, excluded_embed_metadata_keys=["title"])
        for text, metadata in (("a", {"title": "T"}), ("b", {}), ("c", {"title": 3}))
    ]
    pipeline = IngestionPipeline(transformations=[made], disable_cache=True)

    done = pipeline.run(nodes=nodes)
    again = await made.acall(nodes)

    if model.endswith("2"):
        sent = [r["content"]["parts"][0]["text"] for e in server.log for r in e.body["requests"]]
        as_sent = ["title: T | text: a", "title: none | text: b", "title: 3 | text: c"]
        assert sent == as_sent * 2
    else:
        sent = [
            (r["content"]["parts"][0]["text"], r.get("title"))
            for e in server.log
            for r in e.body["requests"]
        ]
        assert sent == [("a", "T"), ("b", None), ("c", "3")] * 2
    assert [node.embedding for node in done] == [node.embedding for node in again]
    assert len({tuple(node.embedding or ()) for node in done}) == 3


def test_what_llamaindexs_own_checks_look_for() -> None:
    """A `BaseEmbedding` by name, built with any key and no network, with a name of its own."""
    names = [base.__name__ for base in GeminiEmbedding.__mro__]

    assert BaseEmbedding.__name__ in names
    assert isinstance(GeminiEmbedding(api_key="fake"), BaseEmbedding)
    assert GeminiEmbedding.class_name() == "GeminiEmbedEmbedding"


@pytest.mark.parametrize(
    ("package", "names"),
    [
        (
            langchain_gemini_embed,
            ["GeminiEmbeddings", "StoreCache", "load_fingerprint", "save_fingerprint"],
        ),
        (
            llamaindex_gemini_embed,
            [
                "GeminiEmbedding",
                "KVStoreCache",
                "MediaHashes",
                "load_fingerprint",
                "save_fingerprint",
            ],
        ),
    ],
)
def test_the_public_names_are_these(package: Any, names: list[str]) -> None:
    """What can be imported from each package is a promise."""
    assert package.__all__ == names
    assert all(hasattr(package, name) for name in names)
