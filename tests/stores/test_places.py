"""What the page on places shows of LangChain's other packages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from pages import ROOT, blocks, run
from stores.gate import needed

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore:`langchain-experimental` is being sunset:DeprecationWarning")
def test_texts_are_filtered_and_cut_by_meaning(tmp_path: Path) -> None:
    """`EmbeddingsFilter` and `SemanticChunker` take the object."""
    needed("langchain_community")
    needed("langchain_experimental")
    page = (ROOT / "docs" / "places.md").read_text(encoding="utf-8")

    with Standin(model="minilm") as server:
        program = "\n".join(blocks(page, "needs: langchain_experimental"))
        ignored = (sys.executable, "-W", "ignore::DeprecationWarning")  # it is no longer maintained
        done = run(program, tmp_path, url=server.url, python=ignored)

    assert (done.returncode, done.stderr) == (0, "")
    assert "['cats purr']\n2 chunks\n" in done.stdout
