"""Both adapters in the processes and loops that people really run."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Make = Callable[[str], Any]

TEXTS = ["a", "b", "c"]


def langchain(url: str) -> GeminiEmbeddings:
    return GeminiEmbeddings(model="gemini-embedding-2", google_api_key="a-key", base_url=url)


def llamaindex(url: str) -> GeminiEmbedding:
    return GeminiEmbedding("gemini-embedding-2", "a-key", base_url=url)


def embed(model: Any, text: str) -> list[float]:
    """Embed one document with either class; a function that every start method can find."""
    if isinstance(model, GeminiEmbeddings):
        return model.embed_documents([text])[0]
    vector: list[float] = model.get_text_embedding(text)
    return vector


async def aembed(model: Any, text: str) -> list[float]:
    if isinstance(model, GeminiEmbeddings):
        return (await model.aembed_documents([text]))[0]
    vector: list[float] = await model.aget_text_embedding(text)
    return vector


def expected(server: Standin) -> list[list[float]]:
    as_sent = [f"title: none | text: {text}" for text in TEXTS]
    return [[float(x) for x in server.vector(w, model="gemini-embedding-2")] for w in as_sent]


def near(got: list[list[float]], right: list[list[float]]) -> bool:
    return all(
        len(one) == len(other) and max(abs(x - y) for x, y in zip(one, other, strict=True)) < 1e-6
        for one, other in zip(got, right, strict=True)
    )


BOTH = pytest.mark.parametrize("make", [langchain, llamaindex])


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@BOTH
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_pools_of_every_start_method(make: Make, method: str, server: Standin) -> None:
    """An embedder that was used already works in a pool's workers, each text its own vector."""
    model = make(server.url)
    assert near([embed(model, "a")], expected(server)[:1])
    context = multiprocessing.get_context(method)

    with context.Pool(2) as pool:
        got = pool.starmap(embed, [(model, text) for text in TEXTS])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        again = list(executor.map(embed, [model] * 3, TEXTS))

    assert near(got, expected(server))
    assert near(again, expected(server))
    assert near([embed(model, "b")], expected(server)[1:2])


@BOTH
def test_ten_loops_one_after_the_other(make: Make, server: Standin) -> None:
    """`asyncio.run` closes its loop each time; the embedder does not mind."""
    model = make(server.url)

    for number in range(10):
        index = number % 3
        got = asyncio.run(aembed(model, TEXTS[index]))
        assert near([got], expected(server)[index : index + 1])


@BOTH
def test_sixteen_threads_with_a_loop_each(make: Make, server: Standin) -> None:
    """One embedder serves loops on many threads at once."""
    model = make(server.url)

    def work(number: int) -> bool:
        async def several() -> list[list[float]]:
            return list(await asyncio.gather(*(aembed(model, text) for text in TEXTS)))

        return near(asyncio.run(several()), right) and number >= 0

    right = expected(server)
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(16)))


SCRIPT = """
import asyncio, sys
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

langchain = GeminiEmbeddings(google_api_key="k", base_url=sys.argv[1])
llamaindex = GeminiEmbedding(api_key="k", base_url=sys.argv[1])

async def main():
    langchain.embed_query("sync inside a loop")
    llamaindex.get_query_embedding("likewise")
    await langchain.aembed_query("a")
    await llamaindex.aget_query_embedding("a")

asyncio.run(main())
print("done")
"""


def test_nothing_is_left_open_at_exit(server: Standin) -> None:
    """The interpreter ends at once, with no unclosed socket, pending task or other complaint."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-W",
            # Of libraries, while they are imported.
            "ignore::DeprecationWarning",
            "-W",
            # Of llama-index-core 0.13. Not in the Makefile's words, or Python would drop it here.
            "ignore:The 'validate_default' attribute",
            "-c",
            SCRIPT,
            server.url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    complaints = [
        line
        for line in done.stderr.splitlines()
        if not line.startswith("Executing <")  # asyncio's debug mode tells of slow imports
    ]
    assert (done.returncode, done.stdout, complaints) == (0, "done\n", [])
