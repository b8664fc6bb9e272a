"""What the page on the cache says of both services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.auth.credentials import AnonymousCredentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed import GeminiEmbedder


@pytest.mark.parametrize("model", ["gemini-embedding-2", "gemini-embedding-001"])
def test_both_services_share_the_entries_of_a_model(
    embedder: Callable[..., GeminiEmbedder], tmp_path: Path, model: str
) -> None:
    """A vector that the Gemini API made is not paid for again on Vertex AI, nor in a project."""
    options = {"model": model, "cache": tmp_path / "vectors.sqlite3"}
    first = embedder(**options).embed(["a text"], role="document")

    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    place = {"api_key": None, "project": "one", "location": "global", "credentials": credentials}
    again = embedder(**options, **place).embed(["a text"], role="document")

    assert (first.usage.requests, again.usage.requests) == (1, 0)
    assert (again.vectors == first.vectors).all()
