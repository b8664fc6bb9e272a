"""`count_tokens`: by an estimate, by the service, or by a caller's own function."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import arrived
from service.vertex import credentials

from gemini_embed import (
    ConfigurationError,
    DailyQuotaError,
    GeminiEmbedder,
    HookError,
    ModelNotFoundError,
    Progress,
    Quota,
    Retry,
    TextTooLongError,
)
from gemini_embed.token_counts import likely_tokens
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


def text_of(tokens: int) -> str:
    """Return a text of about so many tokens, as the stand-in counts."""
    sentence = "Some words of a paragraph. "
    return sentence * round(tokens / likely_tokens(sentence * 100) * 100)


JUST_FITS, TOO_LONG = text_of(8000), text_of(8400)
SURELY_TOO_LONG = text_of(60_000)
COUNT = likely_tokens(TOO_LONG)


def asked(server: Standin) -> list[tuple[str, int]]:
    """Return what was asked for, in order, and how many texts each request had."""
    return [
        (exchange.path.rpartition(":")[2], len(exchange.body.get("requests", [None])))
        for exchange in server.log
    ]


def counts_of(server: Standin) -> list[str]:
    """Return the texts that were counted."""
    return [
        "".join(part["text"] for part in exchange.body["contents"][0]["parts"])
        for exchange in server.log
        if exchange.path.endswith(":countTokens")
    ]


def sent(server: Standin) -> list[str]:
    """Return the texts that were embedded, in order."""
    return [
        request["content"]["parts"][0]["text"]
        for exchange in server.log
        for request in exchange.body.get("requests", [])
    ]


# By the service.


@pytest.mark.parametrize("call", ["embed", "aembed"])
def test_the_service_counts_what_the_estimate_leaves_in_doubt(
    call: str, server: Standin, embedder: Maker
) -> None:
    """One request for each such text, none for others; what just fits is sent and in no doubt."""
    made = embedder(count_tokens="api", on_long="error", task_prefix=False)
    texts = ["a short text", JUST_FITS, "another", "9" * 3000]

    if call == "embed":
        vectors = made.embed(texts, role="document").vectors
    else:
        vectors = asyncio.run(made.aembed(texts, role="document")).vectors

    assert vectors.shape == (4, 3072)
    assert counts_of(server) == [JUST_FITS]
    assert asked(server) == [("countTokens", 1), ("batchEmbedContents", 4)]
    assert sent(server) == texts


def test_what_the_service_counts_is_what_decides(server: Standin, embedder: Maker) -> None:
    """A text that is too long is named with its count before anything is embedded."""
    made = embedder(count_tokens="api", on_long="error", task_prefix=False)

    with pytest.raises(TextTooLongError) as caught:
        made.embed(["a", JUST_FITS, TOO_LONG], role="document")

    assert (caught.value.indexes, caught.value.tokens) == ((2,), COUNT)
    assert {what for what, _ in asked(server)} == {"countTokens"}


def test_what_is_surely_too_long_is_not_counted(server: Standin, embedder: Maker) -> None:
    """Nor is anything else sent, where it is refused."""
    with pytest.raises(TextTooLongError):
        embedder(count_tokens="api", on_long="error").embed([SURELY_TOO_LONG], role="document")

    assert server.log == []


def test_only_what_is_too_long_is_split_or_warned_of(server: Standin, embedder: Maker) -> None:
    """A text that just fits stays whole, and nobody is warned of it."""
    whole = embedder(count_tokens="api", task_prefix=False)
    assert whole.embed([JUST_FITS], role="document").vectors.shape == (1, 3072)
    server.log.clear()

    made = embedder(count_tokens="api", on_long="split", task_prefix=False)
    vectors = made.embed([JUST_FITS, TOO_LONG, "a"], role="document").vectors

    assert vectors.shape == (3, 3072)
    texts = sent(server)
    assert texts[0] == JUST_FITS
    assert texts[-1] == "a"
    assert len(texts) > 3
    assert np.array_equal(vectors[0], made.embed([JUST_FITS], role="document").vectors[0])


def test_a_title_in_a_field_is_counted_too(server: Standin, embedder: Maker) -> None:
    """The model reads it, whether it travels in the text or beside it."""
    made = embedder(model="gemini-embedding-001", count_tokens="api", on_long="error")
    text = text_of(2000)

    made.embed([text], role="document", titles=["A title"])

    assert counts_of(server) == [f"A title\n{text}"]


def test_a_count_is_tried_again(server: Standin, embedder: Maker) -> None:
    """It is a request like others: a fault that passes costs nobody a call."""
    server.script.append("503")
    made = embedder(count_tokens="api", on_long="error", retry_min_seconds=0, retry_max_seconds=0)

    assert made.embed([JUST_FITS], role="document").vectors.shape == (1, 3072)
    assert [what for what, _ in asked(server)] == ["countTokens"] * 2 + ["batchEmbedContents"]


def test_a_count_that_is_refused_names_the_text(server: Standin, embedder: Maker) -> None:
    """A gateway may not know `countTokens`: that is an error, and no guess in silence."""
    body = {"error": {"code": 404, "message": "no such method", "status": "NOT_FOUND"}}
    server.script.append((404, body, {}))
    made = embedder(count_tokens="api", on_long="error")

    with pytest.raises(ModelNotFoundError) as caught:
        made.embed(["a", "b", JUST_FITS], role="document")

    assert caught.value.indexes == (2,)
    assert (caught.value.total, caught.value.partial) == (3, {})


def test_counts_take_nothing_from_the_quota(server: Standin, embedder: Maker) -> None:
    """Google counts them apart: a load of long texts does not use up its day with counts."""
    texts = [f"{number} {JUST_FITS}" for number in range(4)]
    made = embedder(count_tokens="api", on_long="error", requests_per_day=4, requests_per_minute=4)

    usage = made.embed(texts, role="document").usage

    assert len(counts_of(server)) == 4
    assert (usage.texts, usage.requests) == (4, 1)
    with pytest.raises(DailyQuotaError) as caught:
        made.embed([f"and {texts[0]}"], role="document")
    assert len(counts_of(server)) == 5
    assert caught.value.partial == {}


def test_who_watches_a_call_is_not_told_of_counts(server: Standin, embedder: Maker) -> None:
    """Positions and totals are those of the caller's texts."""
    server.script.append("503")
    seen: list[Progress] = []
    retries: list[Retry] = []
    made = embedder(count_tokens="api", on_progress=seen.append, on_retry=retries.append)

    made.embed(["a", "b", JUST_FITS], role="document")

    assert [(one.done, one.total) for one in seen] == [(3, 3)]
    assert (len(counts_of(server)), retries) == (2, [])


async def test_counts_go_on_where_the_embedder_is_closed(server: Standin, embedder: Maker) -> None:
    """As requests for vectors do."""
    server.latency = 0.1
    made = embedder(count_tokens="api", on_long="error")
    call = asyncio.create_task(made.aembed(["a", JUST_FITS], role="document"))
    await arrived(server)
    await made.aclose()

    assert len((await call).vectors) == 2


def test_batches_are_as_large_after_a_count_as_before(server: Standin, embedder: Maker) -> None:
    """That counts travel alone is no limit on embeddings."""
    embedder(count_tokens="api").embed([JUST_FITS, *map(str, range(99))], role="document")

    assert asked(server) == [("countTokens", 1), ("batchEmbedContents", 100)]


def test_a_forecast_asks_nobody(server: Standin, embedder: Maker) -> None:
    """It needs no key and sends nothing, whatever counts when it comes to it."""
    said = embedder(count_tokens="api", on_long="split").estimate([JUST_FITS], role="document")

    assert said.tokens > 0
    assert server.log == []


@pytest.mark.parametrize("made", [GeminiEmbedder, GeminiEmbeddings, GeminiEmbedding])
def test_vertex_ai_does_not_count(made: Any) -> None:
    """What cannot work is told when the embedder is made, with what to do instead."""
    with pytest.raises(ConfigurationError, match='"estimate", or give a function'):
        made(count_tokens="api", project="p", location="eu", credentials=credentials())


# By a caller's own function.


def words(text: str) -> int:
    return len(text.split())


def test_a_function_cuts_the_batches(server: Standin, embedder: Maker) -> None:
    """A limit on tokens is kept by its counts, not by the estimate, and each text counts once."""
    called: list[str] = []

    def count(text: str) -> int:
        called.append(text)
        return 40

    texts = [str(i) for i in range(10)]
    quota = Quota(tokens=100, period=0.2)
    made = embedder(count_tokens=count, quota=quota, model="gemini-embedding-001")
    made.embed([*texts, "0"], role="document")

    assert asked(server) == [("batchEmbedContents", 2)] * 5
    assert called == texts


def test_a_function_is_not_called_without_a_limit(server: Standin, embedder: Maker) -> None:
    """Counting takes time: short texts are counted where tokens are limited, and nowhere else."""
    called: list[str] = []

    def count(text: str) -> int:
        called.append(text)
        return 1

    made = embedder(count_tokens=count)

    made.embed(["a", "b"], role="document")

    assert called == []
    assert len(server.log) == 1


def test_a_function_decides_what_is_too_long(server: Standin, embedder: Maker) -> None:
    """Only long texts are counted; split pieces have no more than the model reads."""
    made = embedder(count_tokens=words, on_long="error", task_prefix=False)
    made.embed(["a word " * 4000, "short"], role="document")
    with pytest.raises(TextTooLongError) as caught:
        made.embed(["short", "a word " * 4100], role="document")
    assert (caught.value.index, caught.value.tokens) == (1, 8200)

    server.log.clear()
    split = embedder(count_tokens=words, on_long="split", task_prefix=False)
    split.embed(["a word " * 5000], role="document")
    pieces = sent(server)
    assert max(map(words, pieces)) <= 8192
    assert sum(map(words, pieces)) == 10_000
    assert len(pieces) == 2


def test_a_function_makes_a_forecast_exact(embedder: Maker) -> None:
    """Its counts are the tokens, and the bound is no higher."""
    said = embedder(count_tokens=words, task_prefix=False).estimate(
        ["two words", "three more words"], role="document"
    )

    assert (said.tokens, said.tokens_at_most) == (5, 5)


def test_pieces_that_a_function_counts_for_nothing_count_alike(embedder: Maker) -> None:
    """A mean has weights, whatever the function returns for a part of a text."""

    def count(text: str) -> int:
        return 10_000 if len(text) > 20_000 else 0

    made = embedder(count_tokens=count, on_long="split", task_prefix=False)
    vector = made.embed(["word and other " * 3000], role="document").vectors[0]

    assert np.isclose(np.linalg.norm(vector), 1)


def test_the_io_thread_does_not_wait_for_a_function(server: Standin, embedder: Maker) -> None:
    """A tokenizer that is slow holds up nobody else's requests."""
    threads: set[str] = set()

    def count(_: str) -> int:
        threads.add(threading.current_thread().name)
        return 1

    embedder(count_tokens=count, tokens_per_minute=1000).embed(["a", "b"], role="document")

    assert len(sent(server)) == 2
    assert threads
    assert not any("io" in name.lower() for name in threads)


def raising(_: str) -> int:
    raise LookupError("no vocabulary")


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (raising, "count_tokens raised LookupError: no vocabulary"),
        (lambda _: None, "count_tokens must return a whole number, not NoneType"),
        (lambda _: 1.5, "count_tokens must return a whole number, not float"),
        (lambda _: "7", "count_tokens must return a whole number, not str"),
        (lambda _: True, "count_tokens must return a whole number from 0, not True"),
        (lambda _: -1, "count_tokens must return a whole number from 0, not -1"),
    ],
)
def test_a_function_that_fails_is_named(
    count: Any, told: str, server: Standin, embedder: Maker
) -> None:
    """Nothing of it is swallowed or taken for a count, wherever it is called."""
    made = embedder(count_tokens=count, tokens_per_minute=100)
    with pytest.raises(HookError, match=told):
        made.embed(["a"], role="document")
    with pytest.raises(HookError, match=told):
        made.embed(["x" * 10_000], role="document")
    with pytest.raises(HookError, match=told):
        made.estimate(["a"], role="document")

    assert server.log == []


def test_a_whole_number_of_numpys_is_one(server: Standin, embedder: Maker) -> None:
    """Tokenizers return what they count with."""
    made = embedder(count_tokens=lambda _: np.int64(3), tokens_per_minute=1000)

    assert made.embed(["a"], role="document").vectors.shape == (1, 3072)
    assert len(server.log) == 1


@pytest.mark.parametrize("value", ["exact", "", None, 4, True])
@pytest.mark.parametrize("made", [GeminiEmbedder, GeminiEmbeddings, GeminiEmbedding])
def test_another_value_is_refused(made: Any, value: object) -> None:
    """A typing error is told when the embedder is made."""
    with pytest.raises(ValueError, match="count_tokens"):
        made(api_key="k", count_tokens=value)
