"""What befalls a process: it forks, and gevent may have put greenlets in the place of threads."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

T = TypeVar("T")

_LONGEST_IMPORT = 10.0
"""Seconds a fork waits for an import of the SDK to end."""

_inherited: list[object] = []
"""After a fork: what belongs to the parent. Kept for ever, since closing it here would
take the parent's sockets out of the epoll set that both processes share."""


def original(module: str, name: str) -> Any:
    """Return what a module of the standard library holds, or held before gevent replaced it."""
    if (monkey := sys.modules.get("gevent.monkey")) is not None:
        return monkey.get_original(module, name)
    return getattr(importlib.import_module(module), name)


def start_thread(work: Callable[[], None], *, name: str) -> None:
    """Do work on a daemon thread of the system's.

    A greenlet in its place would run an event loop on a thread of the caller's, or wait there.

    Raises:
        RuntimeError: The system starts no more. Python 3.12 and newer start none while the process
            ends.
    """

    def run() -> None:
        threading.current_thread().name = name
        work()

    original("_thread", "start_new_thread")(run, ())


def has_greenlets() -> bool:
    """Tell whether gevent has put greenlets in the place of threads."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")


def new_lock(*, again: bool = False) -> Any:
    """Return a lock of the system's, which its holder may take again or not.

    One of gevent's that threads share may hang them, and waiting for it starts other greenlets.
    """
    return original("_thread", "RLock" if again else "allocate_lock")()


def result_of(future: Future[T]) -> T:
    """Wait for another thread's future, as greenlets wait where gevent replaced threads."""
    if has_greenlets():
        _wait_with_gevent(future)
    return future.result()


def _wait_with_gevent(future: Future[Any]) -> None:
    """Let other greenlets go on meanwhile.

    What gevent puts in the place of locks takes for a deadlock that nobody else is there.
    """
    hub = importlib.import_module("gevent").get_hub()
    finished = hub.loop.async_()
    waiter = importlib.import_module("gevent.hub").Waiter(hub)
    finished.start(waiter.switch, None)
    future.add_done_callback(lambda _: finished.send())
    try:
        waiter.get()
    finally:
        future.cancel()  # who waits may be killed; after this nobody sends any more
        finished.close()


@contextmanager
def importing() -> Generator[None]:
    """Hold forks off while modules are imported: a child would wait for their locks for ever."""
    with _fork_lock:
        yield


def keep_from_child(*parents: object) -> None:
    """Keep, in a forked child, what belongs to the parent from being closed by the child."""
    _inherited.extend(parents)


def after_fork(hook: Callable[[], None]) -> None:
    """Call `hook` in every forked child, where the platform forks."""
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=hook)


def _before_fork() -> None:
    global _fork_held  # noqa: PLW0603 - one process, one lock
    _fork_held = _fork_lock.acquire(timeout=_LONGEST_IMPORT)


def _after_fork_in_parent() -> None:
    if _fork_held:
        _fork_lock.release()


def _after_fork() -> None:
    global _fork_lock  # noqa: PLW0603 - the parent may have held it
    _fork_lock = new_lock(again=True)


_fork_lock = new_lock(again=True)  # what is imported may fork
_fork_held = False

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
after_fork(_after_fork)
