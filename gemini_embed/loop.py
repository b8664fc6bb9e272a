"""The one I/O thread of the process, and the bridge to it.

All requests are awaited on one daemon thread with an event loop of its own. So a sync caller
has the concurrency of an async one, a sync call works where a loop is already running, and
one client serves callers on any thread or loop. The thread starts on first use, and anew
after a fork, since threads do not survive one.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from gemini_embed.notices import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from gemini_embed.notices import Notices

T = TypeVar("T")

_LONGEST_IMPORT = 10.0
"""Seconds a fork waits for an import of the SDK to end."""

_MOMENT = 1e-6
"""Seconds: not zero, which would not be long enough for another thread to wake up."""

_lock = threading.Lock()
_fork_lock = threading.Lock()
_fork_held = False
_thread: _IOThread | None = None
_inherited: list[object] = []
"""After a fork: what belongs to the parent. Kept for ever, since closing it here would
take the parent's sockets out of the epoll set that both processes share."""


class _IOThread(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="gemini-embed-io", daemon=True)
        self._stopped = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self.loop = runner.get_loop()
                self._ready.set()
                runner.run(self._stopped.wait())
        except BaseException as error:  # noqa: BLE001 - raised where the thread was asked for
            self._failure = error
        finally:
            self._ready.set()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stopped.set)
        self.join(timeout=1)


def io_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the I/O thread, started if need be."""
    global _thread  # noqa: PLW0603 - one thread per process is the point of this module
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = _IOThread()
        return _thread.loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the I/O thread and wait for it.

    An interrupt of the waiting thread (Ctrl-C) cancels it. Context variables of the caller
    are seen by the coroutine.
    """
    loop = io_loop()
    if threading.current_thread() is _thread:
        coroutine.close()
        raise RuntimeError(
            "a sync call from gemini-embed's own I/O thread would wait for itself; "
            "use the async method"
        )
    with carried() as notices:
        future = asyncio.run_coroutine_threadsafe(_outcome(coroutine, notices), loop)
        try:
            outcome = future.result()
        except BaseException:
            future.cancel()
            raise
    return outcome()


async def arun(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the I/O thread and await it from any event loop.

    Cancelling the awaiting task cancels it.
    """
    loop = io_loop()
    if asyncio.get_running_loop() is loop:
        return await coroutine
    with carried() as notices:
        future = asyncio.run_coroutine_threadsafe(_outcome(coroutine, notices), loop)
        outcome = await asyncio.wrap_future(future)
    return outcome()


async def _outcome(coroutine: Coroutine[Any, Any, T], notices: Notices) -> Callable[[], T]:
    """Return how it ended: an exit that a hook asks for is the caller's, not the I/O thread's."""
    notices.keep_here()
    try:
        value = await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        ended = error

        def leave() -> T:
            raise ended

        return leave
    return lambda: value


def give_way() -> None:
    """Let threads that wait for the interpreter go first: the caller's loop may be among them.

    By themselves they get it only five milliseconds after they asked. Where one of them is busy
    all the time, it has it for as long, so this is for after some milliseconds of work.
    """
    time.sleep(_MOMENT)


@contextmanager
def importing() -> Iterator[None]:
    """Hold forks off while modules are imported: a child would wait for their locks for ever."""
    with _fork_lock:
        yield


def keep_from_child(*parents: object) -> None:
    """Keep, in a forked child, what belongs to the parent from being closed by the child."""
    _inherited.extend(parents)


def _before_fork() -> None:
    global _fork_held  # noqa: PLW0603 - see above
    _fork_held = _fork_lock.acquire(timeout=_LONGEST_IMPORT)


def _after_fork_in_parent() -> None:
    if _fork_held:
        _fork_lock.release()


def _after_fork() -> None:
    global _lock, _fork_lock, _thread  # noqa: PLW0603 - see above; the parent may have held them
    keep_from_child(_thread)
    _lock, _fork_lock = threading.Lock(), threading.Lock()
    _thread = None


def _stop() -> None:
    if _thread is not None and _thread.is_alive():
        _thread.stop()


def after_fork(hook: Callable[[], None]) -> None:
    """Call `hook` in every forked child, where the platform forks."""
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=hook)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
after_fork(_after_fork)
atexit.register(_stop)
