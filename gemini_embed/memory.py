"""One call's use of a cache: looked up before anything is planned, filled as each answer comes.

Runs on the I/O thread and lets worker threads wait for the cache. What a cache cannot do is
warned about, and never costs a vector.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import CancelledError, Future, wait
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from gemini_embed.cache import cache_keys
from gemini_embed.errors import ConfigurationError
from gemini_embed.notices import warn
from gemini_embed.threads import begin, in_thread
from gemini_embed.vectors import as_served, recalled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from gemini_embed.request import Request
    from gemini_embed.tasks import WireText

T = TypeVar("T")

_RECALLED_AT_ONCE = 1000
"""Texts looked up in one go, and again while these are put in place: some megabytes of vectors."""

_BRIEF = 0.005
"""Seconds that keeping an answer may hold everything else up."""


class Recalled(NamedTuple):
    """What is known of some requests.

    Attributes:
        wires: The requests.
        found: The places, among these, of those that are known.
        block: The vectors of those, as the service sends them.
    """

    wires: Sequence[WireText]
    found: list[int]
    block: NDArray[np.float32]


class Memory:
    """The vectors, as the service sends them, of one call's requests."""

    def __init__(self, request: Request, wires: Sequence[WireText]) -> None:
        assert request.cache is not None  # noqa: S101 - the caller looked
        self._cache = request.cache
        self._model = request.model
        self._service = request.service
        self._dimension = request.sent_dimension
        self._usable = True
        self._used = False
        self._quick = False  # the last time
        self._keys: dict[WireText, str] = {}  # hashed once
        self._pieces = deque(
            wires[start : start + _RECALLED_AT_ONCE]
            for start in range(0, len(wires), _RECALLED_AT_ONCE)
        )
        self._looked_up = _in_thread(self._recall, self._pieces[0])

    @property
    def is_through(self) -> bool:
        """Whether all requests were looked up."""
        return not self._pieces

    async def recall(self) -> Recalled:
        """Return which of the next requests are known; those after them are looked up meanwhile."""
        nothing: tuple[list[int], NDArray[np.float32]] = ([], np.empty((0, self._dimension), "f4"))
        found, block = await self._outcome(self._looked_up, nothing)
        piece = self._pieces.popleft()
        if self._pieces and self._usable:
            self._looked_up = _in_thread(self._recall, self._pieces[0])
        return Recalled(piece, found, block)

    def close(self) -> None:
        """Look nothing up any more."""
        self._looked_up.cancel()

    async def keep(self, wires: Sequence[WireText], block: NDArray[np.float32]) -> None:
        """Keep the vectors of an answer.

        The sender waits for it: were it killed, only what is under way would be paid for twice.
        """
        if self._usable:
            await self._outcome(self._kept(wires, block), None)

    async def _kept(self, wires: Sequence[WireText], block: NDArray[np.float32]) -> None:
        outcome: Future[None] = Future()
        outcome.set_running_or_notify_cancel()  # whoever waits may go, the work goes on

        def keep() -> None:
            began = time.perf_counter()
            try:
                _run(self._keep, wires, block)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                outcome.set_exception(error)
            else:
                outcome.set_result(None)
            self._quick = time.perf_counter() - began < _BRIEF

        begin(keep)
        if self._quick:
            # Two busy threads take the interpreter from each other: standing still is faster.
            wait([outcome], timeout=_BRIEF)
        if not outcome.done():
            await asyncio.wrap_future(outcome)
        outcome.result()

    def _keep(self, wires: Sequence[WireText], block: NDArray[np.float32]) -> None:
        keys = [self._keys[wire] for wire in wires]
        vectors = (vector.tobytes() for vector in block)
        self._cache.set_many(list(zip(keys, vectors, strict=True)))

    def _recall(self, wires: Sequence[WireText]) -> tuple[list[int], NDArray[np.float32]]:
        found, block = self._look_up(wires, self._dimension)
        native = self._model.dimension
        if not self._model.nested or self._dimension == native or len(found) == len(wires):
            return found, block
        # A smaller vector is the beginning of the full one.
        known = set(found)
        rest = [i for i in range(len(wires)) if i not in known]
        more, full = self._look_up([wires[i] for i in rest], native)
        shorter = as_served(full, self._dimension, model=self._model)
        return found + [rest[i] for i in more], np.concatenate([block, shorter])

    def _look_up(
        self, wires: Sequence[WireText], dimension: int
    ) -> tuple[list[int], NDArray[np.float32]]:
        keys = cache_keys(wires, model=self._model.name, dimension=dimension, service=self._service)
        if dimension == self._dimension:
            self._keys.update(zip(wires, keys, strict=True))
        return recalled(self._cache.get_many(keys), dimension=dimension)

    async def _outcome(self, work: Awaitable[T], otherwise: T) -> T:
        if not self._usable:
            return otherwise
        try:
            return await work
        except Exception as error:
            usable, self._usable = self._usable, False
            if isinstance(error, ConfigurationError) and not self._used:
                raise
            if usable:
                warn(
                    "the cache is not used for the rest of this call: "
                    f"{type(error).__name__}: {error}"
                )
            return otherwise
        finally:
            self._used = True


def _in_thread(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Begin work on another thread, at once. Unlike a task's, its exit is its caller's alone."""
    return in_thread(_run, work, *args)


def _run(work: Callable[..., T], *args: Any) -> T:
    """Do what a cache does. What asyncio has a meaning of its own for is an error as any other."""
    try:
        return work(*args)
    except (asyncio.CancelledError, CancelledError, StopIteration) as error:
        raise RuntimeError(f"{type(error).__name__} in the cache") from error
