"""Threads for what can only be waited for: a cache, a file, credentials.

They are daemons: work that hangs holds neither the end of the process nor a deadline. What is
under way when the process ends has a moment to finish. Threads are used again.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gemini_embed import process

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MOST = 64
"""Work that hangs keeps its thread: beyond so many, work waits for its turn."""

_LAST_MOMENT = 2.0
"""Seconds that the end of the process waits for what is under way."""


class _Workers:
    """Threads that share a queue; another one starts when none is free for what comes."""

    def __init__(self) -> None:
        self.under_way: set[Future[Any]] = set()
        # Of the system's: a thread may wait for ever here, which gevent takes for a deadlock.
        self._waiting = process.original("queue", "SimpleQueue")()
        self._lock = process.new_lock()
        self._free = 0  # less what waits for them
        self._count = 0

    def begin(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._free -= 1
            if self._free < 0 and self._count < _MOST:
                self._start_another()
        if not self._count:
            raise RuntimeError("the system starts no more threads")
        self.under_way.add(future)
        future.add_done_callback(self.under_way.discard)
        self._waiting.put((future, work))
        return future

    def _start_another(self) -> None:
        # The system starts no more threads: those there are will do it.
        with suppress(RuntimeError):
            process.start_thread(self._work, name=f"gemini-embed-worker-{self._count}")
            self._count += 1
            self._free += 1

    def _work(self) -> None:
        while True:
            future, work = self._waiting.get()
            if future.set_running_or_notify_cancel():
                _do(future, work)
            del future, work  # what they hold may go while this thread is idle
            with self._lock:
                self._free += 1


def _do(future: Future[T], work: Callable[[], T]) -> None:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        future.set_exception(error)
    else:
        future.set_result(value)


_workers = _Workers()


def begin(work: Callable[..., T], *args: Any) -> Future[T]:
    """Begin work on another thread, at once. It sees the caller's context variables."""
    return _workers.begin(partial(contextvars.copy_context().run, work, *args))


def in_thread(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Begin work on another thread, at once, to be awaited here.

    Whoever waits may go: a deadline or a cancelled call does not wait for the thread.
    """
    return asyncio.wrap_future(begin(work, *args))


class Executor(ThreadPoolExecutor):
    """The same threads for an event loop, which takes no other kind of executor as its default.

    So all that asyncio or the SDK give to a thread holds nothing up either. Python 3.12 and newer
    start no thread while the process ends, so a first one starts here.
    """

    def __init__(self) -> None:
        super().__init__()
        begin(int)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin work on another thread."""
        return _workers.begin(partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the threads are everybody's."""


def _after_fork() -> None:
    global _workers  # noqa: PLW0603 - the parent's threads are not here
    process.keep_from_child(_workers)
    _workers = _Workers()


def _finish() -> None:
    wait(_workers.under_way.copy(), timeout=_LAST_MOMENT)


process.after_fork(_after_fork)
atexit.register(_finish)  # after the I/O thread stopped: it is registered later
