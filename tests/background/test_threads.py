"""Work that can only be waited for: on threads that hold nothing up when it hangs."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from gemini_embed.background import process, threads

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


async def test_work_sees_the_callers_context_and_its_outcome_comes_back() -> None:
    """A value, an error, and even a wish to exit reach whoever waits, and nobody else."""
    VARIABLE.set("mine")

    assert await threads.in_thread(VARIABLE.get) == "mine"
    for error in (OSError, SystemExit):
        with pytest.raises(error):
            await threads.in_thread(_raise, error)
    assert await threads.in_thread(VARIABLE.get) == "mine"


@pytest.mark.parametrize("hook", ["trace", "profile"])
def test_what_looks_into_threads_sees_into_ours(hook: str) -> None:
    """Debuggers, profilers and coverage do not miss the thread on which all requests are made."""
    set_hook, get_hook = (getattr(threading, verb + hook) for verb in ("set", "get"))
    before, seen, done = get_hook(), [], threading.Event()

    def look(frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG001 - a hook
        seen.append(frame.f_code)

    set_hook(look)
    try:
        process.start_thread(done.set, name="a thread")
        assert done.wait(60)
    finally:
        set_hook(before)
    assert threading.Event.set.__code__ in seen


def _raise(error: type[BaseException]) -> None:
    raise error


async def test_who_waits_does_not_wait_for_work_that_hangs() -> None:
    """Work that hangs has a thread to itself: a deadline passes, and other work goes on."""
    leave = threading.Event()
    hanging = [threads.in_thread(leave.wait) for _ in range(10)]
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.gather(*hanging)

        assert await asyncio.wait_for(threads.in_thread(sum, (1, 2)), 20) == 3
    finally:
        leave.set()


async def test_more_work_than_threads_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much hangs, threads are bounded; work that nobody waits for any more is not done."""
    monkeypatch.setattr(threads, "_workers", threads._Workers())
    monkeypatch.setattr(threads, "_MOST", 2)
    leave, done = threading.Event(), list[int]()
    hanging = [threads.in_thread(leave.wait) for _ in range(2)]
    waiting = [threads.in_thread(done.append, i) for i in range(5)]
    waiting[3].cancel()
    await asyncio.sleep(0.01)
    assert done == []

    leave.set()
    await asyncio.gather(*hanging, *waiting, return_exceptions=True)

    assert sorted(done) == [0, 1, 2, 4]


async def test_threads_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that comes one after another does not start a thread each time."""
    monkeypatch.setattr(threads, "_workers", threads._Workers())

    names = {(await threads.in_thread(threading.current_thread)).name for _ in range(100)}

    assert len(names) < 50  # on a busy machine one may still be putting its work away


LEAVING = """
import sys, threading, time
from gemini_embed.background import threads

def write():
    time.sleep(0.2)
    open(sys.argv[1], "w").write("done")

threads.begin(threading.Event().wait)
threads.begin(write)
"""


def test_the_process_ends_and_what_can_still_be_done_is_done(tmp_path: Path) -> None:
    """At its end a process waits a moment for what is under way, and never for what hangs."""
    written = tmp_path / "written"
    command = [sys.executable, "-c", LEAVING, str(written)]

    ended = subprocess.run(command, capture_output=True, timeout=30, check=True)  # noqa: S603 - our own script

    assert written.read_text() == "done"
    assert ended.stderr == b""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """After a fork, work is not handed to threads that only the parent has."""
    threads.begin(int).result(20)
    if (child := os.fork()) == 0:
        try:
            os._exit(threads.begin(int, "7").result(20))
        finally:
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
