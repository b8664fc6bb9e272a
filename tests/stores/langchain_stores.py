"""LangChain's stores that need no server of anyone's, and how their users open them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from langchain_core.vectorstores import InMemoryVectorStore
from stores.corpus import DIMENSION
from stores.gate import needed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import VectorStore

    Open = Callable[[Embeddings], VectorStore]


class Ways(NamedTuple):
    """The ways into one kind of store."""

    from_documents: Callable[[list[Document], Embeddings], VectorStore]
    empty: Open
    empty_for_async: Open


def in_memory(_request: pytest.FixtureRequest) -> Ways:
    return Ways(InMemoryVectorStore.from_documents, InMemoryVectorStore, InMemoryVectorStore)


def faiss(_request: pytest.FixtureRequest) -> Ways:
    library = needed("faiss")
    store: Any = needed("langchain_community.vectorstores").FAISS
    docstore = needed("langchain_community.docstore.in_memory").InMemoryDocstore

    def empty(embeddings: Embeddings) -> VectorStore:
        made: VectorStore = store(embeddings, library.IndexFlatL2(DIMENSION), docstore(), {})
        return made

    return Ways(store.from_documents, empty, empty)


def chroma(_request: pytest.FixtureRequest) -> Ways:
    store: Any = needed("langchain_chroma").Chroma

    def from_documents(documents: list[Document], embeddings: Embeddings) -> VectorStore:
        made: VectorStore = store.from_documents(documents, embeddings, collection_name=name())
        return made

    def empty(embeddings: Embeddings) -> VectorStore:
        made: VectorStore = store(name(), embeddings)
        return made

    return Ways(from_documents, empty, empty)


def qdrant(_request: pytest.FixtureRequest) -> Ways:
    store: Any = needed("langchain_qdrant").QdrantVectorStore

    def from_documents(documents: list[Document], embeddings: Embeddings) -> VectorStore:
        made: VectorStore = store.from_documents(
            documents, embeddings, location=":memory:", collection_name=name()
        )
        return made

    def empty(embeddings: Embeddings) -> VectorStore:
        return from_documents([], embeddings)

    return Ways(from_documents, empty, empty)


def pgvector(request: pytest.FixtureRequest) -> Ways:
    store: Any = needed("langchain_postgres").PGVector
    sqlalchemy, asynchronous = needed("sqlalchemy"), needed("sqlalchemy.ext.asyncio")
    url = request.getfixturevalue("database")("psycopg")

    def from_documents(documents: list[Document], embeddings: Embeddings) -> VectorStore:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        made: VectorStore = store.from_documents(
            documents, embeddings, connection=engine, collection_name=name()
        )
        return made

    def empty(embeddings: Embeddings) -> VectorStore:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        made: VectorStore = store(embeddings, connection=engine, collection_name=name())
        return made

    def empty_for_async(embeddings: Embeddings) -> VectorStore:
        engine = asynchronous.create_async_engine(url, poolclass=sqlalchemy.NullPool)
        made: VectorStore = store(embeddings, connection=engine, collection_name=name())
        return made

    return Ways(from_documents, empty, empty_for_async)


def pgvectorstore(request: pytest.FixtureRequest) -> Ways:
    library = needed("langchain_postgres")
    engine = library.PGEngine.from_connection_string(request.getfixturevalue("database")("asyncpg"))
    request.addfinalizer(lambda: engine._run_as_sync(engine.close()))  # on its own loop

    def new_table() -> dict[str, Any]:
        table = name()
        engine.init_vectorstore_table(table, DIMENSION)
        return {"engine": engine, "table_name": table}

    def from_documents(documents: list[Document], embeddings: Embeddings) -> VectorStore:
        made: VectorStore = library.PGVectorStore.from_documents(
            documents, embeddings, **new_table()
        )
        return made

    def empty(embeddings: Embeddings) -> VectorStore:
        made: VectorStore = library.PGVectorStore.create_sync(
            embedding_service=embeddings, **new_table()
        )
        return made

    return Ways(from_documents, empty, empty)


def name() -> str:
    """Return a name that no other collection or table has."""
    return f"texts_{uuid4().hex}"


KINDS = [in_memory, faiss, chroma, qdrant, pgvector, pgvectorstore]
