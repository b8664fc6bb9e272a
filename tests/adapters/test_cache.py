"""Caches and fingerprints where LangChain and LlamaIndex have them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from helpers import sent_texts
from langchain_chroma import Chroma
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

import langchain_gemini_embed
import llamaindex_gemini_embed
from gemini_embed import ConfigurationError, FingerprintMismatchError, check_fingerprint
from langchain_gemini_embed import GeminiEmbeddings, StoreCache
from llamaindex_gemini_embed import GeminiEmbedding, KVStoreCache

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin

KEYED = {"api_key": "a-key", "output_dimensionality": 128}


def langchain(server: Standin, **options: Any) -> GeminiEmbeddings:
    given: dict[str, Any] = {**KEYED, "base_url": server.url, **options}
    return GeminiEmbeddings(**given)


def llamaindex(server: Standin, **options: Any) -> GeminiEmbedding:
    given: dict[str, Any] = {**KEYED, "base_url": server.url, **options}
    return GeminiEmbedding(**given)


def test_a_langchain_store_is_a_cache(server: Standin, tmp_path: Path) -> None:
    """What people run already (memory, files, Redis) keeps our vectors, under our keys."""
    for store in (InMemoryByteStore(), LocalFileStore(tmp_path)):
        made = langchain(server, cache=StoreCache(store))
        first = made.embed_documents(["a", "b"])
        query = made.embed_query("a")
        sent = len(server.log)

        again = langchain(server, cache=StoreCache(store))
        assert again.embed_documents(["b", "a"]) == first[::-1]
        assert again.embed_query("a") == query != first[0]
        assert copy.deepcopy(again).embed_query("a") == query
        assert len(server.log) == sent


def test_langchains_own_cache_works_by_namespace(server: Standin, tmp_path: Path) -> None:
    """`cache_namespace` keeps models and dimensions apart, documents and queries in two stores."""
    for size in (128, 256):
        made = langchain(server, output_dimensionality=size)
        right = [made.embed_documents(["a"])[0], made.embed_query("a")]
        cached = CacheBackedEmbeddings.from_bytes_store(
            made,
            LocalFileStore(tmp_path / "documents"),
            namespace=made.cache_namespace,
            query_embedding_cache=LocalFileStore(tmp_path / "queries"),
            key_encoder="sha256",
        )
        for _ in range(2):
            assert [cached.embed_documents(["a"])[0], cached.embed_query("a")] == right
    assert len(server.log) == 2 * 4


def test_llamaindexs_embeddings_cache_becomes_ours(server: Standin) -> None:
    """A store given under that name never answers a query with a document, or across settings."""
    store = SimpleKVStore()
    right = {}
    for size in (128, 256):
        made = llamaindex(server, output_dimensionality=size)
        right[size] = [made.get_text_embedding("a"), made.get_query_embedding("a")]
    sent = len(server.log)

    for _ in range(2):
        for size in (128, 256):
            made = llamaindex(server, output_dimensionality=size, embeddings_cache=store)
            assert made.embeddings_cache is None
            assert [made.get_text_embedding("a"), made.get_query_embedding("a")] == right[size]
            assert made.get_text_embedding_batch(["a", "a"]) == [right[size][0]] * 2
    assert len(server.log) == sent + 4


def test_a_key_value_store_persists(server: Standin, tmp_path: Path) -> None:
    """What LlamaIndex writes to disk is read back."""
    store = SimpleKVStore()
    first = llamaindex(server, cache=KVStoreCache(store)).get_text_embedding("a")
    store.persist(str(tmp_path / "kv.json"))

    again = SimpleKVStore.from_persist_path(str(tmp_path / "kv.json"))

    assert llamaindex(server, cache=KVStoreCache(again)).get_text_embedding("a") == first
    assert len(server.log) == 1
    with pytest.raises(ConfigurationError, match="cache and embeddings_cache"):
        llamaindex(server, cache=True, embeddings_cache=store)


@pytest.mark.parametrize("spoilt", [{"vector": "AAAA!"}, {"vector": "AAAAA"}, {"vector": 7}, {}])
def test_a_damaged_text_in_a_key_value_store_is_asked_for_again(
    spoilt: dict[str, Any], server: Standin
) -> None:
    """What is no base64, or no vector, is told of and mended; what else is there is used."""
    store = SimpleKVStore()
    made = llamaindex(server, cache=KVStoreCache(store))
    right = made.get_text_embedding_batch(["a", "b"])
    store.put(next(iter(store.get_all("gemini_embed"))), spoilt, collection="gemini_embed")

    with pytest.warns(UserWarning, match="damaged vectors in the cache KVStoreCache: 1"):
        assert made.get_text_embedding_batch(["a", "b"]) == right

    assert made.get_text_embedding_batch(["a", "b"]) == right
    assert len(server.log) == 2


def test_tuning_the_traffic_embeds_nothing_again(server: Standin) -> None:
    """The pipeline's own cache is hit after a change of timeouts, and missed after one of shape."""
    nodes = [TextNode(text=f"text {i}", id_=str(i)) for i in range(5)]
    pipeline = IngestionPipeline(transformations=[llamaindex(server)])

    def sent(**options: Any) -> int:
        before = len(server.log)
        pipeline.transformations = [llamaindex(server, **options)]
        embedded = pipeline.run(nodes=copy.deepcopy(nodes))
        assert all(node.embedding for node in embedded)
        return len(server.log) - before

    assert sent() == 1
    tuned = {"timeout": 9, "retries": 2, "max_concurrency": 1, "embed_batch_size": 50}
    assert sent(**tuned) == 0
    assert sent(output_dimensionality=256) == 1
    assert sent(task_type="CLUSTERING") == 1
    assert sent(normalize=True) == 1
    assert sent(model_name="gemini-embedding-001") == 1
    assert sent() == 0


def test_a_langchain_index_is_guarded(server: Standin, tmp_path: Path) -> None:
    """The fingerprint is kept in a store's metadata where it has some, else in a file beside it."""
    made, other = langchain(server), langchain(server, output_dimensionality=256)
    store = Chroma("guarded", made, collection_metadata={"owner": "us"})
    for target in (store, tmp_path / "index.json"):
        assert langchain_gemini_embed.load_fingerprint(target) is None
        langchain_gemini_embed.save_fingerprint(target, made)

        stored = langchain_gemini_embed.load_fingerprint(target)

        check_fingerprint(stored, made)
        with pytest.raises(FingerprintMismatchError, match="dimension is '256' and was '128'"):
            check_fingerprint(stored, other)
    assert store._collection.metadata["owner"] == "us"
    with pytest.raises(ConfigurationError, match="path of a file"):
        langchain_gemini_embed.save_fingerprint(InMemoryVectorStore(made), made)


def test_a_llamaindex_index_is_guarded(server: Standin, tmp_path: Path) -> None:
    """The fingerprint persists with the storage context, and the index loads as before."""
    made, other = llamaindex(server), llamaindex(server, task_type="CLUSTERING")
    context = StorageContext.from_defaults()
    with pytest.raises(ConfigurationError, match="build the index first"):
        llamaindex_gemini_embed.save_fingerprint(context, made)
    VectorStoreIndex([TextNode(text="a")], embed_model=made, storage_context=context)
    assert llamaindex_gemini_embed.load_fingerprint(context) is None
    llamaindex_gemini_embed.save_fingerprint(context, other)
    llamaindex_gemini_embed.save_fingerprint(context, made)
    context.persist(str(tmp_path))

    again = StorageContext.from_defaults(persist_dir=str(tmp_path))
    stored = llamaindex_gemini_embed.load_fingerprint(again)

    check_fingerprint(stored, made)
    with pytest.raises(FingerprintMismatchError, match="task_type"):
        check_fingerprint(stored, other)
    index: Any = load_index_from_storage(again, embed_model=made)
    assert index.as_retriever().retrieve("a")[0].text == "a"
    assert sent_texts(server)[-1] == ["task: search result | query: a"]
