"""Streams: embeds items of any number, block by block, in memory that does not grow with them.

Each block is a call of its own, with places that count from the beginning of the stream. Several
are under way at once, as many as keep all senders busy, and they are handed over in order.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Required, TypedDict

from gemini_embed.background import loop, process
from gemini_embed.calls.together import Together
from gemini_embed.connected import load
from gemini_embed.errors import ConfigurationError
from gemini_embed.inputs import has_values
from gemini_embed.options.checks import whole
from gemini_embed.streams.blocks import I, Stream
from gemini_embed.streams.reading import ablocks, blocks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
    from typing import Unpack

    from gemini_embed.background.loop import Begun
    from gemini_embed.calls.checked import Checked
    from gemini_embed.results import EmbeddingResult, StreamBlock
    from gemini_embed.tasks import Role

_SIZE = 1000
"""Items in a block: ten full requests."""

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


class Streaming:
    """`embed_stream` and `aembed_stream`, for an embedder."""

    max_concurrency: int
    media_in_flight: int

    if TYPE_CHECKING:  # what the embedder has beside

        def _checked(self, *items: Any, **options: Any) -> Checked: ...

        async def _arun(self, call: Checked) -> Any: ...

    def embed_stream(
        self,
        items: Iterable[I],
        *,
        role: Role,
        size: int = _SIZE,
        titles: Iterable[str | None] | None = None,
        task_type: str | None = None,
        output_dimensionality: int | None = None,
        batch_size: int | None = None,
        rate_limiter: Callable[[], Awaitable[None]] | None = None,
    ) -> Generator[StreamBlock[I]]:
        """Embed items of any number, block by block: what is in memory does not grow with them.

        Items are read as they are needed, in the thread that asks for blocks. Blocks are handed
        over in order, as they are finished. Some are under way ahead of the consumer, so that as
        many requests as `max_concurrency` allows are; when that many blocks wait for the consumer,
        nothing more is read or sent. Each block is a call like one of `embed`: equal texts of a
        block are sent once, and `deadline` is for a block. Media in files are read as they are
        sent; of media that are bytes or pictures in memory a block has no more than come to
        `media_in_flight` bytes, the last one included, however few that are.

        To close the generator ends what is under way. With a cache, a second run goes on where the
        first one ended.

        Args:
            items: Any iterable of what `embed` takes: texts, media, and lists of them.
            role: Whether they are `"query"` or `"document"`.
            size: Items in a block; the last may have fewer. A request has items of one block.
            titles: An iterable of as many titles, read beside the items; None for one without.
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
        _check_iterables(items, titles, Iterable)
        loop.check_can_wait()
        stream: Stream[I] = self._stream(
            size,
            has_titles=titles is not None,
            role=role,
            task_type=task_type,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            rate_limiter=rate_limiter,
        )
        return blocks(items, titles, stream)

    def aembed_stream(
        self,
        items: Iterable[I] | AsyncIterable[I],
        *,
        size: int = _SIZE,
        titles: Iterable[str | None] | AsyncIterable[str | None] | None = None,
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[StreamBlock[I]]:
        """Embed items of any number, block by block; the async twin of `embed_stream`.

        It takes async iterables, too, and reads in a task of the caller's event loop.
        """
        _check_iterables(items, titles, Iterable | AsyncIterable)
        stream: Stream[I] = self._stream(size, has_titles=titles is not None, **options)
        return ablocks(items, titles, stream)

    def _stream(
        self, size: int, *, has_titles: bool, **options: Unpack[StreamOptions]
    ) -> Stream[Any]:
        size = whole(1)("size", size)
        policy = self._checked([], **options).policy  # refuses now what cannot work
        if policy.batch:
            raise ConfigurationError(
                "a stream cannot go through the Batch API, whose jobs take hours: use "
                "`embedder.batch(...)`, or batch_documents=False"
            )
        together = Together(self.max_concurrency)

        def begin(
            items: Sequence[Any], titles: Sequence[str | None] | None, first: int
        ) -> Begun[EmbeddingResult]:
            if process.has_greenlets():
                load()  # as `embed` does, and for its reason
            call = self._checked(items, titles=titles, **options, first=first, takes_media=True)
            policy = replace(call.policy, together=together)
            return loop.begin(self._arun, call._replace(policy=policy))

        requests = math.ceil(size / policy.batch_size)
        most = 1 + math.ceil(_AHEAD * self.max_concurrency / requests)
        return Stream(
            begin,
            together.stop,
            size=size,
            most=most,
            most_bytes=self.media_in_flight,
            has_titles=has_titles,
        )


def _check_iterables(items: object, titles: object, kind: Any) -> None:
    if (
        isinstance(items, str | bytes | bytearray)
        or has_values(items)
        or not isinstance(items, kind)
    ):
        raise ConfigurationError(
            f"items must be an iterable of texts and media, not {type(items).__name__}: for one "
            "item write [item]"
        )
    is_none = isinstance(titles, str | bytes) or has_values(titles) or not isinstance(titles, kind)
    if titles is not None and is_none:
        raise ConfigurationError(
            "titles must be an iterable with one title (or None) for each item, not "
            f"{type(titles).__name__}"
        )
