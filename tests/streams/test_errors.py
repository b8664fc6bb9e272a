"""Errors of a stream: where in all of it, what was handed over, and what else was finished."""

from __future__ import annotations

import asyncio
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts
from streams.reading import DIMENSION, WAYS, aread, read, right
from streams.test_streams import wait_for

from gemini_embed import (
    AuthenticationError,
    DailyQuotaError,
    GeminiEmbedder,
    InvalidInputError,
    RequestError,
    TextTooLongError,
)
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from streams.reading import Read

    from gemini_embed import StreamBlock

    Maker = Callable[..., GeminiEmbedder]

TEXTS = [f"text {i}" for i in range(600)]
REFUSED: Any = (403, {"error": {"status": "PERMISSION_DENIED"}}, {})


@WAYS
@pytest.mark.parametrize("flaw", [" ", 7, "half of a pair \ud800"])
def test_a_text_that_cannot_be_embedded(
    reading: Read, flaw: Any, embedder: Maker, server: Standin
) -> None:
    """All blocks before it are handed over; the error counts from the beginning of the stream."""
    made = embedder(output_dimensionality=DIMENSION)
    blocks: list[StreamBlock[str]] = []

    with pytest.raises(InvalidInputError, match=r"(text|item) 234 ") as caught:
        reading(made, [*TEXTS[:234], flaw, *TEXTS[235:]], blocks, size=100)

    error = caught.value
    assert [block.start for block in blocks] == [0, 100]
    assert (error.index, error.indexes, error.handed_over) == (234, (234,), 200)
    assert error.partial == {}
    assert sorted(joined(sent_texts(server)))[:1] == ["title: none | text: text 0"]
    assert len(joined(sent_texts(server))) == 200


@WAYS
def test_what_was_finished_is_not_lost(reading: Read) -> None:
    """A quota that ends in the middle of a block: its first part is in `partial`."""
    with Standin(requests_per_day=230) as server:
        made = GeminiEmbedder(
            api_key="k",
            base_url=server.url,
            output_dimensionality=DIMENSION,
            max_concurrency=1,
            batch_size=10,
        )
        blocks: list[StreamBlock[str]] = []
        with pytest.raises(DailyQuotaError, match=r"230 of \d+ texts were finished") as caught:
            reading(made, TEXTS, blocks, size=50)

        error = caught.value
        assert sum(len(block.items) for block in blocks) == error.handed_over == 200
        assert sorted(error.partial) == list(range(200, 230))
        vectors = np.array([error.partial[place] for place in range(200, 230)])
        assert np.array_equal(vectors, right(server, TEXTS[200:230]))
        copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (copied.handed_over, str(copied)) == (200, str(error))


@pytest.mark.parametrize("reading", [read, aread])
def test_what_is_under_way_when_another_fails_is_finished(
    reading: Read, embedder: Maker, server: Standin
) -> None:
    """Requests of later blocks are paid for: their answers are in `partial`; no more is sent."""
    made = embedder(
        output_dimensionality=DIMENSION, max_concurrency=2, batch_size=10, max_retries=0
    )
    server.script.extend([REFUSED, "hang"])
    blocks: list[StreamBlock[str]] = []

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(reading, made, TEXTS, blocks, size=10)
        wait_for(lambda: sum(one.status == 0 for one in server.log) == 1 < len(server.log))
        wait_for(lambda: server.log[0].status == 403 or server.log[1].status == 403)
        server.release()
        with pytest.raises(AuthenticationError) as caught:
            job.result()

    error = caught.value
    failed = error.indexes
    finished = sorted(error.partial)
    assert blocks == []
    assert len(failed) == 10
    assert set(finished).isdisjoint(failed)
    answered = [one for one in server.log if one.status == 200]
    assert len(finished) == 10 * len(answered) > 0
    vectors = np.array([error.partial[place] for place in finished])
    assert np.array_equal(vectors, right(server, [TEXTS[place] for place in finished]))


@WAYS
def test_texts_that_the_service_rejects(reading: Read, embedder: Maker, server: Standin) -> None:
    """The error of a block whose text is refused names its place in the whole stream."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=1, batch_size=1)
    refused = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "not this"}}
    server.script.extend([*[None] * 7, (400, refused, {})])

    with pytest.raises(RequestError, match=r"text 7\b") as caught:
        reading(made, TEXTS[:20], size=5)

    assert caught.value.indexes == (7,)
    assert caught.value.handed_over == 5
    assert {5, 6, 8, 9} <= set(caught.value.partial)


@WAYS
def test_long_texts_are_named_by_their_place(reading: Read, embedder: Maker) -> None:
    """Refused, cut off with a warning, or split: as `embed` does it, counted from the beginning."""
    long = "a longer text of several words " * 4000
    texts = [*TEXTS[:12], long, *TEXTS[13:20]]

    with pytest.raises(TextTooLongError, match="text 12 is too long") as caught:
        reading(embedder(on_long="error"), texts, size=10)
    assert caught.value.indexes == (12,)
    with pytest.warns(UserWarning, match="too long: text 12"):
        reading(embedder(), texts, size=10)
    options = {"on_long": "split", "output_dimensionality": DIMENSION}
    blocks = reading(embedder(**options), texts, size=10)
    whole = embedder(**options).embed(texts, role="document").vectors
    assert np.allclose(np.concatenate([block.vectors for block in blocks]), whole, atol=1e-6)


@WAYS
def test_a_source_that_fails(reading: Read, embedder: Maker, server: Standin) -> None:
    """What was read before is handed over, the last block shorter; then its error is raised."""

    def source() -> Iterator[str]:
        yield from TEXTS[:130]
        raise KeyError("of the source")

    blocks: list[StreamBlock[str]] = []
    with pytest.raises(KeyError, match="of the source"):
        reading(embedder(output_dimensionality=DIMENSION), source(), blocks, size=50)

    assert joined(block.items for block in blocks) == TEXTS[:130]
    vectors = np.concatenate([block.vectors for block in blocks])
    assert np.array_equal(vectors, right(server, TEXTS[:130]))


def test_an_async_source_that_is_left_is_told(embedder: Maker) -> None:
    """A source that waits when the stream is closed gets to its `finally`."""
    ended: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            ended.append("closed")

    async def go() -> None:
        blocks = embedder().aembed_stream(source(), role="document", size=1)
        await anext(blocks)
        await blocks.aclose()
        assert ended == ["closed"]

    asyncio.run(go())


@WAYS
def test_with_a_cache_a_second_run_goes_on(
    reading: Read, embedder: Maker, server: Standin, tmp_path: Path
) -> None:
    """After an error, the same stream again sends only what was not finished."""
    made = embedder(
        output_dimensionality=DIMENSION,
        max_concurrency=1,
        batch_size=10,
        cache=tmp_path / "vectors.sqlite3",
    )
    server.script.extend([*[None] * 33, REFUSED])
    with pytest.raises(AuthenticationError):
        reading(made, TEXTS, size=50)
    answered = len([one for one in server.log if one.status == 200])
    server.log.clear()

    blocks = reading(made, TEXTS, size=50)

    assert answered >= 33
    assert sum(block.usage.cached for block in blocks) == 10 * answered
    sent = joined(sent_texts(server))
    assert len(sent) == len(set(sent)) == len(TEXTS) - 10 * answered
    vectors = np.concatenate([block.vectors for block in blocks])
    assert np.array_equal(vectors, right(server, TEXTS))
