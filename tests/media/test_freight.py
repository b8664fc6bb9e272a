"""How many bytes of media are on their way at once, and how a body is written in pieces."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from media.samples import png

from gemini_embed import GeminiEmbedder
from gemini_embed.errors import ConfigurationError
from gemini_embed.service.freight import Room
from gemini_embed.service.pieces import Pieces, Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from media.echo import Echo


async def test_what_has_no_room_waits_for_its_turn() -> None:
    """Who comes first goes first, so that a large one is not passed by small ones for ever."""
    room, let_in = Room(10), list[str]()

    async def go(name: str, size: int) -> None:
        await room.take(size)
        let_in.append(name)

    await room.take(6)
    waiting = [asyncio.create_task(go(name, size)) for name, size in (("large", 8), ("small", 1))]
    await asyncio.sleep(0)
    assert let_in == []
    room.free(6)
    await asyncio.gather(*waiting)
    assert let_in == ["large", "small"]


async def test_what_is_too_large_goes_alone() -> None:
    """It is not kept waiting for room that there never is."""
    room = Room(10)
    await room.take(50)
    late = asyncio.create_task(room.take(1))
    await asyncio.sleep(0)
    assert not late.done()
    room.free(50)
    await late


@pytest.mark.parametrize("is_let_in", [False, True])
async def test_who_stops_waiting_takes_no_room(is_let_in: bool) -> None:
    """A call that is cancelled leaves all of it to others, whenever that happens."""
    room = Room(10)
    await room.take(10)
    gone, next_one = (asyncio.create_task(room.take(10)) for _ in range(2))
    await asyncio.sleep(0)
    if is_let_in:
        room.free(10)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    if not is_let_in:
        room.free(10)
    async with asyncio.timeout(1):
        await next_one


@pytest.mark.parametrize("size", [0, 1, 2, 3, 3 * 2**17 - 1, 3 * 2**17, 3 * 2**17 + 1, 2**20])
def test_a_body_in_pieces_is_the_body(size: int) -> None:
    """To the last byte, with the length that its header says; and it can be written again."""
    words = Words()
    data = bytes(range(256)) * (size // 256 + 1)
    body = {"a": words.word_for(data[:size]), "b": ["text", words.word_for(b"other")]}
    pieces = Pieces(json.dumps(body).encode(), words.bytes_of)
    written = b"".join(pieces)
    assert json.loads(written) == {
        "a": base64.b64encode(data[:size]).decode(),
        "b": ["text", base64.b64encode(b"other").decode()],
    }
    assert len(written) == pieces.size
    assert b"".join(pieces) == written


def test_little_room_makes_requests_wait(
    service: Echo, make: Callable[..., GeminiEmbedder]
) -> None:
    """No more bytes are on their way than were allowed, over all requests of an embedder."""
    under_way = most = 0

    async def count() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)

    def fault(_: int, __: object) -> None:
        nonlocal under_way
        under_way -= 1

    service.fault = fault
    service.delay = 0.02
    pictures = [png(i, size=3_000_000) for i in range(8)]
    made = make(media_in_flight=7_000_000)
    made.embed(pictures, role="document", rate_limiter=count)
    assert most == 2
    assert len(service.paths) == 8


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "1"])
def test_the_room_is_a_number_of_bytes(wrong: Any) -> None:
    """At least one."""
    with pytest.raises(ConfigurationError, match="media_in_flight"):
        GeminiEmbedder(media_in_flight=wrong)
