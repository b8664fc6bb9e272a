"""LlamaIndex's stores that need no server of anyone's, opened for sync or for async use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llama_index.core.vector_stores import SimpleVectorStore
from stores.corpus import DIMENSION
from stores.gate import needed

if TYPE_CHECKING:
    import pytest
    from llama_index.core.vector_stores.types import BasePydanticVectorStore


def simple(_request: pytest.FixtureRequest, _use_async: bool) -> BasePydanticVectorStore:
    return SimpleVectorStore()


def chroma(_request: pytest.FixtureRequest, _use_async: bool) -> BasePydanticVectorStore:
    library: Any = needed("llama_index.vector_stores.chroma")
    collection = needed("chromadb").EphemeralClient().create_collection(f"texts_{uuid4().hex}")
    made: BasePydanticVectorStore = library.ChromaVectorStore(chroma_collection=collection)
    return made


def qdrant(_request: pytest.FixtureRequest, use_async: bool) -> BasePydanticVectorStore:
    library: Any = needed("llama_index.vector_stores.qdrant")
    client = needed("qdrant_client")
    clients = (  # what is in memory is one client's alone
        {"aclient": client.AsyncQdrantClient(":memory:")}
        if use_async
        else {"client": client.QdrantClient(":memory:")}
    )
    made: BasePydanticVectorStore = library.QdrantVectorStore("texts", **clients)
    return made


def faiss(_request: pytest.FixtureRequest, _use_async: bool) -> BasePydanticVectorStore:
    library: Any = needed("llama_index.vector_stores.faiss")
    index = needed("faiss").IndexFlatIP(DIMENSION)
    made: BasePydanticVectorStore = library.FaissVectorStore(faiss_index=index)
    return made


def postgres(request: pytest.FixtureRequest, _use_async: bool) -> BasePydanticVectorStore:
    library: Any = needed("llama_index.vector_stores.postgres")
    sqlalchemy = needed("sqlalchemy")
    url = request.getfixturevalue("database")
    made: BasePydanticVectorStore = library.PGVectorStore(
        connection_string=url("psycopg2"),
        async_connection_string=url("asyncpg"),
        embed_dim=DIMENSION,
        initialization_fail_on_error=True,
        # LlamaIndex runs each async build on a loop of its own, which pooled connections outlive.
        create_engine_kwargs={"poolclass": sqlalchemy.NullPool},
    )
    return made


KINDS = [simple, chroma, qdrant, faiss, postgres]
KEEP_TEXTS = [chroma, qdrant, postgres]  # and so can be opened without the index that filled them
