"""What the page on places shows of LangGraph, and of LangChain's other packages."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from pages import DOCS, blocks, run
from stores.gate import needed

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (DOCS / "places.md").read_text(encoding="utf-8")


def said(folder: Path, package: str, more: str = "") -> list[str]:
    """Return what the page says with a package, at the stand-in's model with meaning."""
    needed(package)
    with Standin(model="minilm") as server:
        program = "\n".join([*blocks(PAGE, f"needs: {package}"), dedent(more)])
        ignored = (sys.executable, "-W", "ignore::DeprecationWarning")  # some are sunset
        done = run(program, folder, url=server.url, python=ignored)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_memory_of_langgraph_finds_by_meaning(tmp_path: Path) -> None:
    """The object is all that its store needs."""
    assert said(tmp_path, "langgraph")[1] == "food"


def test_a_function_gets_the_questions_of_langgraph_too(tmp_path: Path) -> None:
    """Why the page advises against it: a question is embedded as a document is."""
    more = """
    heard = []
    def embed(texts):
        heard.extend(texts)
        return embeddings.embed_documents(texts)
    memory = InMemoryStore(index={"embed": embed, "dims": 768})
    memory.put(("user",), "food", {"text": "likes pizza"})
    memory.search(("user",), query="what does she eat?")
    print(heard[-1])
    """

    assert said(tmp_path, "langgraph", more)[-1] == "what does she eat?"


def test_init_embeddings_takes_names_of_its_own_list_only(tmp_path: Path) -> None:
    """Why the page says that a string cannot stand for our class."""
    assert said(tmp_path, "langchain")[1] == "Provider 'gemini_embed' is not supported."


@pytest.mark.filterwarnings("ignore:`langchain-experimental` is being sunset:DeprecationWarning")
def test_texts_are_filtered_and_cut_by_meaning(tmp_path: Path) -> None:
    """`EmbeddingsFilter` and `SemanticChunker` take the object."""
    shown = said(tmp_path, "langchain_experimental")

    assert shown[3:5] == ["['cats purr']", "2 chunks"]
