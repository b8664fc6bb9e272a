"""What a call holds is gone when it is over: nobody waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from gemini_embed import GeminiEmbedError
from gemini_embed.background import loop
from gemini_embed.calls.call import Call
from gemini_embed.calls.sink import Sink
from gemini_embed.contents import Batch, Content

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gemini_embed import EmbeddingResult, GeminiEmbedder
    from gemini_embed.standin import Standin
    from gemini_embed.standin.faults import Scripted, Verbatim

    Maker = Callable[..., GeminiEmbedder]
    Way = Callable[[GeminiEmbedder, list[str]], EmbeddingResult | GeminiEmbedError]


def answer(status: int, reason: str) -> Verbatim:
    return status, {"error": {"code": status, "message": reason, "status": reason}}, {}


REFUSED = answer(400, "INVALID_ARGUMENT")
FULL = answer(429, "RESOURCE_EXHAUSTED")


@contextmanager
def uncollected() -> Generator[None]:
    """Keep the garbage collector away, and what there was before out of sight."""
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


def held() -> list[object]:
    """Return what there is of these calls, once the I/O thread is done with what it does."""
    for _ in range(3):
        loop.run(asyncio.sleep, 0)
    return [one for one in gc.get_objects() if isinstance(one, Call | Sink | Batch | Content)]


def embed(embedder: GeminiEmbedder, texts: list[str]) -> EmbeddingResult | GeminiEmbedError:
    """Return the result, or the error."""
    try:
        return embedder.embed(texts, role="document")
    except GeminiEmbedError as error:
        return error


def aembed(embedder: GeminiEmbedder, texts: list[str]) -> EmbeddingResult | GeminiEmbedError:
    """Do the same in an event loop."""

    async def go() -> EmbeddingResult | GeminiEmbedError:
        try:
            return await embedder.aembed(texts, role="document")
        except GeminiEmbedError as error:
            return error

    return asyncio.run(go())


@pytest.mark.parametrize("count", [1, 250])
@pytest.mark.parametrize(
    ("last", "ends_well"),
    [
        ([], True),
        (["503"], True),
        ([FULL], True),
        (["503"] * 2, False),
        (["reset"] * 2, False),
        (["short"] * 2, False),
        ([REFUSED] * 200, False),
    ],
    ids=["at once", "tried again", "after a wait", "503", "reset", "short", "refused"],
)
@pytest.mark.parametrize("way", [embed, aembed])
def test_a_call_that_is_over_holds_nothing(
    way: Way,
    count: int,
    last: list[Scripted],
    embedder: Maker,
    server: Standin,
    *,
    ends_well: bool,
) -> None:
    """Its texts and vectors are gone with the result or error, whatever its last request met."""
    made = embedder(output_dimensionality=128, max_retries=1, max_concurrency=1)
    made.embed(["a first one"], role="document")  # what is loaded and tried once is behind it
    server.script.extend([*[None] * (count // 100), *last])

    with uncollected():
        outcome = way(made, [f"text {i}" for i in range(count)])
        if isinstance(outcome, GeminiEmbedError):
            assert not ends_well
            arrays = [weakref.ref(row.base) for row in outcome.partial.values()]
        else:
            assert ends_well
            arrays = [weakref.ref(outcome.vectors)]
        del outcome

        assert held() == []
        assert [array() for array in arrays if array() is not None] == []
