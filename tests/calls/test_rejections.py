"""Requests that are refused as they are: which texts are to blame, and what becomes of others."""

from __future__ import annotations

import copy
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from calls.driving import WAYS, embedded, failed, texts
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import Service

from gemini_embed.calls import limits
from gemini_embed.errors import (
    AuthenticationError,
    GeminiEmbedError,
    RequestError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.contents import Batch


POISON = "bad"


def rejects(batch: Batch) -> tuple[float, float] | GeminiEmbedError:
    if any(text.startswith(POISON) for text in batch.texts):
        return RequestError(
            "400", status=400, message="EmbedContentRequest.content is not allowed."
        )
    return 0.05, 0.05


@given(st.sets(st.integers(0, 299), min_size=1, max_size=3))
@settings(max_examples=30)
def test_a_poisoned_batch_does_not_sink_its_neighbours(places: set[int]) -> None:
    """The rejected texts are found and named; every other text has its vector in `partial`."""
    wanted = [POISON + str(i) if i in places else f"{i:x}" for i in range(300)]
    service = Service(trouble=rejects)

    error = failed(service, wanted)

    assert isinstance(error, RequestError)
    assert error.indexes == tuple(sorted(places))
    assert {i: v.tolist() for i, v in error.partial.items()} == {
        i: virtual.vector(text) for i, text in enumerate(wanted) if i not in places
    }
    assert len(service.batches) <= 3 + len(places) * (2 * 7 + 2)


@pytest.mark.parametrize("places", [range(5), range(95, 100), range(0, 100, 9), range(45, 55)])
@pytest.mark.parametrize("width", [1, 8])
def test_several_bad_texts_in_one_batch(places: range, width: int) -> None:
    """However many texts of the only batch are rejected, the others are finished."""
    wanted = [POISON + str(i) if i in places else f"{i:x}" for i in range(100)]

    error = failed(Service(trouble=rejects), wanted, max_concurrency=width)

    assert error.indexes == tuple(places)
    assert set(error.partial) == set(range(100)) - set(places)


WORDLESS = RequestError("400 INVALID_ARGUMENT", status=400, reason="INVALID_ARGUMENT")


def accepts(texts: Callable[[list[str]], bool], **options: Any) -> Service:
    """Return a service that refuses, without a word, requests that are not of these texts."""
    refused = WORDLESS.with_context(**options)
    return Service(trouble=lambda batch: (0.05, 0.05) if texts(batch.texts) else refused)


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize(
    "message",
    [
        "",
        "EmbedContentRequest.content is not allowed.",
        "batchSize must be 1 but the entered value was 100.",
        "batchSize must be 250 but the entered value was 100.",
        "Request payload size exceeds the limit: 36000 bytes.",
        "the input token count is 30000 but the model supports up to 20000",
    ],
)
def test_a_bad_request_ends_the_call(width: int, message: str) -> None:
    """A dimension that no request may have costs two texts alone, whatever the refusal says."""
    service = accepts(lambda _: False, message=message)

    error = failed(service, texts(800), max_concurrency=width)

    assert isinstance(error, RequestError)
    assert error.indexes == tuple(range(800))
    assert "texts alone are refused too" in str(error)
    words = 7 * width if message else 0  # that lie: each of them is halved down to one text
    assert len(service.batches) <= width + 2 + words

    service.batches.clear()
    service.trouble = lambda _: (0.05, 0.05)
    embedded(service, texts(800), max_concurrency=width)
    assert len(service.batches) == 8  # the lie is forgotten


def test_a_bad_key_ends_the_call_at_once() -> None:
    """Where the fields say that no request will pass, no text is tried alone."""
    for error in (
        AuthenticationError("400", status=400, reason="INVALID_ARGUMENT"),
        RequestError("400", status=400, reason="FAILED_PRECONDITION"),
    ):
        service = Service(trouble=lambda _, error=error: error)  # type: ignore[misc] # bound now

        ended = failed(service, texts(800))
        assert type(ended) is type(error)
        assert str(ended).startswith("400 (100 texts between ")
        assert len(service.batches) == 8


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("bad", [{0}, {437}, {799}, {3, 437, 440}])
def test_bad_texts_among_800_are_found(width: int, bad: set[int]) -> None:
    """Each costs at most 2 log2(n) + 2 requests, and the others none of their vectors."""
    names = {f"{index:x}" for index in bad}
    service = accepts(lambda some: not names.intersection(some))

    error = failed(service, texts(800), max_concurrency=width)

    assert error.indexes == tuple(sorted(bad))
    assert {i: v.tolist() for i, v in error.partial.items()} == {
        i: virtual.vector(text) for i, text in enumerate(texts(800)) if i not in bad
    }
    assert len(service.batches) <= 8 + len(bad) * (2 * 7 + 2)


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize(("most", "ideal"), [(1, 800), (37, 32)])
@pytest.mark.parametrize("message", ["", "40 instance(s) is not allowed. Max allowed: {}."])
def test_a_largest_request_is_found(width: int, most: int, ideal: int, message: str) -> None:
    """A service that takes few texts a request gets few, in words that nobody knows or none."""
    service = accepts(lambda some: len(some) <= most, message=message.format(most))

    embedded(service, texts(800), max_concurrency=width)
    assert len(service.batches) <= ideal + width + 2 * 7

    service.batches.clear()
    embedded(service, texts(800), max_concurrency=width)
    assert len(service.batches) == ideal


def test_a_named_size_is_tried_first() -> None:
    """Words that are known shorten the way: one refused request for each that was under way."""
    message = "batchSize must be 37 but the entered value was 100."
    service = accepts(lambda some: len(some) <= 37, message=message)

    embedded(service, texts(800), max_concurrency=1)

    assert len(service.batches) == 1 + ceil(800 / 37)


def test_bad_texts_where_requests_are_small_too() -> None:
    """Both at once: what is too many is told from what is bad."""
    service = accepts(lambda some: len(some) <= 37 and "bad1b5" not in some)

    wanted = [f"bad{i:x}" if i == 437 else f"{i:x}" for i in range(800)]
    error = failed(service, wanted)

    assert error.indexes == (437,)
    assert len(error.partial) == 799
    assert len(service.batches) < 90


@settings(max_examples=60)
@given(
    data=st.data(),
    count=st.integers(1, 120),
    size=st.integers(1, 40),
    width=st.integers(1, 8),
    most=st.integers(1, 50),
    limit=st.sampled_from([float("inf"), 60.0]),
    message=st.sampled_from(
        ["", "batchSize must be 3", "payload size exceeds", "input token count is 9 but"]
    ),
)
def test_whatever_is_refused_every_text_ends(  # noqa: PLR0917 - hypothesis
    data: st.DataObject,
    count: int,
    size: int,
    width: int,
    most: int,
    limit: float,
    message: str,
) -> None:
    """Bad texts, few texts a request, lies, 503s and quotas at once: no text is lost."""
    limits._limits.clear()
    bad = {f"{i:x}" for i in data.draw(st.sets(st.integers(0, count - 1), max_size=3))}
    busy = iter(data.draw(st.lists(st.booleans(), max_size=20)))
    service = Service(limit=limit, named=True)

    def trouble(batch: Batch) -> tuple[float, float] | GeminiEmbedError:
        if next(busy, False):
            return ServiceUnavailableError("503")
        if len(batch.texts) > most or bad.intersection(batch.texts):
            refused = copy.copy(WORDLESS)
            refused.message = message
            return refused
        return data.draw(WAYS)

    service.trouble = trouble
    call = {"batch_size": size, "max_retries": 1000}
    if not bad:
        embedded(service, texts(count), call=call, max_concurrency=width)
        return
    error = failed(service, texts(count), call=call, max_concurrency=width)
    assert all(error.partial[i].tolist() == virtual.vector(f"{i:x}") for i in error.partial)
    if "texts alone are refused" in str(error):
        assert len(bad) > 1  # two of them happened to be tried first
    else:
        assert {f"{i:x}" for i in error.indexes} == bad
        assert len(error.partial) == count - len(bad)


@pytest.mark.parametrize("status", [400, 413])
def test_a_largest_body_is_found(status: int) -> None:
    """A gateway that takes a tenth of what Google takes gets that; a larger text is named."""
    long = "x" * 10_000
    message = "" if status == 413 else "Request payload size exceeds the limit: 400000 bytes."
    wanted = [f"{i}{long * (50 if i == 77 else 1)}" for i in range(200)]
    service = accepts(lambda some: sum(map(len, some)) < 400_000, status=status, message=message)

    error = failed(service, wanted, max_concurrency=2)

    assert error.indexes == (77,)
    assert len(error.partial) == 199
    assert len(service.batches) < 30


def test_a_body_has_four_mebibytes_until_more_has_passed() -> None:
    """Long texts share a request up to there; one that is longer is tried, alone."""
    service = Service()
    embedded(service, [f"{i}" + "x" * 500_000 for i in range(9)], max_concurrency=1)
    assert [len(batch.texts) for batch in service.batches] == [8, 1]

    service.batches.clear()
    embedded(service, ["x" * 6_000_000, *(f"{i}" + "x" * 500_000 for i in range(11))])
    assert [len(batch.texts) for batch in service.batches] == [1, 8, 3]
    embedded(service, [f"{i}" + "y" * 500_000 for i in range(11)])
    assert [len(batch.texts) for batch in service.batches[3:]] == [11]
