"""A warning points at the line of the user's that it is about."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda

from gemini_embed import ConfigurationError, GeminiEmbedder, notices
from gemini_embed.background.loop import arun, run
from gemini_embed.notices import Notices, told, warn
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SMALL = 64  # below what Google documents, which is warned about


class Broken:
    """A cache that breaks once it was looked into."""

    def __init__(self) -> None:
        self.asked = 0

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self.asked += 1
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        raise OSError(f"the disk is full; {len(pairs)} vectors")


def lines_of(caught: pytest.WarningsRecorder) -> list[tuple[str, int]]:
    return [(one.filename, one.lineno) for one in caught]


def first_line(work: Callable[..., Any]) -> int:
    return work.__code__.co_firstlineno


@pytest.mark.parametrize(
    "build",
    [
        lambda: GeminiEmbedder(api_key="k", output_dimensionality=SMALL),
        lambda: GeminiEmbeddings(google_api_key="k", output_dimensionality=SMALL),
        lambda: GeminiEmbedding(api_key="k", output_dimensionality=SMALL),
        lambda: RunnableLambda[str, object](
            lambda _: GeminiEmbedder(output_dimensionality=SMALL)
        ).invoke(""),
    ],
    ids=["core", "langchain", "llamaindex", "inside a chain"],
)
def test_a_warning_about_options_points_at_the_line_that_gives_them(
    build: Callable[[], object],
) -> None:
    """An editor, or a log, leads to the line that has to change, through frameworks too."""
    with pytest.warns(UserWarning, match="below 128") as caught:
        build()

    for name, line in lines_of(caught):
        assert name == __file__
        assert line - first_line(build) in {0, 1}  # a lambda of one line, or of two


def test_a_copy_is_warned_about_where_it_is_made() -> None:
    """Neither `copy` nor `dataclasses` is blamed for what the user asked of them."""
    with pytest.warns(UserWarning, match="below 128"):
        embedder = GeminiEmbedder(api_key="k", output_dimensionality=SMALL)

    with pytest.warns(UserWarning, match="below 128") as caught:
        copy.copy(embedder)

    assert [name for name, _ in lines_of(caught)] == [__file__]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_what_goes_wrong_on_the_io_thread_is_told_at_the_callers_line(
    embedder: Callable[..., GeminiEmbedder], how: str
) -> None:
    """A cache that breaks during a call is warned about at that call, not in asyncio."""
    ask = embedder(cache=Broken())

    def sync() -> None:
        ask.embed(["a text"], role="query")

    async def main() -> None:
        await ask.aembed(["a text"], role="query")

    call = sync if how == "sync" else lambda: asyncio.run(main())
    with pytest.warns(UserWarning, match="the disk is full") as caught:
        call()

    assert [name for name, _ in lines_of(caught)] == [__file__]


def test_two_callers_are_both_warned() -> None:
    """Python shows a warning once for each line, so each of two lines has its own."""

    def one() -> None:
        GeminiEmbedder(api_key="k", output_dimensionality=SMALL)

    def other() -> None:
        GeminiEmbedder(api_key="k", output_dimensionality=SMALL)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            one()
            other()

    assert [warning.lineno - 1 for warning in caught] == [first_line(one), first_line(other)]


async def _warns_and_fails() -> None:
    warn("by the way")
    raise ConfigurationError("what went wrong")


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("bridge", [run, lambda work: asyncio.run(arun(work))])
def test_a_warning_made_an_error_does_not_hide_the_error_of_a_call(
    bridge: Callable[..., object],
) -> None:
    """Under `-W error` a call that failed says why it failed."""
    with pytest.raises(ConfigurationError, match="what went wrong"):
        bridge(_warns_and_fails)


def test_a_warning_after_the_call_is_not_lost() -> None:
    """What a thread that outlives its call has to say is said at once."""
    kept = Notices()
    with told(kept):
        kept.collect_here()
        context = contextvars.copy_context()
    notices._notices.set(None)

    def later() -> None:
        thread = threading.Thread(target=context.run, args=(warn, "late"))
        thread.start()
        thread.join()

    with pytest.warns(UserWarning, match="late"):
        later()


def test_a_warning_shows_no_password() -> None:
    """A cache's own error may quote the address it lies at."""
    with pytest.warns(UserWarning, match="redis://cache.example is down"):
        warn("redis://user:passw0rd@cache.example is down")
