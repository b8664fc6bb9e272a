"""The limit of a day in both frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from helpers import joined, sent_texts

from gemini_embed import DailyQuotaError
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin


def test_both_classes_count_in_the_same_file(server: Standin, tmp_path: Path) -> None:
    """A program that uses both, or moves from one to the other, has one limit."""
    options: dict[str, Any] = {
        "api_key": "k",
        "base_url": server.url,
        "cache": tmp_path / "vectors.sqlite3",
        "requests_per_day": 5,
    }
    lang, llama = GeminiEmbeddings(**options), GeminiEmbedding(**options)

    lang.embed_documents(["a", "b", "c"])
    with pytest.raises(DailyQuotaError) as caught:
        llama.get_text_embedding_batch(["c", "d", "e", "f"])

    assert sorted(caught.value.partial) == [0, 1, 2]
    assert caught.value.indexes == (3,)
    assert len(joined(sent_texts(server))) == 5


def test_both_classes_wait_if_they_are_told_to(server: Standin) -> None:
    """Till midnight, or till the deadline of the call."""
    options: dict[str, Any] = {
        "api_key": "k",
        "base_url": server.url,
        "requests_per_day": 1,
        "on_daily_quota": "wait",
        "deadline": 1.0,
    }
    for embed in (
        GeminiEmbeddings(**options).embed_documents,
        GeminiEmbedding(**options).get_text_embedding_batch,
    ):
        with pytest.raises(DailyQuotaError, match="the deadline passed") as caught:
            embed(["a", "b"])
        assert list(caught.value.partial) == [0]
