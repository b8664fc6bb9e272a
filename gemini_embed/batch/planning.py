"""Plans a run: which texts the cache lacks, and which of those make one job. Sends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from gemini_embed.background.threads import in_thread
from gemini_embed.batch import spool
from gemini_embed.batch.jobs import Run, for_online, planned
from gemini_embed.batch.lines import row_of
from gemini_embed.batch.parts import parts_of
from gemini_embed.batch.places import KEY_BYTES
from gemini_embed.cache import cache_keys
from gemini_embed.cache.guard import UnguardedCache
from gemini_embed.cache.lookup import Lookup
from gemini_embed.contents import estimated
from gemini_embed.counting import counted
from gemini_embed.errors import BatchCancelledError, ConfigurationError, InvalidInputError
from gemini_embed.media.contents import by_kind, with_media
from gemini_embed.media.given import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from numpy.typing import NDArray

    from gemini_embed.ask import Ask
    from gemini_embed.batch.jobs import Job
    from gemini_embed.batch.ledger import Ledger
    from gemini_embed.batch.places import Places
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.contents import Content, Inputs
    from gemini_embed.inputs import BatchFallback
    from gemini_embed.results import Wanted

_BESIDE = 256
"""Bytes that a file needs for a vector beside its numbers, generously."""

_KEPT = 14 * 86_400.0
"""Seconds for which a run that is over stays in the ledger, from its beginning on."""

_AT_ONCE = 10_000
"""Contents of which all that is needed for a while is in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a run goes about it.

    Attributes:
        fallback: What becomes of rows that a job brings no vector for.
        settle: Seconds for which a job that may exist is looked for.
        most_tokens: Tokens enqueued at once, at most.
    """

    fallback: BatchFallback
    settle: float
    most_tokens: int


def settings(ask: Ask, wanted: Wanted, policy: CallPolicy) -> dict[str, Any]:
    """Return all that a run's vectors depend on but the texts, as JSON holds it."""
    return {
        "model": ask.model.name,
        "backend": ask.backend.name,
        "service": ask.service.name,
        "sent_model": ask.service.sent_model,
        "sent_dimension": ask.dimension,
        "dimension": wanted.dimension,
        "normalize": wanted.normalize,
        "normalize_means": wanted.normalize_means,
        "role": policy.role,
    }


def numbered(inputs: Inputs, ask: Ask) -> tuple[list[Content], dict[Content, int], bytes]:
    """Return the different contents of a call, the number of each, and their keys.

    Media of the same bytes are the same, also where one of them is a file.
    """
    number: dict[Content, int] = {}
    for content in inputs.contents:
        number.setdefault(content, len(number))
    contents = list(number)
    keys = keys_of(contents, inputs.suspects, ask)
    if not inputs.have_media:
        return contents, number, keys
    firsts: dict[bytes, Content] = {}
    places: dict[bytes, int] = {}
    for place, content in enumerate(contents):
        key = keys[place * KEY_BYTES : (place + 1) * KEY_BYTES]
        firsts.setdefault(key, content)
        number[content] = places.setdefault(key, len(places))
    return list(firsts.values()), number, b"".join(firsts)


def keys_of(contents: Sequence[Content], suspects: AbstractSet[Content], ask: Ask) -> bytes:
    """Return the keys in the cache of contents, one after another; few are in memory as text."""
    named = partial(
        cache_keys,
        model=ask.model.name,
        dimension=ask.dimension,
        service=ask.service.name,
        uncut=suspects,
    )
    slices = (contents[at : at + _AT_ONCE] for at in range(0, len(contents), _AT_ONCE))
    return b"".join(bytes.fromhex("".join(named(some))) for some in slices)


def id_of(places: Places, asked: dict[str, Any]) -> str:
    """Return the id of a run: the same for the same texts, in the same order, and settings."""
    hasher = blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=8)
    hasher.update(places.as_bytes())
    return hasher.hexdigest()


class Planner:
    """Begins the run of some texts, or finds the one there is.

    Args:
        cache: The cache, whose file has the ledger.
        ledger: The ledger.
        inputs: What is embedded.
        contents: Its different contents, in order.
        ask: What the service is asked for.
        asked: The same, as the ledger holds it: see `settings`.
        options: The embedder's options that it comes from.
        places: Where the vectors belong.
        used: How many numbers of each the caller gets.
        limits: How it goes about it.
        count: Counts tokens, in the place of the estimate.
    """

    def __init__(
        self,
        cache: SQLiteCache,
        ledger: Ledger,
        *,
        inputs: Inputs,
        contents: Sequence[Content],
        ask: Ask,
        asked: dict[str, Any],
        options: Mapping[str, Any],
        places: Places,
        used: int,
        limits: Limits,
        count: Callable[[str], int] | None,
    ) -> None:
        self._cache = cache
        self._ledger = ledger
        self._inputs = inputs
        self._contents = contents
        self._ask = ask
        self._asked = asked
        self._options = options
        self._places = places
        self._used = used
        self._limits = limits
        self._count = count

    async def begin(self, run: str, now: float) -> None:
        """Write the run down, unless it is there, with its spool.

        Raises:
            ConfigurationError: The cache may not hold its vectors.
            BatchCancelledError: It was cancelled, and is not over yet.
            OSError: The cache's file, or the spool, cannot be used.
        """
        await in_thread(self._ledger.forget_old, now - _KEPT)
        there = await in_thread(self._ledger.run, run)
        if there is not None and not there.is_done:
            if there.is_cancelled:
                raise BatchCancelledError(
                    f"batch run {run} was cancelled, and its jobs are not over: wait for them, "
                    "then submit it again",
                    run=run,
                )
            await in_thread(self._mend_spool, there)
            return
        unknown = await self._unknown()
        if there is not None:
            if not unknown:
                return
            await in_thread(self._ledger.forget, run)
        await in_thread(self._begin, run, unknown, now)

    def _mend_spool(self, run: Run) -> None:
        """Write the spool of a run that goes on again, where it is gone or not whole."""
        path = self._cache.path.with_name(run.spool)
        places = self._ledger.places(run.id)
        if not spool.is_whole(path, places.all_lines, run.kept):
            spool.delete(path)
            spool.write(path, self._rows(places.rows.tolist(), spool.Keeper(path)))

    async def _unknown(self) -> list[int]:
        """Return which contents the cache lacks; the others lie under their own keys then."""
        unknown: list[int] = []
        for first in range(0, len(self._contents), _AT_ONCE):
            unknown += [first + i for i in await self._unknown_among(first)]
        return unknown

    async def _unknown_among(self, first: int) -> list[int]:
        """Return the same of some contents, counted from the first of them."""
        contents = self._contents[first : first + _AT_ONCE]
        lookup = Lookup(
            UnguardedCache(self._cache),
            contents,
            self._ask,
            used=self._used,
            uncut=self._inputs.suspects,
            unkept=self._inputs.unkept,
            have_media=self._inputs.have_media,
        )
        unknown = dict.fromkeys(range(len(contents)))
        start = 0
        while not lookup.is_through:
            some, found, block = await lookup.find_next()
            if lookup.finds_elsewhere and found:
                await lookup.store([some[i] for i in found], block)
            for i in found:
                del unknown[start + i]
            start += len(some)
        return list(unknown)

    def _begin(self, run: str, unknown: Sequence[int], now: float) -> None:
        """Write the spool, and then the run with its jobs."""
        self._check_size(len(self._contents))
        suspects = self._inputs.suspects
        sent = [place for place in unknown if self._contents[place] not in suspects]
        alone = [place for place in unknown if self._contents[place] in suspects]
        # What lay at a URI at another time is no vector of this run.
        unkept = self._inputs.unkept
        stale = [place for place in unknown if unkept and self._contents[place] in unkept]
        self._cache.drop_many(list(map(self._places.key, stale)))
        path, is_new = spool.new_path(self._cache.path, run), False
        try:
            made, jobs, places = self._written(path, run, sent, alone, now)
            is_new = self._ledger.begin(made, jobs, places.as_bytes())
        finally:
            if not is_new:  # it came to nothing, or another process was first
                spool.delete(path)

    def _written(
        self, path: Path, run: str, sent: Sequence[int], alone: Sequence[int], now: float
    ) -> tuple[Run, list[Job], Places]:
        """Write the spool, and return what the ledger is to hold."""
        rows = [*sent, *alone]
        keeper = spool.Keeper(path)
        written = spool.write(path, self._rows(rows, keeper))
        offsets, seals = (np.array(some, np.uint64) for some in written)
        tokens = self._tokens(sent)
        sizes = np.diff(offsets[: len(sent) + 1]).astype(np.int64)
        parts = parts_of(tokens, sizes, most_tokens=self._limits.most_tokens)
        jobs: list[Job] = [
            planned(a, b, total, kinds=self._kinds(sent[a:b], total))
            for a, b in parts
            for total in (int(tokens[a:b].sum()),)
        ]
        if alone:
            jobs.append(for_online(len(sent), len(rows)))
        made = Run(
            id=run,
            created=now,
            asked=self._asked,
            options=self._options,
            spool=path.name,
            kept=keeper.digests,
            texts=self._inputs.texts,
            rows=len(rows),
            cached=len(self._contents) - len(rows),
            fallback=self._limits.fallback,
            settle=self._limits.settle,
            most_tokens=self._limits.most_tokens,
        )
        numbers = np.array(rows, np.uint32)
        places = replace(self._places, rows=numbers, offsets=offsets, seals=seals)
        return made, jobs, places

    def _check_size(self, vectors: int) -> None:
        """Refuse what would push its own vectors out of the cache."""
        needed, most = vectors * (4 * self._ask.dimension + _BESIDE), self._cache.max_bytes
        if needed > most:
            raise ConfigurationError(
                f"{vectors} vectors need about {needed / 2**20:.0f} MiB, and the cache may have "
                f"{most / 2**20:.0f}: give cache=SQLiteCache(path, max_bytes=...)"
            )

    def _rows(self, places: Sequence[int], keeper: spool.Keeper) -> Iterator[Iterable[bytes]]:
        dimension, backend = self._ask.output_dimensionality, self._ask.backend.name
        for place in places:
            content = self._contents[place]
            try:
                yield row_of(self._places.key(place), content, dimension, backend, keeper)
            except InvalidInputError as error:
                raise at(error, self._places.item_of(place)) from error.__cause__

    def _kinds(self, places: Sequence[int], tokens: int) -> dict[str, int]:
        """Return of what kind the tokens of some contents are, where some have media."""
        if not self._inputs.have_media:
            return {}
        return by_kind([self._contents[place] for place in places], tokens)

    def _tokens(self, places: Sequence[int]) -> NDArray[np.int64]:
        """Return how many tokens some contents have, by the caller's count or the estimate."""
        found = np.zeros(len(places), np.int64)
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            texts = [self._contents[place].read for place in some]
            tokens = estimated(texts) if self._count is None else counted(texts, self._count)
            contents = (self._contents[place] for place in some)
            found[start : start + len(some)] = list(map(with_media, contents, tokens))
        return found
