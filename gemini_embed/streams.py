"""Streams: embeds texts of any number, block by block, in memory that does not grow with them.

Each block is a call of its own, with places that count from the beginning of the stream. Several
are under way at once, as many as keep all senders busy, and they are handed over in order.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Required, TypedDict, TypeVar

from gemini_embed.background import loop, process
from gemini_embed.calls.together import Together
from gemini_embed.connected import load
from gemini_embed.errors import ConfigurationError, GeminiEmbedError
from gemini_embed.options.checks import whole
from gemini_embed.results import StreamBlock

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Coroutine,
        Generator,
        Iterator,
        Sequence,
    )
    from typing import Unpack

    from numpy import float32
    from numpy.typing import NDArray

    from gemini_embed.background.loop import Begun
    from gemini_embed.calls.checked import Checked
    from gemini_embed.results import EmbeddingResult
    from gemini_embed.tasks import Role

    _Begin = Callable[[Sequence[Any], int], Begun[EmbeddingResult]]
    _Vectors = dict[int, NDArray[float32]]

I = TypeVar("I", bound=str)  # noqa: E741 - an item

_SIZE = 1000
"""Texts in a block: ten full requests."""

_AHEAD = 2
"""Requests for each sender in the blocks after the first: they are sent while the last ones of the
first are answered."""


class StreamOptions(TypedDict, total=False):
    """The options of a stream: `GeminiEmbedder.embed_stream` says what each means."""

    role: Required[Role]
    task_type: str | None
    output_dimensionality: int | None
    batch_size: int | None
    rate_limiter: Callable[[], Awaitable[None]] | None


class _UnderWay(NamedTuple, Generic[I]):
    """A block that was begun."""

    first: int
    items: list[I]
    begun: Begun[EmbeddingResult]


class _Stream(Generic[I]):
    """The blocks that are under way.

    Args:
        begin: Begins to embed items, the first of which has this place in the stream.
        stop: Lets what was begun send nothing more.
        size: Items in a block.
        most: Blocks that are under way at most.
    """

    def __init__(
        self,
        begin: _Begin,
        stop: Callable[[BaseException], Coroutine[Any, Any, None]],
        *,
        size: int,
        most: int,
    ) -> None:
        self._begin = begin
        self._stop = stop
        self._size = size
        self._most = most
        self._items: list[I] = []
        self._read = 0  # items in blocks that were begun
        self._under_way: deque[_UnderWay[I]] = deque()
        self._is_broken = False

    @property
    def is_open(self) -> bool:
        """Whether a block is under way."""
        return bool(self._under_way)

    @property
    def is_full(self) -> bool:
        """Whether no more is begun before the first block is handed over."""
        return len(self._under_way) >= self._most or self._is_broken

    @property
    def is_due(self) -> bool:
        """Whether the first block is handed over before more is read."""
        return self.is_open and (self.is_full or self._under_way[0].begun.is_over)

    def add(self, item: I) -> bool:
        """Take the next item; tell whether a block was begun with it."""
        self._items.append(item)
        return len(self._items) >= self._size and self.flush()

    def flush(self) -> bool:
        """Begin a block with what there is; tell whether there was anything."""
        if not self._items:
            return False
        items, self._items = self._items, []
        first, self._read = self._read, self._read + len(items)
        try:
            begun = self._begin(items, first)
        except GeminiEmbedError as error:  # raised when it is its turn
            begun = loop.begin(_fail, error)
            self._is_broken = True
        self._under_way.append(_UnderWay(first, items, begun))
        return True

    def take(self) -> StreamBlock[I]:
        """Wait for the first block, and hand it over.

        Raises:
            GeminiEmbedError: In `partial` is all that was finished and not handed over.
        """
        try:
            return self._finished(self._under_way[0].begun.result())
        except GeminiEmbedError as error:
            loop.run(self._stop, error)
            partial: _Vectors = {}
            for later in self._later():
                partial |= _kept(later)
            raise self._whole(error, partial) from error.__cause__

    async def atake(self) -> StreamBlock[I]:
        """Await the first block; the async twin of `take`."""
        try:
            return self._finished(await self._under_way[0].begun.aresult())
        except GeminiEmbedError as error:
            await loop.arun(self._stop, error)
            partial: _Vectors = {}
            for later in self._later():
                partial |= await _akept(later)
            raise self._whole(error, partial) from error.__cause__

    def close(self) -> None:
        """End what is under way: the last first, or it would take the turn of one that ended."""
        for block in reversed(self._under_way):
            block.begun.cancel()

    def _finished(self, result: EmbeddingResult) -> StreamBlock[I]:
        block = self._under_way.popleft()
        return StreamBlock(block.first, block.items, result.vectors, result.usage)

    def _later(self) -> Iterator[_UnderWay[I]]:
        blocks = iter(self._under_way)
        next(blocks)
        return blocks

    def _whole(self, error: GeminiEmbedError, partial: _Vectors) -> GeminiEmbedError:
        """Return the error of the first block as one of the stream."""
        return error.with_context(
            partial=error.partial | partial,
            total=self._read,
            handed_over=self._under_way[0].first,
        )


async def _fail(error: GeminiEmbedError) -> EmbeddingResult:
    raise error


def _kept(block: _UnderWay[Any]) -> _Vectors:
    """Return what was finished of a block, by its place in the stream."""
    try:
        return dict(enumerate(block.begun.result().vectors, block.first))
    except GeminiEmbedError as error:
        return error.partial


async def _akept(block: _UnderWay[Any]) -> _Vectors:
    try:
        return dict(enumerate((await block.begun.aresult()).vectors, block.first))
    except GeminiEmbedError as error:
        return error.partial


def _blocks(items: Iterable[I], stream: _Stream[I]) -> Generator[StreamBlock[I]]:
    """Read in the caller's thread, and hand over what is finished before more is read."""
    failures: list[Exception] = []
    try:
        for item in _until_failure(items, failures):
            stream.add(item)
            while stream.is_due:
                yield stream.take()
        stream.flush()
        while stream.is_open:
            yield stream.take()
    finally:
        stream.close()
    for failure in failures:
        raise failure


def _until_failure(items: Iterable[I], failures: list[Exception]) -> Generator[I]:
    """Read items; what they raise is kept until those before it are handed over."""
    try:
        yield from items
    except Exception as error:  # noqa: BLE001 - whatever the caller's source raises
        failures.append(error)


async def _ablocks(
    items: Iterable[I] | AsyncIterable[I], stream: _Stream[I]
) -> AsyncGenerator[StreamBlock[I]]:
    """Read in a task of the caller's loop, which goes on while the consumer is busy."""
    loop.check_can_await()
    changed = asyncio.Event()
    reader = asyncio.create_task(_read(items, stream, changed))
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
    items: Iterable[I] | AsyncIterable[I], stream: _Stream[I], changed: asyncio.Event
) -> None:
    try:
        async for item in _each(items):
            if stream.add(item):
                changed.set()
            while stream.is_full:
                changed.clear()
                await changed.wait()
    except Exception:
        stream.flush()  # what was read before is handed over first
        raise
    stream.flush()


async def _each(items: Iterable[I] | AsyncIterable[I]) -> AsyncGenerator[I]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Streaming:
    """`embed_stream` and `aembed_stream`, for an embedder."""

    max_concurrency: int

    if TYPE_CHECKING:  # what the embedder has beside

        def _checked(self, *texts: Any, **options: Any) -> Checked: ...

        async def _arun(self, call: Checked) -> Any: ...

    def embed_stream(
        self,
        texts: Iterable[I],
        *,
        role: Role,
        size: int = _SIZE,
        task_type: str | None = None,
        output_dimensionality: int | None = None,
        batch_size: int | None = None,
        rate_limiter: Callable[[], Awaitable[None]] | None = None,
    ) -> Generator[StreamBlock[I]]:
        """Embed texts of any number, block by block: what is in memory does not grow with them.

        Texts are read as they are needed, in the thread that asks for blocks. Blocks are handed
        over in order, as they are finished. Some are under way ahead of the consumer, so that as
        many requests as `max_concurrency` allows are; when that many blocks wait for the consumer,
        nothing more is read or sent. Each block is a call like one of `embed`: equal texts of a
        block are sent once, and `deadline` is for a block. Titles go with `embed` only.

        To close the generator ends what is under way. With a cache, a second run goes on where the
        first one ended.

        Args:
            texts: Any iterable.
            role: Whether they are `"query"` or `"document"`.
            size: Texts in a block; the last may have fewer. A request has texts of one block.
            task_type: As for `embed`, and so are the following.
            output_dimensionality: Numbers in each vector.
            batch_size: Texts in a request.
            rate_limiter: Awaited before each request, repeated ones included.

        Returns:
            A generator of blocks.

        Raises:
            ConfigurationError: An option that cannot work; at once.
            GeminiEmbedError: While blocks are asked for: as `embed` raises it, when the blocks
                before are handed over. Positions count from the beginning of the stream; `partial`
                has what was finished and not handed over, and `handed_over` says what was.
        """
        _check_iterable(texts, Iterable)
        loop.check_can_wait()
        stream: _Stream[I] = self._stream(
            size,
            role=role,
            task_type=task_type,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            rate_limiter=rate_limiter,
        )
        return _blocks(texts, stream)

    def aembed_stream(
        self,
        texts: Iterable[I] | AsyncIterable[I],
        *,
        size: int = _SIZE,
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[StreamBlock[I]]:
        """Embed texts of any number, block by block; the async twin of `embed_stream`.

        It takes async iterables, too, and reads in a task of the caller's event loop.
        """
        _check_iterable(texts, Iterable | AsyncIterable)
        stream: _Stream[I] = self._stream(size, **options)
        return _ablocks(texts, stream)

    def _stream(self, size: int, **options: Unpack[StreamOptions]) -> _Stream[Any]:
        size = whole(1)("size", size)
        policy = self._checked([], **options).policy  # refuses now what cannot work
        if policy.batch:
            raise ConfigurationError(
                "a stream cannot go through the Batch API, whose jobs take hours: use "
                "`embedder.batch(...)`, or batch_documents=False"
            )
        together = Together(self.max_concurrency)

        def begin(texts: Sequence[Any], first: int) -> Begun[EmbeddingResult]:
            if process.has_greenlets():
                load()  # as `embed` does, and for its reason
            call = self._checked(texts, **options, first=first)
            policy = replace(call.policy, together=together)
            return loop.begin(self._arun, call._replace(policy=policy))

        requests = math.ceil(size / policy.batch_size)
        most = 1 + math.ceil(_AHEAD * self.max_concurrency / requests)
        return _Stream(begin, together.stop, size=size, most=most)


def _check_iterable(texts: object, kind: Any) -> None:
    if isinstance(texts, str | bytes | bytearray) or not isinstance(texts, kind):
        raise ConfigurationError(
            f"texts must be an iterable of strings, not {type(texts).__name__}: for one text "
            "write [text]"
        )
