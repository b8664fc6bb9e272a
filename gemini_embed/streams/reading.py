"""Reads a stream, in the caller's thread or in its event loop, and hands over its blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from itertools import repeat, zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

from gemini_embed.background import loop
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from gemini_embed.results import StreamBlock
    from gemini_embed.streams.blocks import I, Stream

    Titles: TypeAlias = Iterable[str | None] | None
    AnyTitles: TypeAlias = Iterable[str | None] | AsyncIterable[str | None] | None

_NONE: Any = object()
"""Where one of items and titles has ended."""


def blocks(items: Iterable[I], titles: Titles, stream: Stream[I]) -> Generator[StreamBlock[I]]:
    """Read in the caller's thread, and hand over what is finished before more is read."""
    failures: list[Exception] = []
    try:
        for item, title in _until_failure(_paired(items, titles), failures):
            stream.add(item, title)
            while stream.is_due:
                yield stream.take()
        stream.flush()
        while stream.is_open:
            yield stream.take()
    finally:
        stream.close()
    for failure in failures:
        raise failure


def _until_failure(
    pairs: Iterable[tuple[I, str | None]], failures: list[Exception]
) -> Generator[tuple[I, str | None]]:
    """Read items; what they raise is kept until those before it are handed over."""
    try:
        yield from pairs
    except Exception as error:  # noqa: BLE001 - whatever the caller's source raises
        failures.append(error)


async def ablocks(
    items: Iterable[I] | AsyncIterable[I], titles: AnyTitles, stream: Stream[I]
) -> AsyncGenerator[StreamBlock[I]]:
    """Read in a task of the caller's loop, which goes on while the consumer is busy."""
    loop.check_can_await()
    changed = asyncio.Event()
    reader = asyncio.create_task(_read(items, titles, stream, changed))
    reader.add_done_callback(lambda _: changed.set())
    try:
        while True:
            while not (stream.is_open or reader.done()):
                changed.clear()
                await changed.wait()
            if not stream.is_open:
                break
            block = await stream.atake()
            changed.set()
            yield block
        await reader  # raises what the source raised
    finally:
        stream.close()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(
    items: Iterable[I] | AsyncIterable[I],
    titles: AnyTitles,
    stream: Stream[I],
    changed: asyncio.Event,
) -> None:
    try:
        async for item, title in _apaired(items, titles):
            if stream.add(item, title):
                changed.set()
            while stream.is_full:
                changed.clear()
                await changed.wait()
    except Exception:
        stream.flush()  # what was read before is handed over first
        raise
    stream.flush()


def _paired(items: Iterable[I], titles: Titles) -> Iterable[tuple[I, str | None]]:
    return zip(items, repeat(None)) if titles is None else _titled(items, titles)


def _titled(items: Iterable[I], titles: Iterable[str | None]) -> Generator[tuple[I, str | None]]:
    """Read items and their titles, one of each at a time."""
    pairs = zip_longest(items, titles, fillvalue=_NONE)
    for place, (item, title) in enumerate(pairs):
        _check_pair(place, item, title)
        yield item, title


async def _apaired(
    items: Iterable[I] | AsyncIterable[I], titles: AnyTitles
) -> AsyncGenerator[tuple[I, str | None]]:
    """Do the same, for async iterables too."""
    if titles is None:
        async for item in _each(items):
            yield item, None
        return
    left, right, place = _each(items), _each(titles), 0
    while True:
        item, title = await anext(left, _NONE), await anext(right, _NONE)
        if item is title:
            return
        _check_pair(place, item, title)
        yield item, title
        place += 1


def _check_pair(place: int, item: object, title: object) -> None:
    """Refuse titles that are fewer than the items, or more.

    Raises:
        ConfigurationError: One of the two has ended.
    """
    if item is _NONE or title is _NONE:
        which, other = ("items", "titles") if item is _NONE else ("titles", "items")
        raise ConfigurationError(
            f"titles must have one (or None) for each item: the {which} ended after {place}, and "
            f"there are more {other}"
        )


async def _each(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
