"""`estimate` says what a call will take, and sends nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.schema import TextNode
from service.vertex import credentials

from gemini_embed import DailyQuotaError, Estimate, GeminiEmbedder, InvalidInputError, Quota
from gemini_embed.prices import Price
from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXTS = [f"text {i % 230}" for i in range(260)]  # the last thirty were there before


def test_a_free_key_takes_six_days_for_5500_chunks() -> None:
    """Who has a free key learns before the run how long it takes, and needs no key for that."""
    chunks = [f"chunk {i}: " + "some words of a paragraph. " * 20 for i in range(5_500)]

    free = GeminiEmbedder(requests_per_minute=100, requests_per_day=1_000)
    said = free.estimate(chunks, role="document")

    assert (said.texts, said.unique, said.cached, said.to_send) == (5_500, 5_500, 0, 5_500)
    assert (said.requests, said.days) == (55, 6)
    assert said.seconds == pytest.approx(49 * 60, rel=0.02)  # each day begins with an empty minute
    assert 0 < said.tokens < said.tokens_at_most
    assert said.cost is not None
    assert said.batch_cost == said.cost / 2


def test_it_says_what_the_stand_in_counts(
    server: Standin, embedder: Callable[..., GeminiEmbedder], tmp_path: Path
) -> None:
    """Texts, requests and what the cache has are those of the call, of a part of a corpus too."""
    made = embedder(cache=tmp_path / "cache.sqlite3", output_dimensionality=256)
    made.embed(TEXTS[:50], role="document")
    server.log.clear()

    said = made.estimate(TEXTS, role="document")
    assert server.log == []
    result = made.embed(TEXTS, role="document")

    sent = sum(len(one.body["requests"]) for one in server.log if one.body)
    assert (said.texts, said.unique, said.cached) == (260, 230, 50)
    assert said.to_send == sent == 180
    usage = result.usage
    assert (usage.texts, usage.cached, usage.duplicates) == (260, 50, 260 - said.unique)
    assert said.requests == result.usage.requests == len(server.log) == 2
    assert made.estimate(TEXTS, role="document").to_send == 0
    assert made.estimate(TEXTS, role="query").cached == 0
    assert made.estimate(TEXTS, role="document", output_dimensionality=128).cached == 0


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
@pytest.mark.parametrize("limits", [{"requests": 100}, {"requests": 70, "tokens": 400}], ids=str)
def test_under_a_quota_of_the_stand_in(
    limits: dict[str, Any], model: str, embedder: Callable[..., GeminiEmbedder]
) -> None:
    """With real connections, too, there are as many requests and tokens as were forecast."""
    with Standin(model="hash", window=0.3, **limits) as server:
        made = embedder(base_url=server.url, quota=Quota(**limits, period=0.4), model=model)

        said = made.estimate(TEXTS, role="document")
        usage = made.embed(TEXTS, role="document").usage

        assert said.requests == usage.requests == len(server.log)
    if usage.prompt_tokens is not None:
        assert said.tokens == usage.prompt_tokens < said.tokens_at_most


def test_pieces_of_long_texts_count(
    embedder: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """A text that is split is as many texts as it has pieces, each with prefix and title."""
    long = " ".join(f"sentence {i} of a long text." for i in range(4_000))
    made = embedder(on_long="split", cache=tmp_path / "cache.sqlite3", output_dimensionality=256)
    made.embed(["short"], role="document")
    server.log.clear()

    said = made.estimate(["short", long, long], role="document")
    usage = made.embed(["short", long, long], role="document").usage

    sent = sum(len(one.body["requests"]) for one in server.log if one.body)
    assert (said.texts, said.cached) == (3, 1)
    assert said.to_send == sent > 3
    assert said.requests == usage.requests == len(server.log)
    assert usage.prompt_tokens == said.tokens


def test_what_was_sent_today_makes_it_longer(
    embedder: Callable[..., GeminiEmbedder], tmp_path: Path
) -> None:
    """The day's count is that of the cache's file: of runs before, and of other processes."""
    options = {"requests_per_day": 100, "cache": tmp_path / "cache.sqlite3"}
    texts = [f"another text {i}" for i in range(250)]
    assert embedder(**options).estimate(texts, role="document").days == 3

    embedder(**options).embed(TEXTS[:60], role="document")

    said = embedder(**options).estimate(texts, role="document")
    assert (said.days, said.requests) == (4, 4)  # 40, 100, 100, 10
    assert embedder(**options).estimate(TEXTS[:60], role="document").days == 1
    assert embedder(cache=options["cache"]).estimate(texts, role="document").days is None
    assert embedder(api_key="another", **options).estimate(texts, role="document").days == 3


@pytest.mark.parametrize(
    "whose",
    [
        {"project": "p", "location": "eu", "credentials": credentials()},
        {"project": "p", "credentials": credentials()},
        {"vertexai": True, "api_key": "express"},
    ],
)
def test_what_was_sent_today_is_known_of_vertex_ai_too(
    embedder: Callable[..., GeminiEmbedder], tmp_path: Path, whose: dict[str, Any]
) -> None:
    """A forecast looks for the count of its project, as a call does."""
    cache = tmp_path / "cache.sqlite3"
    options = {"api_key": None, "requests_per_day": 100, "cache": cache, **whose}
    embedder(**options).embed(TEXTS[:60], role="document")

    texts = [f"another text {i}" for i in range(50)]
    assert embedder(**options).estimate(texts, role="document").days == 2


def test_a_days_limit_that_a_refusal_named_counts(
    embedder: Callable[..., GeminiEmbedder], tmp_path: Path
) -> None:
    """After the wall was met once, a forecast knows the days, in another process as well."""
    with Standin(model="hash", requests_per_day=100) as server:
        options = {"base_url": server.url, "cache": tmp_path / "cache.sqlite3"}
        with pytest.raises(DailyQuotaError):
            embedder(**options, max_concurrency=1).embed(TEXTS, role="document")
        said = embedder(**options).estimate(TEXTS, role="document")

    assert (said.cached, said.to_send, said.days) == (100, 130, 3)  # nothing more today


def test_it_needs_no_key_and_loads_no_sdk() -> None:
    """A forecast is ready at once, on a machine that cannot reach Google."""
    program = """
import sys
from gemini_embed import GeminiEmbedder
said = GeminiEmbedder().estimate(["a", "b", "a"], role="document")
assert said.unique == 2, said
assert not {"google.genai", "google.auth", "aiohttp"} & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_what_cannot_be_embedded_is_found_before_the_run() -> None:
    """The forecast checks what the call would check, and says which text it is."""
    with pytest.raises(InvalidInputError, match="text 1 is blank"):
        GeminiEmbedder().estimate(["a", " "], role="document")


def test_no_texts_take_nothing() -> None:
    """An empty corpus is no error."""
    said = GeminiEmbedder(cache=False).estimate([], role="document")

    assert (said.requests, said.tokens, said.seconds) == (0, 0, 0)


def test_own_prices_count() -> None:
    """A gateway's price, or that of a contract, goes before Google's list."""
    prices = {"gemini-embedding-2": Price(Decimal(3), batch=Decimal("0.1"))}

    said = GeminiEmbedder(prices=prices).estimate(["a text"], role="document")

    assert said.cost == said.tokens * Decimal("0.000003")
    assert said.cost is not None
    assert said.batch_cost == said.cost / 10


def test_prefix_and_title_count() -> None:
    """What is sent beside a text is paid for, so it is in the forecast."""
    bare = GeminiEmbedder(task_prefix=False).estimate(["a text"], role="document")
    prefixed = GeminiEmbedder().estimate(["a text"], role="document")
    titled = GeminiEmbedder().estimate(["a text"], role="document", titles=["A long title of it"])

    assert bare.tokens < prefixed.tokens < titled.tokens


async def test_it_works_where_a_loop_runs() -> None:
    """In a notebook, and on a thread beside one's own loop."""
    embedder = GeminiEmbedder()

    assert embedder.estimate(["a"], role="query").requests == 1
    said = await asyncio.to_thread(embedder.estimate, ["a"], role="query")
    assert said.requests == 1


def test_both_adapters_have_it() -> None:
    """The forecast is that of the core, for documents; of nodes it sees what the model sees."""
    texts = ["a text", "another", "a text"]
    core = GeminiEmbedder().estimate(texts, role="document")

    assert GeminiEmbeddings().estimate(texts) == core
    assert GeminiEmbedding().estimate(texts) == core
    assert GeminiEmbedding().estimate([TextNode(text=text) for text in texts]) == core
    assert GeminiEmbeddings().estimate(texts, batch_size=1).requests == 2
    assert isinstance(core, Estimate)


def test_titles_of_nodes_count_in_the_forecast() -> None:
    """A title that reaches the model reaches the forecast."""
    node = TextNode(text="a text", metadata={"title": "A long title of it"})
    node.excluded_embed_metadata_keys = ["title"]
    titled = GeminiEmbedder().estimate(["a text"], role="document", titles=["A long title of it"])

    assert GeminiEmbedding(title_metadata_key="title").estimate([node]) == titled
    assert GeminiEmbedding().estimate(["a text"], titles=["A long title of it"]) == titled
