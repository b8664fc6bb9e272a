"""The one I/O thread of the process, and the bridge to it.

All requests are awaited on one daemon thread with an event loop of its own. So a sync caller
has the concurrency of an async one, a sync call works where a loop is already running, and
one client serves callers on any thread or loop. The thread starts on first use, and anew
after a fork, since threads do not survive one. It stops when the process ends: in an `atexit`
hook, so that hooks registered after gemini-embed was imported still find it at work.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from gemini_embed.background import process, threads
from gemini_embed.errors import ConfigurationError, GeminiEmbedError
from gemini_embed.notices import Notices, told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")

NAME = "gemini-embed-io"
"""The name of the thread."""

_MOMENT = 1e-6
"""Seconds: not zero, which would not be long enough for another thread to wake up."""

_LAST_MOMENT = 1.0
"""Seconds that tasks get to stop when the process ends, and then connections to close."""

now = partial(time.monotonic)
"""A clock in seconds that goes on where a user's test freezes time: freezegun replaces
`time.monotonic` in every module that holds it, so also the clock of event loops."""

_lock = process.new_lock(again=True)  # a `__del__` may ask for it while it is held
_thread: _IOThread | None = None
_over = False
_closers: list[Callable[[], Awaitable[None]]] = []


class _IOThread:
    def __init__(self) -> None:
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self._starting, self._running = _held_lock(), _held_lock()
        process.start_thread(self._run, name=NAME)

    def _run(self) -> None:
        try:
            self._loop = asyncio.new_event_loop()
            with contextlib.suppress(AttributeError):  # uvloop has a clock of its own
                self._loop.time = now  # type: ignore[method-assign] # there is no other way
            self._loop.set_default_executor(threads.Executor())
        except BaseException as error:  # noqa: BLE001 - raised where the loop is asked for
            self._failure = error
        finally:
            self._starting.release()
        try:
            if self._failure is None:
                self._drive(self._loop)
        finally:
            self._running.release()

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(BaseException):  # of a callback; `_wind_up` ends all tasks
            loop.run_until_complete(self._stopped.wait())
        loop.run_until_complete(_wind_up())
        loop.close()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, as soon as there is one."""
        with self._starting:
            if self._failure is not None:
                raise _unstartable(self._failure) from self._failure
            return self._loop

    def is_alive(self) -> bool:
        return bool(self._running.locked())

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has stopped
            self.loop.call_soon_threadsafe(self._stopped.set)
        self._running.acquire(timeout=3 * _LAST_MOMENT)


def _held_lock() -> Any:
    """Return a lock of the system's, held: waiting for one must not start another greenlet."""
    lock = process.new_lock()
    lock.acquire()
    return lock


def _unstartable(error: BaseException) -> GeminiEmbedError:
    return GeminiEmbedError(f"the I/O thread cannot start: {type(error).__name__}: {error}")


async def _wind_up() -> None:
    """End what is under way, then close what is open."""
    await _end_tasks()
    for close in _closers:
        with contextlib.suppress(Exception):  # the process ends; there is nobody to tell
            await asyncio.wait_for(close(), _LAST_MOMENT)
    await _end_tasks()  # older SDKs begin one when a client that nobody holds any more goes
    await asyncio.get_running_loop().shutdown_asyncgens()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_LAST_MOMENT)


def before_stop(close: Callable[[], Awaitable[None]]) -> None:
    """Register what closes connections on the I/O thread before it stops."""
    _closers.append(close)


def has_ended() -> bool:
    """Tell whether the process is ending, and the I/O thread has stopped for good."""
    return _over or sys.is_finalizing()


def _check_going_on() -> None:
    if has_ended():
        raise GeminiEmbedError("the process is ending; nothing can be embedded any more")


def io_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the I/O thread; start the thread if it does not run.

    Raises:
        GeminiEmbedError: The process is ending, or the system has no thread or no file left.
    """
    global _thread  # noqa: PLW0603 - one thread per process is the point of this module
    with _lock:
        _check_going_on()
        if _thread is None or not _thread.is_alive():
            try:
                _thread = _IOThread()
            except RuntimeError as error:
                raise _unstartable(error) from error
        thread = _thread
    return thread.loop


def is_io_thread() -> bool:
    """Tell whether the caller is on the I/O thread."""
    return _running_loop() is io_loop()


class Begun(Generic[T]):
    """What runs on the I/O thread, for whoever waits for its outcome."""

    def __init__(self, future: Future[Callable[[], T]], notices: Notices) -> None:
        self._future = future
        self._notices = notices

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._future.done()

    def cancel(self) -> None:
        """End it, if it has not ended; do not wait for that."""
        self._future.cancel()

    def result(self) -> T:
        """Wait for it; return its value, or raise its error. What it warned of is issued here.

        Who is interrupted meanwhile may cancel it, or wait again.
        """
        with told(self._notices):
            return process.result_of(self._future)()

    async def aresult(self) -> T:
        """Await it; the async twin of `result`, for any loop of asyncio."""
        with told(self._notices):
            outcome = await asyncio.shield(asyncio.wrap_future(self._future))
            return outcome()


def begin(function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> Begun[T]:
    """Begin to run a coroutine function on the I/O thread, and do not wait for it.

    It sees the caller's context variables.
    """
    notices, loop = Notices(), io_loop()
    with _lock:  # the I/O thread cannot stop meanwhile, and leave the coroutine behind
        _check_going_on()
        outcome = _outcome(function, args, notices)
        return Begun(asyncio.run_coroutine_threadsafe(outcome, loop), notices)


def run(function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run a coroutine function on the I/O thread and wait for it.

    Ctrl-C in the waiting thread cancels the coroutine. It sees the caller's context variables.
    """
    check_can_wait()
    begun = begin(function, *args)
    try:
        return begun.result()
    except GeminiEmbedError as error:  # without the frames between, which tell the caller nothing
        raise error.with_traceback(None) from error.__cause__
    except BaseException:
        begun.cancel()
        raise


def check_can_wait() -> None:
    """Refuse to wait on the I/O thread for what runs there."""
    if is_io_thread():
        raise RuntimeError(
            "a sync call from gemini-embed's own I/O thread would wait for itself; "
            "use the async method"
        )


async def arun(function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run a coroutine function on the I/O thread and await it from any loop of asyncio.

    Cancelling the task that awaits it cancels the coroutine.

    Raises:
        ConfigurationError: No event loop of asyncio runs here.
    """
    check_can_await()
    if is_io_thread():
        return await function(*args)
    begun = begin(function, *args)
    try:
        return await begun.aresult()
    except BaseException:
        begun.cancel()
        raise


def check_can_await() -> None:
    """Refuse to await anything where no event loop of asyncio runs.

    Raises:
        ConfigurationError: None runs here.
    """
    if _running_loop() is None:
        raise ConfigurationError(
            "async methods need an event loop of asyncio, and none runs here; trio runs the sync "
            "method on a thread: await trio.to_thread.run_sync(...)"
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _outcome(
    function: Callable[..., Coroutine[Any, Any, T]], args: tuple[Any, ...], notices: Notices
) -> Callable[[], T]:
    """Return what gives the caller's thread the value, or raises the error there.

    So `sys.exit()` in a hook ends the caller's thread, and not the I/O thread. Our errors lose the
    frames of the I/O thread, which tell the caller nothing. When the process ends, only daemon
    threads still wait, and they end as daemon threads do: silently.
    """
    notices.collect_here()
    try:
        value = await function(*args)
    except (SystemExit, KeyboardInterrupt) as error:
        return _leaving(error)
    except GeminiEmbedError as error:
        return _leaving(error.with_traceback(None))
    except asyncio.CancelledError:
        if _over:
            return _leaving(SystemExit())
        raise
    return lambda: value


def _leaving(error: BaseException) -> Callable[[], NoReturn]:
    def leave() -> NoReturn:
        nonlocal error
        try:
            raise error
        finally:
            del error  # or it would hold itself, by its traceback

    return leave


def give_way() -> None:
    """Give the interpreter (the GIL) to a thread that waits for it: the caller's loop may be one.

    Without this a waiting thread gets it after five milliseconds (`sys.getswitchinterval`). A
    thread that is always busy then keeps it for as long, so call this only after some milliseconds
    of work. `make bench` measures what it is for, section Stalls of the caller's event loop.
    """
    time.sleep(_MOMENT)


def _stop() -> None:
    global _over
    with _lock:
        _over, thread = True, _thread
    if thread is not None and thread.is_alive():
        thread.stop()


def _after_fork() -> None:
    global _lock, _thread, _over  # noqa: PLW0603 - see above; the parent may have held the lock
    process.leave_to_parent(_thread)
    _lock = process.new_lock(again=True)
    _thread, _over = None, False


process.after_fork(_after_fork)
atexit.register(_stop)
