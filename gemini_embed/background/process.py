"""Forks of the process, and gevent, which may have replaced threads by greenlets."""

from __future__ import annotations

import gc
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
"""The most seconds that a fork waits for an import of the SDK to end."""

_inherited: list[object] = []
"""In a forked child: what belongs to the parent. Kept for ever, since closing it here would
take the parent's sockets out of the epoll set that both processes share."""


def original(module: str, name: str) -> Any:
    """Return a name of a module of the standard library, as it was before gevent replaced it."""
    if (monkey := sys.modules.get("gevent.monkey")) is not None:
        return monkey.get_original(module, name)
    return getattr(importlib.import_module(module), name)


def start_thread(work: Callable[[], None], *, name: str) -> None:
    """Do work on a real daemon thread, under gevent too.

    A greenlet would run the event loop, or wait, on one of the caller's threads.
    Debuggers, profilers and coverage see into it, as they do into those of `threading`.

    Raises:
        RuntimeError: The system allows no more threads. Python 3.12 and newer start none while the
            process ends.
    """

    def run() -> None:
        if (trace := threading.gettrace()) is not None:
            sys.settrace(trace)
        if (profile := threading.getprofile()) is not None:
            sys.setprofile(profile)
        threading.current_thread().name = name
        work()

    original("_thread", "start_new_thread")(run, ())


def has_greenlets() -> bool:
    """Tell whether gevent has replaced threads by greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")


def new_lock(*, again: bool = False) -> Any:
    """Return a real lock, under gevent too; its holder may take it again if `again`.

    A lock of gevent's may hang threads that share it, and waiting for one starts other greenlets.
    """
    return original("_thread", "RLock" if again else "allocate_lock")()


def result_of(future: Future[T]) -> T:
    """Wait for another thread's future; under gevent other greenlets run meanwhile."""
    if has_greenlets():
        _wait_with_gevent(future)
    return future.result()


def _wait_with_gevent(future: Future[Any]) -> None:
    """Wait while other greenlets run.

    `future.result()` does not do under gevent: its locks report a deadlock if no greenlet is left.
    """
    hub = importlib.import_module("gevent").get_hub()
    finished = hub.loop.async_()
    waiter = importlib.import_module("gevent.hub").Waiter(hub)
    finished.start(waiter.switch, None)
    future.add_done_callback(lambda _: finished.send())
    try:
        waiter.get()
    finally:
        future.cancel()  # the waiting greenlet may be killed; from here on nobody sends
        finished.close()


@contextmanager
def importing() -> Generator[None]:
    """Delay forks, and the collection of garbage, while modules are imported.

    A forked child would wait for the locks of imports for ever. And the SDK makes thousands of
    classes: to look for garbage among them takes a twentieth of the time to a first vector
    (`make bench`, section First call).
    """
    global _collects_later  # noqa: PLW0603 - one process, one collector
    with _fork_lock:
        if not gc.isenabled():
            yield
            return
        _collects_later = True
        gc.disable()
        try:
            yield
        finally:
            _collect_again()


def leave_to_parent(*parents: object) -> None:
    """Keep alive, in a forked child, what belongs to the parent, so that nothing closes it."""
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
    _collect_again()


def _collect_again() -> None:
    global _collects_later  # noqa: PLW0603 - likewise
    if _collects_later:
        _collects_later = False
        gc.enable()


_fork_lock = new_lock(again=True)  # an imported module may fork
_fork_held = False
_collects_later = False

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
after_fork(_after_fork)
