from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gemini_embed.background import loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gemini_embed import GeminiEmbedder
    from gemini_embed.standin import Standin

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


async def where() -> tuple[str, str]:
    await asyncio.sleep(0)
    return threading.current_thread().name, VARIABLE.get()


async def test_both_bridges_lead_to_one_thread_and_carry_context() -> None:
    """Sync and async callers share one I/O thread, which sees the caller's context variables."""
    VARIABLE.set("mine")

    assert loop.run(where) == ("gemini-embed-io", "mine")
    assert await loop.arun(where) == ("gemini-embed-io", "mine")


async def test_cancelling_the_caller_cancels_the_work() -> None:
    """A cancelled task leaves nothing running behind."""
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(loop.arun(work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(cancelled.wait, 5)


def test_a_sync_call_from_the_io_thread_is_refused() -> None:
    """It would wait for itself for ever; the error says what to do."""

    async def inside() -> None:
        loop.run(where)

    with pytest.raises(RuntimeError, match="use the async method"):
        loop.run(inside)


def test_an_async_call_from_the_io_thread_works() -> None:
    """A hook may await the embedder."""

    async def inside() -> tuple[str, str]:
        return await loop.arun(where)

    assert loop.run(inside)[0] == "gemini-embed-io"


async def test_a_sync_call_works_inside_a_running_loop(
    server: Standin, embedder: Callable[..., GeminiEmbedder]
) -> None:
    """Notebooks run in a loop; a plain call works there."""
    assert embedder().embed(["a"], role="query").vectors.shape == (1, 3072)
    assert len(server.log) == 1


def test_one_embedder_serves_many_threads_and_loops(
    server: Standin, embedder: Callable[..., GeminiEmbedder]
) -> None:
    """Threads with loops of their own, and loops one after another, share one embedder."""
    made = embedder()

    def in_a_loop(number: int) -> NDArray[np.float32]:
        return asyncio.run(made.aembed([f"text {number}"], role="query")).vectors

    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(in_a_loop, range(32)))

    as_sent = [f"task: search result | query: text {i}" for i in range(32)]
    right = [server.vector(text, model="gemini-embedding-2") for text in as_sent]
    assert (np.vstack(vectors) == np.array(right, np.float32)).all()


CHILD = """
import os, sys
from gemini_embed import GeminiEmbedder

embedder = GeminiEmbedder(api_key="k", base_url=sys.argv[1])
first = embedder.embed(["a"], role="query").vectors
if (pid := os.fork()) == 0:
    same = (embedder.embed(["a"], role="query").vectors == first).all()
    {leave}(0 if same else 1)
_, status = os.waitpid(pid, 0)
again = (embedder.embed(["a"], role="query").vectors == first).all()
sys.exit(os.waitstatus_to_exitcode(status) + (0 if again else 2))
"""


@pytest.mark.parametrize("leave", ["os._exit", "sys.exit"])
def test_a_forked_child_and_its_parent_both_go_on(leave: str, server: Standin) -> None:
    """After a fork each side has a thread and connections of its own, and nothing leaks at exit."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            CHILD.replace("{leave}", leave),
            server.url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.log) == 3
