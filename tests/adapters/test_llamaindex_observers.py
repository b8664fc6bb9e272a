"""LlamaIndex's observers and rate limiters hear of what `GeminiEmbedding` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from helpers import TEXTS, joined
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler

from gemini_embed import (
    RequestError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin
    from llamaindex_gemini_embed import GeminiEmbedding

    Maker = Callable[..., GeminiEmbedding]


class Recorder(BaseCallbackHandler):
    def __init__(self) -> None:
        super().__init__([], [])
        self.starts: list[str] = []
        self.ends: list[dict[str, Any]] = []

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,  # noqa: ARG002 - the base class's signature
        event_id: str = "",
        parent_id: str = "",  # noqa: ARG002 - likewise
        **kwargs: Any,  # noqa: ARG002 - likewise
    ) -> str:
        assert event_type is CBEventType.EMBEDDING
        self.starts.append(event_id)
        return event_id

    def on_event_end(
        self,
        event_type: CBEventType,  # noqa: ARG002 - the base class's signature
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        **kwargs: Any,  # noqa: ARG002 - likewise
    ) -> None:
        assert event_id in self.starts
        self.ends.append(payload or {})

    def start_trace(self, trace_id: str | None = None) -> None:
        """Nothing to do."""

    def end_trace(
        self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None
    ) -> None:
        """Nothing to do."""


async def test_observers_are_told_as_by_the_base_class(embedding: Maker) -> None:
    """One event pair per embed_batch_size texts, with chunks and embeddings, sync and async."""
    recorder = Recorder()
    made = embedding(callback_manager=CallbackManager([recorder]))

    result = made.get_text_embedding_batch(TEXTS)
    await made.aget_text_embedding_batch(TEXTS)

    assert len(recorder.starts) == len(recorder.ends) == 6
    assert joined(end[EventPayload.CHUNKS] for end in recorder.ends[:3]) == TEXTS
    assert joined(end[EventPayload.EMBEDDINGS] for end in recorder.ends[:3]) == result


def test_observers_hear_of_a_failure(server: Standin, embedding: Maker) -> None:
    """Each event that began is ended, with the exception."""
    recorder = Recorder()
    made = embedding(callback_manager=CallbackManager([recorder]))
    server.script.append((400, {"error": {"message": "no", "status": "X"}}, {}))

    with pytest.raises(RequestError):
        made.get_text_embedding_batch(["a"])

    assert len(recorder.starts) == 1
    assert isinstance(recorder.ends[0][EventPayload.EXCEPTION], RequestError)


with_limiters = pytest.mark.skipif(
    "rate_limiter" not in BaseEmbedding.model_fields,
    reason="this llama-index-core has no rate limiters",
)


class CountingLimiter:
    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002 - LlamaIndex's signature
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002 - likewise
        self.asked += 1


@with_limiters
async def test_the_rate_limiter_is_asked_before_each_request(
    server: Standin, embedding: Maker
) -> None:
    """Every request that leaves was allowed by LlamaIndex's limiter, repeated ones too."""
    limiter = CountingLimiter()
    made = embedding(rate_limiter=limiter)
    server.script.append("503")

    made.get_text_embedding_batch(TEXTS)
    assert limiter.asked == len(server.log) == 4
    await made.aget_text_embedding_batch(TEXTS)
    made.get_query_embedding("a")
    await made.aget_text_embedding("a")

    assert limiter.asked == len(server.log) == 9


@with_limiters
async def test_the_limiter_is_asked_before_retries_of_a_query_too(
    server: Standin, embedding: Maker
) -> None:
    """The base class asks once for a query; every further request is asked for as well."""
    limiter = CountingLimiter()
    made = embedding(rate_limiter=limiter)
    server.script.extend(["503", None, "503"])

    made.get_query_embedding("a")
    await made.aget_text_embedding("b")

    assert limiter.asked == len(server.log) == 4


@with_limiters
def test_llamaindexs_own_limiter_works(server: Standin, embedding: Maker) -> None:
    """The limiter that ships with LlamaIndex runs on our thread."""
    from llama_index.core.rate_limiter import (  # noqa: PLC0415 - not there with every version
        TokenBucketRateLimiter,
    )

    made = embedding(rate_limiter=TokenBucketRateLimiter(requests_per_minute=6000))

    made.get_text_embedding_batch(TEXTS)

    assert len(server.log) == 3
