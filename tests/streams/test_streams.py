"""Streams of texts: each its own vector, in order, few in memory."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts
from streams.reading import DIMENSION, WAYS, aread, read, right

from gemini_embed import ConfigurationError, GeminiEmbedder, StreamBlock
from gemini_embed.background import loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from streams.reading import Read

    from gemini_embed.standin import Standin
    from gemini_embed.standin.faults import Scripted

    Maker = Callable[..., GeminiEmbedder]

TEXTS = [f"text {i}" for i in range(730)]
HANG: list[Scripted] = ["hang"]


@pytest.fixture
def made(embedder: Maker) -> GeminiEmbedder:
    return embedder(output_dimensionality=DIMENSION)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so that a server or the I/O thread brings about."""
    pause = threading.Event()
    for _ in range(5000):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("it did not come about")


@WAYS
@pytest.mark.parametrize("size", [70, 100, 250, 5000])
def test_each_text_has_its_vector(
    reading: Read, size: int, made: GeminiEmbedder, server: Standin
) -> None:
    """Blocks come in order, as large as was asked for, with the texts and their vectors."""
    blocks = reading(made, (text for text in TEXTS), size=size)

    assert [block.start for block in blocks] == list(range(0, len(TEXTS), size))
    assert [block.items for block in blocks] == [
        TEXTS[block.start : block.start + size] for block in blocks
    ]
    assert {block.vectors.dtype for block in blocks} == {np.dtype("f4")}
    vectors = np.concatenate([block.vectors for block in blocks])
    assert np.array_equal(vectors, right(server, TEXTS))
    assert sum(block.usage.texts for block in blocks) == len(TEXTS) == made.usage.texts


@WAYS
def test_nothing_is_no_block(reading: Read, made: GeminiEmbedder, server: Standin) -> None:
    """An empty source sends nothing."""
    assert (reading(made, []), server.log) == ([], [])


@WAYS
def test_options_hold_as_they_do_for_embed(reading: Read, embedder: Maker, server: Standin) -> None:
    """Role, task and dimension of the call, blanks, and equal texts of a block, sent once."""
    made = embedder(on_blank="placeholder")
    texts = ["a", " ", "a", "b", "a"]

    blocks = reading(
        made, texts, role="query", task_type="CLUSTERING", output_dimensionality=256, size=5
    )
    whole = made.embed(texts, role="query", task_type="CLUSTERING", output_dimensionality=256)

    assert np.array_equal(blocks[0].vectors, whole.vectors)
    assert blocks[0].items == texts
    assert blocks[0].usage.duplicates == 2
    first, second = sent_texts(server)
    assert first == second
    assert len(first) == 3


@pytest.mark.parametrize("method", ["embed_stream", "aembed_stream"])
@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ("one text", {}, "an iterable of texts and media, not str"),
        (7, {}, "an iterable of texts and media, not int"),
        ({"id": "a"}, {}, "an iterable of texts and media, not dict"),
        ([], {"titles": "one title"}, "titles must be an iterable .* not str"),
        ([], {"size": 0}, "size"),
        ([], {"role": "documents"}, "role"),
        ([], {"output_dimensionality": 4000}, "4000"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    method: str, texts: Any, options: dict[str, Any], said: str, made: GeminiEmbedder
) -> None:
    """The error points at the line that is wrong, and not at the first block."""
    with pytest.raises(ConfigurationError, match=said):
        getattr(made, method)(texts, **{"role": "document", **options})


def test_a_stream_is_no_batch(embedder: Maker, tmp_path: Any) -> None:
    """Whoever wants half the price is told, and does not pay the whole one unasked."""
    made = embedder(batch_documents=True, cache=tmp_path / "vectors.sqlite3")

    with pytest.raises(ConfigurationError, match=r"embedder\.batch"):
        made.embed_stream(["a"], role="document")


class Counted:
    """An endless source that knows how much was read of it."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        for number in count():
            self.read += 1
            yield f"text {number}"


@WAYS
def test_a_slow_consumer_holds_all_back(reading: Read, embedder: Maker, server: Standin) -> None:
    """Of an endless source no more is read and sent than some blocks ahead of the consumer."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=2, batch_size=10)
    source = Counted()
    seen: list[int] = []
    ahead = 1 + 4  # two requests for each sender, beside the first block

    class Enough(Exception):  # noqa: N818 - the consumer's way to stop
        pass

    class Slow(list[StreamBlock[str]]):
        def extend(self, blocks: Any) -> None:
            for block in blocks:
                self.append(block)

        def append(self, block: StreamBlock[str]) -> None:
            super().append(block)
            wait_for(lambda: len(server.log) >= len(self))
            seen.append(source.read)
            if len(self) == 5:
                raise Enough

    with pytest.raises(Enough):
        reading(made, source, Slow(), size=10)

    assert all(number <= 10 * (taken + ahead) + 1 for taken, number in enumerate(seen, start=1))
    assert len(server.log) <= 5 + ahead


def test_requests_of_several_blocks_are_under_way(embedder: Maker, server: Standin) -> None:
    """Blocks smaller than all senders together do not leave any of them idle."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=8, batch_size=100)
    server.script.extend(HANG * 8)
    texts = [f"text {i}" for i in range(1200)]

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, made, texts, size=300)
        wait_for(lambda: len(server.log) == 8)  # of the first three blocks
        sent = sorted(joined(sent_texts(server)), key=lambda text: int(text.split()[-1]))
        assert sent == [f"title: none | text: {text}" for text in texts[:800]]
        server.release()
        assert len(reading.result()) == 4


def test_the_next_blocks_are_sent_while_one_request_hangs(embedder: Maker, server: Standin) -> None:
    """One slow request of the first block keeps no sender idle: two more for each are sent."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=4, batch_size=10)
    server.script.append("hang")
    texts = [f"text {i}" for i in range(400)]

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, made, texts, size=40)
        wait_for(lambda: len(server.log) == 4 + 2 * 4)
        server.release()
        vectors = np.concatenate([block.vectors for block in reading.result()])

    assert np.array_equal(vectors, right(server, texts))


def test_an_earlier_block_goes_first(embedder: Maker, server: Standin) -> None:
    """Requests leave in the order of the stream, so that the first block is there first."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=1, batch_size=10)

    read(made, TEXTS, size=50)

    assert joined(sent_texts(server)) == [f"title: none | text: {text}" for text in TEXTS]


async def test_a_block_does_not_wait_for_a_source_that_waits(made: GeminiEmbedder) -> None:
    """What is finished is handed over while the source has nothing new."""
    more = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        for text in TEXTS[:100]:
            yield text
        await more.wait()
        yield "late"

    blocks = made.aembed_stream(source(), role="document", size=50)
    assert [(await anext(blocks)).start for _ in range(2)] == [0, 50]
    more.set()
    assert [block.items async for block in blocks] == [["late"]]


def test_what_is_finished_comes_before_more_is_read(made: GeminiEmbedder) -> None:
    """In a thread, a block is handed over with the next item of a slow source, at the latest."""
    handed_over: list[int] = []
    at: list[int] = []

    def source() -> Iterator[str]:
        for number in range(60):
            if number == 55:
                wait_for(lambda: made.usage.texts == 50)
                wait_for(lambda: not made._engine or not made._engine._calls)
                loop.run(asyncio.sleep, 0.01)  # on the I/O thread: what is over is noted meanwhile
            at.append(len(handed_over))
            yield f"text {number}"

    for block in made.embed_stream(source(), role="document", size=50):
        handed_over.append(block.start)  # noqa: PERF401 - the source looks at it meanwhile

    assert handed_over == [0, 50]
    assert at[57:] == [1, 1, 1]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_to_close_ends_what_is_under_way(
    asynchronous: bool, embedder: Maker, server: Standin
) -> None:
    """After an early end nothing is read or sent any more, and no request is left open."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=3, batch_size=10)
    server.script.extend([None, *HANG * 3])
    source = Counted()

    async def go() -> None:
        blocks = made.aembed_stream(source, role="document", size=10)
        await anext(blocks)
        await asyncio.to_thread(wait_for, lambda: len(server.log) == 4)
        await blocks.aclose()

    if asynchronous:
        asyncio.run(go())
    else:
        blocks = made.embed_stream(source, role="document", size=10)
        next(blocks)
        wait_for(lambda: len(server.log) == 4)
        blocks.close()

    was_read = source.read
    wait_for(lambda: made._engine is not None and not made._engine._calls)
    server.release()
    assert (source.read, len(server.log)) == (was_read, 4)
    assert made.embed(["works on"], role="document").vectors.shape == (1, DIMENSION)


async def test_a_cancelled_consumer_ends_it(embedder: Maker, server: Standin) -> None:
    """A task that is cancelled while it waits for a block sends nothing more."""
    made = embedder(output_dimensionality=DIMENSION, max_concurrency=3, batch_size=10)
    server.script.extend(HANG * 3)

    async def consume() -> None:
        async for _ in made.aembed_stream(Counted(), role="document", size=10):
            pass

    task = asyncio.create_task(consume())
    await asyncio.to_thread(wait_for, lambda: len(server.log) == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(wait_for, lambda: made._engine is not None and not made._engine._calls)
    assert len(server.log) == 3
    server.release()


def test_threads_and_loops_at_once(made: GeminiEmbedder, server: Standin) -> None:
    """One embedder serves streams in several threads, some of them with a loop of their own."""
    parts = [TEXTS[start::4] for start in range(4)]
    with ThreadPoolExecutor(4) as pool:
        work = [
            pool.submit(partial((read, aread)[number % 2], made, part, size=60))
            for number, part in enumerate(parts)
        ]
        for part, job in zip(parts, work, strict=True):
            vectors = np.concatenate([block.vectors for block in job.result()])
            assert np.array_equal(vectors, right(server, part))


def test_a_loop_of_uvloop(made: GeminiEmbedder, server: Standin) -> None:
    """Any event loop of asyncio will do."""
    uvloop = pytest.importorskip("uvloop")

    async def go() -> list[StreamBlock[str]]:
        return [one async for one in made.aembed_stream(TEXTS[:90], role="document", size=50)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        blocks = runner.run(go())

    vectors = np.concatenate([block.vectors for block in blocks])
    assert np.array_equal(vectors, right(server, TEXTS[:90]))


def test_trio_is_told_what_to_do(made: GeminiEmbedder) -> None:
    """The error names the way, which works."""
    trio = pytest.importorskip("trio")

    async def go() -> None:
        await anext(made.aembed_stream(["a"], role="document"))

    with pytest.raises(ConfigurationError, match=r"asyncio.*trio\.to_thread\.run_sync"):
        trio.run(go)


def test_blocks_of_a_with_block_are_counted_there(made: GeminiEmbedder) -> None:
    """`track` counts what a stream took that is read inside of it."""
    with made.track() as usage:
        for _ in islice(made.embed_stream(TEXTS, role="document", size=100), 3):
            pass
        read(made, TEXTS, size=100)

    assert usage.texts >= len(TEXTS) + 300


@WAYS
def test_a_text_that_was_answered_is_not_sent_again_with_a_cache(
    reading: Read, embedder: Maker, server: Standin, tmp_path: Any
) -> None:
    """Equal texts of a block are sent once, and what an earlier block had comes from the cache."""
    made = embedder(
        output_dimensionality=DIMENSION,
        cache=tmp_path / "vectors.sqlite3",
        max_concurrency=1,
        batch_size=10,
    )

    reading(made, [f"text {i % 10}" for i in range(50)], size=50)
    blocks = reading(made, [f"text {i}" for i in range(20)], size=10)

    sent = Counter(joined(sent_texts(server)))
    assert sent == Counter(f"title: none | text: text {i}" for i in range(20))
    assert [block.usage.cached for block in blocks] == [10, 0]
