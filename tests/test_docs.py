"""What the pages for both frameworks show, run from top to bottom as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from langchain_core.load import loads

from langchain_gemini_embed import GeminiEmbeddings

if TYPE_CHECKING:
    from gemini_embed.standin import Standin

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["langchain.md", "llamaindex.md"])
def test_every_block_of_a_page_runs(
    page: str, server: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A reader who pastes one block after the other gets to the end, without a warning."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if "allowed_objects" in text and "allowed_objects" not in signature(loads).parameters:
        pytest.skip("the page is written for a langchain-core that is told what to load")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)

    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", "\n".join(blocks)],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == text.count("print(")


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
    "model_name",
    "api_key",
    "embedding_config",
    "vertexai_config",
    "http_options",
    "debug_config",
    "embed_batch_size",
    "callback_manager",
    "retries",
    "timeout",
    "retry_min_seconds",
    "retry_max_seconds",
    "retry_exponential_base",
    "num_workers",
    "embeddings_cache",
    "rate_limiter",
]
"""Every constructor argument of the two official classes."""


def test_every_option_of_the_official_classes_is_in_the_table() -> None:
    """Whoever comes over finds each name they use, and what becomes of it."""
    page = (DOCS / "coming-over.md").read_text(encoding="utf-8")
    langchain, llamaindex = page.split("\n## ")[1:]

    assert [name for name in LANGCHAIN if f"`{name}`" not in langchain] == []
    assert [name for name in LLAMAINDEX if f"`{name}`" not in llamaindex] == []


@pytest.mark.parametrize("name", LANGCHAIN)
def test_langchain_takes_each_of_them(name: str) -> None:
    """No keyword of the official class is unknown to ours."""
    assert name in {*GeminiEmbeddings.model_fields, "api_key"}
