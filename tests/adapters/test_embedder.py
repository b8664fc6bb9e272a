"""The core behind an adapter, for what only the core has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import vectors_of
from pages import DOCS, marked, run

from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin


@pytest.mark.parametrize("adapter", [GeminiEmbeddings, GeminiEmbedding])
def test_a_stream_by_way_of_an_adapter(adapter: Any, server: Standin) -> None:
    """The core's embedder has the adapter's options, and what it takes counts as the adapter's."""
    made = adapter(api_key="k", base_url=server.url, output_dimensionality=128)

    (block,) = made.embedder.embed_stream(["a", "b"], role="document")

    as_sent = [f"title: none | text: {text}" for text in "ab"]
    right = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=128)
    assert np.array_equal(block.vectors, right)
    assert made.usage.texts == 2
    assert made.embedder is made.embedder


def test_the_program_of_the_guide(server: Standin, tmp_path: Path) -> None:
    """It runs as it is pasted."""
    program = marked((DOCS / "streams.md").read_text(encoding="utf-8"))["needs: langchain_core"]

    done = run(program, tmp_path, url=server.url)

    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
