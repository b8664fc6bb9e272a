"""Worker threads for blocking work: a cache, a file, credentials.

They are daemon threads, so that work that hangs delays neither the end of the process nor a
deadline. Work that runs when the process ends gets a moment to finish. Idle threads are reused.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gemini_embed.background import process

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MOST = 64
"""The most threads. Work that hangs keeps its thread; when all are busy, further work waits."""

_LAST_MOMENT = 2.0
"""Seconds that the end of the process waits for work that runs."""


class _Workers:
    """Threads that share a queue; a new one starts when none is idle."""

    def __init__(self) -> None:
        self.under_way: set[Future[Any]] = set()
        # Not gevent's: a thread may wait here for ever, which gevent takes for a deadlock.
        self._waiting = process.original("queue", "SimpleQueue")()
        self._lock = process.new_lock()
        self._free = 0  # idle threads, minus the work that waits for one
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
        # The system allows no more threads: those that exist will do the work.
        with suppress(RuntimeError):
            process.start_thread(self._work, name=f"gemini-embed-worker-{self._count}")
            self._count += 1
            self._free += 1

    def _work(self) -> None:
        while True:
            future, work = self._waiting.get()
            if future.set_running_or_notify_cancel():
                _do(future, work)
            del future, work  # an idle thread keeps nothing of them alive
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
    """Begin work on another thread, at once, and return a future to await.

    A deadline or a cancelled call does not wait for the thread.
    """
    return asyncio.wrap_future(begin(work, *args))


class Executor(ThreadPoolExecutor):
    """The same threads as the default executor of an event loop, which takes only this base class.

    So what asyncio or the SDK run on a thread delays nothing either. Python 3.12 and newer start no
    thread while the process ends, so a first one starts here.
    """

    def __init__(self) -> None:
        super().__init__()
        begin(int)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin work on another thread."""
        return _workers.begin(partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: others use the threads too."""


def _after_fork() -> None:
    global _workers  # noqa: PLW0603 - the parent's threads are not here
    process.leave_to_parent(_workers)
    _workers = _Workers()


def _finish() -> None:
    wait(_workers.under_way.copy(), timeout=_LAST_MOMENT)


process.after_fork(_after_fork)
atexit.register(_finish)  # runs after the I/O thread has stopped: the last registered goes first
