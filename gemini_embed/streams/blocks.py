"""The blocks of a stream that are under way, in order, and what becomes of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from gemini_embed.background import loop
from gemini_embed.errors import GeminiEmbedError
from gemini_embed.media.given import held_bytes
from gemini_embed.results import StreamBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from typing import TypeAlias

    from numpy import float32
    from numpy.typing import NDArray

    from gemini_embed.background.loop import Begun
    from gemini_embed.media import Item
    from gemini_embed.results import EmbeddingResult

    Titles: TypeAlias = Sequence[str | None] | None
    Begin: TypeAlias = Callable[[Sequence[Any], Titles, int], Begun[EmbeddingResult]]
    _Vectors = dict[int, NDArray[float32]]

I = TypeVar("I", bound="Item")  # noqa: E741 - an item


class _UnderWay(NamedTuple, Generic[I]):
    """A block that was begun."""

    first: int
    items: list[I]
    begun: Begun[EmbeddingResult]


class Stream(Generic[I]):
    """The blocks that are under way.

    Args:
        begin: Begins to embed items, with their titles if there are any; the first of them has
            this place in the stream.
        stop: Lets what was begun send nothing more.
        size: Items in a block.
        most: Blocks that are under way at most.
        most_bytes: Of media that a block holds in memory: with so many it ends, however few items
            it has.
        has_titles: Whether items come with titles.
    """

    def __init__(
        self,
        begin: Begin,
        stop: Callable[[BaseException], Coroutine[Any, Any, None]],
        *,
        size: int,
        most: int,
        most_bytes: int,
        has_titles: bool,
    ) -> None:
        self._begin = begin
        self._stop = stop
        self._size = size
        self._most = most
        self._most_bytes = most_bytes
        self._items: list[I] = []
        self._titles: list[str | None] | None = [] if has_titles else None
        self._bytes = 0
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

    def add(self, item: I, title: str | None) -> bool:
        """Take the next item; tell whether a block was begun with it."""
        self._items.append(item)
        if self._titles is not None:
            self._titles.append(title)
        if not isinstance(item, str):
            self._bytes += held_bytes(item)
        is_whole = len(self._items) >= self._size or self._bytes >= self._most_bytes
        return is_whole and self.flush()

    def flush(self) -> bool:
        """Begin a block with what there is; tell whether there was anything."""
        if not self._items:
            return False
        items, self._items, self._bytes = self._items, [], 0
        titles, self._titles = self._titles, None if self._titles is None else []
        first, self._read = self._read, self._read + len(items)
        try:
            begun = self._begin(items, titles, first)
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
