"""One call's use of a cache: looked up before anything is planned, filled as each answer comes.

Runs on the I/O thread and lets worker threads wait for the cache. What a cache cannot do is
warned about, and never costs a vector.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemini_embed.background.threads import begin, in_thread
from gemini_embed.cache import cache_keys
from gemini_embed.cache.guard import CacheFailure
from gemini_embed.cache.values import Opened, opened, sealed
from gemini_embed.vectors import as_served

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.contents import Content, Inputs

_LOOKED_UP_AT_ONCE = 1000
"""Texts looked up in one go, and again while these are put in place: some megabytes of vectors."""

_FILES_AT_ONCE = 16
"""The same where files are read: the first are sent while the next are hashed."""

_BRIEF = 0.005
"""Seconds for which the I/O loop may stand still while an answer is stored."""


class Found(NamedTuple):
    """What is known of some contents.

    Attributes:
        contents: The contents.
        found: The places, among these, of those that are known.
        block: The vectors of those, as the service sends them.
    """

    contents: Sequence[Content]
    found: list[int]
    block: NDArray[np.float32]


class _Name(NamedTuple):
    """The part of a key that all contents of a call share."""

    model: str
    service: str | None
    is_former: bool
    dimension: int


class Lookup:
    """The vectors, as the service sends them, of one call's contents."""

    def __init__(
        self,
        cache: GuardedCache,
        contents: Sequence[Content],
        ask: Ask,
        *,
        used: int,
        uncut: AbstractSet[Content] = frozenset(),
        unkept: AbstractSet[Content] = frozenset(),
        have_media: bool = False,
    ) -> None:
        """Begin to look things up.

        Args:
            cache: Where.
            contents: What.
            ask: What the service is asked for.
            used: How many numbers of each vector the caller gets.
            uncut: Those for which a vector will not do that may be of a part of them.
            unkept: Those that are neither looked up nor stored.
            have_media: Whether any has media, whose files are read for their hashes.
        """
        self._cache = cache
        self._model = ask.model
        self._names = _names_of(ask)
        self._dimension = ask.dimension
        self._used = used
        self._uncut = uncut
        self._unkept = unkept
        self._readable = self._writable = True
        self._quick = False  # the last time
        self._storing = 0
        self._damaged = 0
        self._keys: dict[Content, str] = {}  # hashed once
        at_once = _FILES_AT_ONCE if have_media else _LOOKED_UP_AT_ONCE
        self._pieces = deque(
            contents[start : start + at_once] for start in range(0, len(contents), at_once)
        )
        self._looked_up = in_thread(self._find, self._pieces[0])

    def __len__(self) -> int:
        """Return how many contents are still to be looked up."""
        return sum(map(len, self._pieces))

    @property
    def is_through(self) -> bool:
        """Whether all contents were looked up."""
        return not self._pieces

    @property
    def finds_elsewhere(self) -> bool:
        """Whether a vector may lie under another key than its own: of a longer one, or of old."""
        return len(self._names) > 1

    async def find_next(self) -> Found:
        """Return which of the next contents are known; those after them are looked up meanwhile."""
        piece, found, block = self._pieces[0], list[int](), np.empty((0, self._dimension), "f4")
        if self._readable:
            try:
                found, block = await self._looked_up
            except CacheFailure:
                self._readable = self._writable = False
        self._pieces.popleft()
        if self._pieces and self._readable:
            self._looked_up = in_thread(self._find, self._pieces[0])
        elif self._damaged:
            self._cache.tell_damaged(self._damaged)
        return Found(piece, found, block)

    def tell_late(self) -> None:
        """Tell what the cache has not done, when the call can wait no longer."""
        if self._pieces or self._storing:
            self._cache.tell_late(reading=bool(self._pieces))

    def close(self) -> None:
        """Look nothing up any more."""
        self._looked_up.cancel()

    async def store(self, contents: Sequence[Content], block: NDArray[np.float32]) -> None:
        """Store the vectors of an answer.

        The sender waits for it: were it killed, only what is under way would be paid for twice.
        """
        if self._writable:
            self._storing += 1
            try:
                await self._store_in_thread(contents, block)
            except CacheFailure:
                self._writable = False
            self._storing -= 1  # not where the call ends meanwhile: see `tell_late`

    async def _store_in_thread(
        self, contents: Sequence[Content], block: NDArray[np.float32]
    ) -> None:
        outcome: Future[None] = Future()
        outcome.set_running_or_notify_cancel()  # whoever waits may go, the work goes on

        def store() -> None:
            began = time.perf_counter()
            try:
                self._store(contents, block)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                outcome.set_exception(error)
            else:
                outcome.set_result(None)
            self._quick = time.perf_counter() - began < _BRIEF

        begin(store)
        if self._quick:
            # Blocks the I/O loop on purpose: while two threads compete for the interpreter (the
            # GIL), both are slow. `make bench` measures it, section Cache, filling.
            wait([outcome], timeout=_BRIEF)
        if not outcome.done():
            await asyncio.wrap_future(outcome)
        outcome.result()

    def _store(self, contents: Sequence[Content], block: NDArray[np.float32]) -> None:
        if self._unkept:
            rows = [row for row, one in enumerate(contents) if one not in self._unkept]
            contents, block = [contents[row] for row in rows], block[rows]
        keys = [self._keys[content] for content in contents]
        self._cache.set_many(list(zip(keys, sealed(keys, block), strict=True)))

    def _find(self, contents: Sequence[Content]) -> tuple[list[int], NDArray[np.float32]]:
        found: list[int] = []
        damaged: set[int] = set()
        blocks: list[NDArray[np.float32]] = []
        unkept: list[int] = []
        if self._unkept:
            unkept = [i for i, one in enumerate(contents) if one in self._unkept]
        for name in self._names:
            known = {*found, *unkept}
            rest = [i for i in range(len(contents)) if i not in known]
            if not rest:
                break
            asked = [contents[i] for i in rest]
            more, block, spoilt = self._look_up(asked, name)
            if self._used < name.dimension:  # zeros only have no direction
                of_use = np.flatnonzero(block[:, : self._used].any(axis=1)).tolist()
                more, block = [more[i] for i in of_use], block[of_use]
            if name.dimension != self._dimension:
                block = as_served(block, self._dimension, model=self._model)
            if name.is_former and more:
                self._store_anew([asked[i] for i in more], block)
            found += [rest[i] for i in more]
            damaged |= {rest[i] for i in spoilt}
            blocks.append(block)
        self._damaged += len(damaged.difference(found))
        if not blocks:
            return [], np.empty((0, self._dimension), "f4")
        return found, blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _look_up(self, contents: Sequence[Content], name: _Name) -> Opened:
        keys = cache_keys(
            contents,
            model=name.model,
            dimension=name.dimension,
            service=name.service,
            uncut=self._uncut,
        )
        if name == self._names[0]:
            self._keys.update(zip(contents, keys, strict=True))
        return opened(keys, self._cache.get_many(keys), dimension=name.dimension)

    def _store_anew(self, contents: Sequence[Content], block: NDArray[np.float32]) -> None:
        """Store under today's key what lies under one of an earlier release."""
        try:
            self._store(contents, block)
        except CacheFailure:
            self._writable = False


def lookup_of(
    inputs: Inputs, cache: GuardedCache | None, contents: Iterable[Content], ask: Ask, used: int
) -> Lookup | None:
    """Begin to look up a call's contents, of whose vectors so many numbers are used.

    None where there is no cache.
    """
    if cache is None:
        return None
    return Lookup(
        cache,
        list(contents),
        ask,
        used=used,
        uncut=inputs.suspects,
        unkept=inputs.unkept,
        have_media=inputs.have_media,
    )


def _names_of(ask: Ask) -> list[_Name]:
    """Return under which names a vector may lie, those of today first."""
    pairs = [(ask.model.name, ask.service.name, False)]
    pairs += [(*former, True) for former in ask.service.former]
    dimensions = [ask.dimension]
    if ask.model.nested and ask.dimension != ask.model.dimension:
        dimensions.append(ask.model.dimension)  # a smaller vector is the beginning of it
    return [_Name(*pair, dimension) for pair in pairs for dimension in dimensions]
