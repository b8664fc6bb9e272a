"""What is counted for an embedder's life, and for a block of a program."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from helpers import arrived

from gemini_embed import GeminiEmbedder, ServiceUnavailableError, Usage
from gemini_embed.observe import meter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


def test_a_block_counts_its_own_calls(embedder: Maker) -> None:
    """Those within it, sync, of this embedder; its Usage can be read in the block and after it."""
    made, other = embedder(), embedder()
    made.embed(["before"], role="document")

    with made.track() as usage:
        first = made.embed(["a", "b"], role="document").usage
        assert usage == first
        other.embed(["of another"], role="document")
        second = made.embed(["c"], role="query").usage

    made.embed(["after"], role="document")
    assert usage == first + second
    assert (usage.requests, usage.texts) == (2, 3)
    assert usage.cost() == (first + second).cost()
    assert made.usage.texts == 5


def test_blocks_within_each_other_count_both(embedder: Maker) -> None:
    """The inner call is the outer block's as well."""
    made = embedder()

    with made.track() as outer:
        made.embed(["a"], role="document")
        with made.track() as inner:
            made.embed(["b", "c"], role="document")

    assert (outer.texts, inner.texts) == (3, 2)


def test_blocks_on_several_threads_do_not_mix(embedder: Maker) -> None:
    """Each counts what its own thread embeds, though all calls run on one I/O thread."""
    made = embedder()

    def counted(number: int) -> int:
        with made.track() as usage:
            for _ in range(5):
                made.embed([f"{number} {part}" for part in range(number)], role="document")
        return usage.texts

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(counted, range(1, 9))) == [5 * number for number in range(1, 9)]
    assert made.usage.texts == 5 * sum(range(1, 9))


async def test_blocks_in_several_tasks_do_not_mix(embedder: Maker) -> None:
    """Each counts what its own task awaits, and the tasks that it makes."""
    made = embedder()

    async def counted(number: int) -> int:
        with made.track() as usage:
            calls = (made.aembed([f"{number} {part}"], role="document") for part in range(number))
            await asyncio.gather(*calls)
            await made.aembed(["one more"], role="query")
        return usage.texts

    assert await asyncio.gather(*map(counted, range(1, 9))) == [n + 1 for n in range(1, 9)]


async def test_a_thread_with_the_context_of_the_block_is_within_it(embedder: Maker) -> None:
    """`asyncio.to_thread` hands the context on, and so can any pool; a bare thread has none."""
    made = embedder()

    with made.track() as usage:
        await asyncio.to_thread(made.embed, ["a"], role="document")
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(context.run, made.embed, ["b"], role="document").result()
        thread = threading.Thread(target=made.embed, args=(["c"],), kwargs={"role": "document"})
        contextvars.Context().run(thread.start)
        await asyncio.to_thread(thread.join)

    assert (usage.texts, made.usage.texts) == (2, 3)


async def test_a_call_that_outlives_its_block_is_counted_on(
    server: Standin, embedder: Maker
) -> None:
    """It began within: what it costs afterwards is the block's, too."""
    made = embedder(timeout=None)
    server.script.append("hang")

    with made.track() as usage:
        task = asyncio.create_task(made.aembed(["a"], role="document"))
        await arrived(server)
    assert (usage.requests, usage.texts) == (1, 0)
    server.release()
    await task

    assert usage.texts == 1


async def test_a_block_may_end_in_another_context(embedder: Maker) -> None:
    """As that of an async generator does, which a test's fixture is."""
    made = embedder()

    async def block() -> AsyncGenerator[Usage]:
        with made.track() as usage:
            yield usage

    generator = block()
    usage = await asyncio.create_task(anext(generator))
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(anext(generator))

    assert usage == Usage()


async def test_a_cancelled_call_counts_what_it_used(server: Standin, embedder: Maker) -> None:
    """What had left is counted, and that its answer was not waited for."""
    made = embedder(timeout=None)
    server.script.append("hang")

    with made.track() as usage:
        task = asyncio.create_task(made.aembed(["a"], role="document"))
        await arrived(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not usage.unanswered:  # noqa: ASYNC110 - set on another thread
            await asyncio.sleep(0.001)
    server.release()

    assert (usage.requests, usage.unanswered, usage.texts) == (1, 1, 0)
    assert made.usage == usage


def test_what_is_under_way_can_be_read(server: Standin, embedder: Maker) -> None:
    """While a call runs, whoever asks is told what it has used until now."""
    seen: list[Usage] = []
    made: GeminiEmbedder = embedder(on_retry=lambda _: seen.append(made.usage))
    server.script.append("503")

    whole = made.embed(["a"], role="document").usage

    assert [(usage.requests, usage.texts, usage.retries) for usage in seen] == [(1, 0, 1)]
    assert made.usage == whole


def test_to_begin_again_loses_nothing(embedder: Maker) -> None:
    """What was read at each reset adds up to all, whatever was under way at that moment."""
    made = embedder(batch_size=1)
    read: list[Usage] = []
    is_over = threading.Event()

    def read_again_and_again() -> None:
        while not is_over.is_set():
            read.append(made.reset_usage())

    reader = threading.Thread(target=read_again_and_again)
    reader.start()
    with ThreadPoolExecutor(4) as pool:
        loads = [[f"{name}{part}" for part in range(30)] for name in "abcd"]
        calls = [pool.submit(made.embed, load, role="document") for load in loads]
        usages = [call.result().usage for call in calls]
    is_over.set()
    reader.join()

    whole, expected = sum(read, made.usage), sum(usages, Usage())
    assert (whole.requests, whole.texts, whole.prompt_tokens) == (120, 120, expected.prompt_tokens)
    assert whole.billed == expected.billed


def test_a_copy_counts_for_itself(embedder: Maker) -> None:
    """And a pickle, and what `dataclasses.replace` makes: each begins at nothing."""
    made = embedder()
    made.embed(["a"], role="document")

    copies = [
        copy.copy(made),
        copy.deepcopy(made),
        pickle.loads(pickle.dumps(made)),  # noqa: S301 - our own
        replace(made, max_retries=1),
    ]

    assert [one.usage for one in copies] == [Usage()] * 4
    copies[0].embed(["b", "c"], role="document")
    assert (made.usage.texts, copies[0].usage.texts) == (1, 2)


def test_a_block_counts_no_copy(embedder: Maker) -> None:
    """It is another embedder."""
    made = embedder()

    with made.track() as usage:
        copy.copy(made).embed(["a"], role="document")

    assert usage.texts == 0


def test_the_usage_of_a_block_is_one(embedder: Maker) -> None:
    """It adds, compares and prints as the Usage that it stands at, and a pickle stays at that."""
    made = embedder()

    with made.track() as usage:
        first = made.embed(["a"], role="document").usage
        kept = pickle.loads(pickle.dumps(usage))  # noqa: S301 - our own
        assert isinstance(usage, Usage)
        assert usage + usage == first + first
        assert sum([usage, first], Usage()) == first + first
        alone = sum([usage])
        assert repr(usage) == repr(first)
        made.embed(["b"], role="document")

    assert kept == alone == first != usage
    assert type(kept) is Usage


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_for_itself(embedder: Maker) -> None:
    """From its parent's numbers, even if it was forked while something was counted."""
    made = embedder()
    made.embed(["a"], role="document")
    with meter._lock:
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(30)
                made.embed(["b", "c"], role="document")
                os._exit(made.usage.texts)
            finally:
                os._exit(100)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert made.usage.texts == 1


def test_a_failure_within_a_block_ends_it_as_well(server: Standin, embedder: Maker) -> None:
    """What comes after is not counted, and what was used is."""
    made = embedder(max_retries=0)
    server.script.append("503")

    with pytest.raises(ServiceUnavailableError), made.track() as usage:
        made.embed(["a"], role="document")
    made.embed(["b"], role="document")

    assert (usage.requests, usage.texts) == (1, 0)
