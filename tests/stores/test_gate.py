"""Missing libraries are skipped and said, or a failure where they were promised."""

from __future__ import annotations

import json

import pytest
from stores.gate import needed


def test_a_missing_library_is_skipped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test` needs no vector store, and says how to get those it has skipped."""
    monkeypatch.delenv("GEMINI_EMBED_STORES", raising=False)

    assert needed("json") is json
    with pytest.raises(pytest.skip.Exception, match="make test-stores"):
        needed("no_such_store")


def test_a_missing_library_is_a_failure_where_all_were_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`make test-stores` cannot be green by skipping."""
    monkeypatch.setenv("GEMINI_EMBED_STORES", "1")

    with pytest.raises(ModuleNotFoundError, match="no_such_store"):
        needed("no_such_store")
