"""The places that take an object; those of packages apart are in tests/stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.embeddings import resolve_embed_model
from pages import DOCS, blocks, run

from gemini_embed.standin import Standin
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from pathlib import Path


def test_llamaindex_takes_the_object_as_it_is() -> None:
    """`resolve_embed_model`, which `Settings` and indexes ask, returns the same object."""
    model = GeminiEmbedding(api_key="any")

    assert resolve_embed_model(model) is model


def test_chroma_itself_finds_by_our_vectors(tmp_path: Path) -> None:
    """A collection with vectors of the core, without an embedding function."""
    page = (DOCS / "places.md").read_text(encoding="utf-8")

    with Standin(model="minilm") as server:
        done = run("\n".join(blocks(page)), tmp_path, url=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[['cats purr']]"
