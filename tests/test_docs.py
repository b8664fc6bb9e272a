"""What the pages for both frameworks show, run from top to bottom as a reader would."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest
from helpers import LLAMAINDEX_POSITIONAL
from langchain_core.load import loads
from pages import DOCS, PAGES, ROOT, blocks, run

from gemini_embed import Usage
from langchain_gemini_embed import GeminiEmbeddings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin


def named_in(navigation: list[dict[str, Any]]) -> Iterator[str]:
    for entry in navigation:
        for below in entry.values():
            yield from [below] if isinstance(below, str) else named_in(below)


def test_every_page_stands_once_in_the_navigation() -> None:
    """A reader of the site finds each page, and no entry leads nowhere."""
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))

    there = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert sorted(named_in(site["project"]["nav"])) == there


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(page: str, server: Standin, tmp_path: Path) -> None:
    """A reader who pastes one block after the other gets to the end, without a warning."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if "allowed_objects" in text and "allowed_objects" not in signature(loads).parameters:
        pytest.skip("the page is written for a langchain-core that is told what to load")

    program = "\n".join(blocks(text))
    done = run(program, tmp_path, url=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(re.findall(r"\bprint\(", program))


def test_every_number_of_a_usage_is_on_its_page() -> None:
    """Whoever reads one in a program finds out what it counts."""
    page = (DOCS / "usage.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert [one.name for one in fields(Usage) if one.name not in named] == []


LANGCHAIN = [
    "model",
    "google_api_key",
    "api_key",
    "task_type",
    "output_dimensionality",
    "client",
    "credentials",
    "vertexai",
    "project",
    "location",
    "base_url",
    "additional_headers",
    "client_args",
    "api_version",
    "request_options",
]
LLAMAINDEX = [
    *LLAMAINDEX_POSITIONAL,
    "num_workers",
    "embeddings_cache",
    "rate_limiter",
]
"""Every constructor argument of the two official classes."""


def test_every_option_of_the_official_classes_is_in_the_table() -> None:
    """Whoever comes over finds each name they use, and what becomes of it."""
    page = (DOCS / "coming-over.md").read_text(encoding="utf-8")
    langchain, llamaindex = page.split("\n## From ")[1:]

    assert [name for name in LANGCHAIN if f"`{name}`" not in langchain] == []
    assert [name for name in LLAMAINDEX if f"`{name}`" not in llamaindex] == []


@pytest.mark.parametrize("name", LANGCHAIN)
def test_langchain_takes_each_of_them(name: str) -> None:
    """No keyword of the official class is unknown to ours."""
    assert name in {*GeminiEmbeddings.model_fields, "api_key"}
