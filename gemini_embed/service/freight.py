"""The media of a request: read as it is sent, and no more of them at once than there is room for.

Runs on the I/O thread; worker threads read the files.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self

from gemini_embed.background.threads import in_thread
from gemini_embed.errors import InvalidInputError
from gemini_embed.media.contents import MediaContent, Medium, UnreadableError
from gemini_embed.media.given import at
from gemini_embed.service.media_parts import inline, referred
from gemini_embed.service.pieces import Words

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch, Content
    from gemini_embed.models import BackendName
    from gemini_embed.service.answer import Answer

UriOf = Callable[[Medium], Awaitable[str]]
"""Returns where a medium lies with the service, once it does: see `uploads`."""

Send = Callable[["Batch", "Ask", "Load"], Awaitable["Answer"]]


class Room:
    """How many bytes of media are on their way: what is too large for it goes alone.

    Args:
        most: How many may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until there is room for some bytes; who comes first goes first."""
        if not self._waiting and self._has_room(size):
            self._held += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.free(size)  # it was its turn meanwhile
            else:
                self._waiting.remove((size, turn))
                self._let_in()
            raise

    def free(self, size: int) -> None:
        """Note that some bytes are gone."""
        self._held -= size
        self._let_in()

    def _has_room(self, size: int) -> bool:
        return not self._held or self._held + size <= self._most

    def _let_in(self) -> None:
        while self._waiting and self._has_room(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._held += size
                turn.set_result(None)


class Load:
    """The media of one request, ready to be sent; room is kept for them while it is entered.

    Args:
        room: Where they are counted.
        size: How many bytes they have.
        backend: For which service they are written.
        send: Sends a batch with what this holds, once.

    Attributes:
        words: What stands for their bytes in the body.
    """

    def __init__(self, room: Room, size: int, backend: BackendName, send: Send) -> None:
        self.words = Words()
        self._send = send
        self._room = room
        self._size = size
        self._backend: BackendName = backend
        self._held: dict[Medium, dict[str, Any]] = {}

    async def send(self, batch: Batch, ask: Ask) -> Answer:
        """Send the batch whose media these are, once."""
        return await self._send(batch, ask, self)

    def put(self, medium: Medium, data: bytes, *, in_pieces: bool) -> None:
        """Take the bytes of a medium; the body gets a word for them where it is in pieces."""
        written = self.words.word_for(data) if in_pieces else b64encode(data).decode()
        self._held[medium] = inline(medium, self._backend, written)

    def refer(self, medium: Medium, uri: str) -> None:
        """Take the URI of a medium."""
        self._held[medium] = referred(medium, self._backend, uri)

    def as_json(self, content: Content) -> dict[str, Any]:
        """Return a content in the form that JSON has."""
        return {"parts": [self._part(part) for part in content.parts]}

    def _part(self, part: str | Medium) -> dict[str, Any]:
        return {"text": part} if isinstance(part, str) else self._held[part]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.clear()
        self.words.bytes_of.clear()
        self._room.free(self._size)


class Freight:
    """Reads media as their batch is sent.

    Args:
        most: How many bytes may be on their way.
        in_pieces: Whether bodies are written in pieces.
    """

    def __init__(self, most: int, *, in_pieces: bool) -> None:
        self._room = Room(most)
        self._in_pieces = in_pieces

    async def load(self, batch: Batch, ask: Ask, uri_of: UriOf, send: Send) -> Load:
        """Return the media of a batch, ready to be sent, once there is room for them.

        `uri_of` stores what is too large for a request, `send` sends the rest.

        Raises:
            UnreadableError: Of one of its contents.
            GeminiEmbedError: They could not be stored with the service.
        """
        inline = {
            medium
            for content in batch.contents
            if isinstance(content, MediaContent) and not batch.is_stored
            for medium in content.inline()
        }
        size = sum(medium.size or 0 for medium in inline)
        await self._room.take(size)
        load = Load(self._room, size, ask.backend.name, send)
        try:
            for row, content in enumerate(batch.contents):
                for medium in content.media if isinstance(content, MediaContent) else ():
                    try:
                        await self._take(medium, load, None if medium in inline else uri_of)
                    except InvalidInputError as error:
                        named = at(error, batch.positions[row][0])
                        raise UnreadableError(row, named) from error.__cause__
        except BaseException:
            self._room.free(size)
            raise
        return load

    async def _take(self, medium: Medium, load: Load, uri_of: UriOf | None) -> None:
        if medium.media.uri is not None:
            load.refer(medium, medium.media.uri)
        elif uri_of is None:
            data = medium.media.data
            held = await in_thread(medium.read) if data is None else data
            load.put(medium, held, in_pieces=self._in_pieces)
        else:
            load.refer(medium, await uri_of(medium))
