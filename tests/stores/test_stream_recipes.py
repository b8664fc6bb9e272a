"""The recipes of docs/streams.md, run as a reader runs them: each text ends up with its vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import DOCS, blocks, marked, run
from stores.gate import needed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import Standin

PAGE = (DOCS / "streams.md").read_text(encoding="utf-8")
RECIPES = marked(PAGE)
FIRST = blocks(PAGE)[0].partition("\nshapes =")[0]

CHECK = """
import numpy as np

right = embedder.embed([f"text number {number}" for number in range(2500)], role="document").vectors
assert len(found) == 2500
assert [text for text, _ in found] == [f"text number {number}" for number in range(2500)]
assert np.allclose([vector for _, vector in found], right, atol=1e-6)
"""

FOUND = {
    "pyarrow": (
        "rows = pq.read_table('vectors.parquet').to_pylist()\n"
        "found = [(row['text'], row['vector']) for row in rows]"
    ),
    "pandas": "found = list(zip(frame['text'], frame['vector']))",
    "polars": "found = list(zip(frame['text'].to_list(), frame['vector'].to_list()))",
    "datasets": "found = [(row['text'], row['vector']) for row in dataset]",
    "psycopg": (
        "with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
        "    rows = connection.execute('SELECT text, vector::text FROM docs ORDER BY place')\n"
        "    found = [(text, eval(vector)) for text, vector in rows]"
    ),
    "chromadb": (
        "got = store.get(include=['documents', 'embeddings'])\n"
        "rows = sorted(zip(map(int, got['ids']), got['documents'], got['embeddings']))\n"
        "found = [(text, vector) for _, text, vector in rows]"
    ),
    "qdrant_client": (
        "points = client.scroll('docs', limit=5000, with_vectors=True)[0]\n"
        "found = [(p.payload['text'], p.vector) for p in sorted(points, key=lambda p: p.id)]\n"
        "client.close()"
    ),
}
"""How the texts and vectors are read again that a recipe has stored."""

BEFORE = {
    "pyarrow": (
        "import pyarrow as pa, pyarrow.parquet as pq\n"
        "pq.write_table(pa.table({'text': list(texts)}), 'texts.parquet')\n"
    )
}


@pytest.fixture
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the recipe for PostgreSQL a database, and keep others off the net."""
    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "False")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    if request.node.callspec.params["package"] == "psycopg":
        database: Callable[[str], str] = request.getfixturevalue("database")
        monkeypatch.setenv("DATABASE_URL", database("").replace("+", ""))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("package", FOUND)
def test_each_text_ends_up_with_its_vector(package: str, server: Standin, tmp_path: Path) -> None:
    """A reader who pastes the first program and a recipe has all vectors where they should be."""
    needed(package)
    recipe = RECIPES[f"needs: {package}"]
    program = "\n".join([FIRST, BEFORE.get(package, ""), recipe, FOUND[package], CHECK])

    done = run(program, tmp_path, url=server.url)

    assert done.returncode == 0, done.stderr


def test_every_recipe_is_run() -> None:
    """No recipe stands there untried."""
    assert {f"needs: {package}" for package in FOUND} | {"needs: langchain_core"} == set(RECIPES)
