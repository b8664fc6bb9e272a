"""The places that take an object or a string, with LangGraph and LangChain."""

from __future__ import annotations

from importlib.util import find_spec
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from llama_index.core.embeddings import resolve_embed_model
from pages import ROOT, blocks, run

from gemini_embed.standin import Standin
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "places.md").read_text(encoding="utf-8")


def said(folder: Path, package: str, more: str = "") -> list[str]:
    """Return what the page says with a package, at the stand-in's model with meaning."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    with Standin(model="minilm") as server:
        program = "\n".join([*blocks(PAGE, f"needs: {package}"), more])
        done = run(program, folder, url=server.url)
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

    assert said(tmp_path, "langgraph", dedent(more))[-1] == "what does she eat?"


def test_init_embeddings_takes_names_of_its_own_list_only(tmp_path: Path) -> None:
    """Why the page says that a string cannot stand for our class."""
    assert said(tmp_path, "langchain")[1] == "Provider 'gemini_embed' is not supported."


def test_llamaindex_takes_the_object_as_it_is() -> None:
    """`resolve_embed_model`, which `Settings` and indexes ask, returns the same object."""
    model = GeminiEmbedding(api_key="any")

    assert resolve_embed_model(model) is model


def test_chroma_itself_finds_by_our_vectors(tmp_path: Path) -> None:
    """A collection with vectors of the core, without an embedding function."""
    assert said(tmp_path, "chromadb")[-1] == "[['cats purr']]"
