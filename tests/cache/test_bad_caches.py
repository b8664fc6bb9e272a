"""A cache that fails, lies or is damaged costs no vector, and spoils none."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
import warnings
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import sent_texts, vectors_of

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gemini_embed import GeminiEmbedder

    Maker = Callable[..., GeminiEmbedder]


TEXTS = [f"text number {i}" for i in range(250)]


TWO = "gemini-embedding-2"


class Failing:
    """A cache that fails as few would expect."""

    def __init__(self, error: type[BaseException], *, when: str) -> None:
        self.error, self.when = error, when

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.when == "get":
            raise self.error
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:  # noqa: ARG002 - of the protocol
        if self.when == "set":
            time.sleep(0.02)  # longer than is waited for on the spot
            raise self.error


@pytest.mark.parametrize("when", ["get", "set"])
@pytest.mark.parametrize("error", [CancelledError, asyncio.CancelledError, StopIteration, OSError])
def test_however_a_cache_fails_it_costs_no_vector(
    when: str, error: type[BaseException], embedder: Maker
) -> None:
    """Errors that asyncio takes for its own are a warning as any other, and nothing hangs."""
    with pytest.warns(UserWarning, match="the cache (is not used|keeps nothing)"):
        result = embedder(cache=Failing(error, when=when)).embed(TEXTS, role="document")

    assert (result.vectors == embedder().embed(TEXTS, role="document").vectors).all()


class Broken:
    """A cache whose server is down."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        raise ConnectionError(f"no route, {len(keys)}")

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        raise ConnectionError(f"no route, {len(pairs)}")


class Lying(Broken):
    """A cache that returns what is not a vector."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        sizes = [b"", b"abc", bytes(4 * 3072), np.full(3072, np.nan, np.float32).tobytes()]
        return [sizes[i % 4] for i, _ in enumerate(keys)]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Forget them."""


@pytest.mark.parametrize("cache", [Broken(), Lying()])
def test_a_bad_cache_never_costs_or_spoils_a_vector(
    cache: Any, server: Standin, embedder: Maker
) -> None:
    """What a cache cannot do is warned about; what it returns is checked."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vectors = embedder(cache=cache).embed(TEXTS, role="document").vectors

    contents = [f"title: none | text: {text}" for text in TEXTS]
    assert (vectors == vectors_of(server, contents, model=TWO)).all()
    told = [str(one.message) for one in caught if "cache" in str(one.message)]
    assert len(told) == 1
    assert ("no route" if type(cache) is Broken else "250; their texts") in told[0]


class Kept(dict[str, bytes]):
    """A cache in memory, for tests to look into."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        self.update(pairs)


def test_what_is_not_as_it_was_kept_is_asked_for_again(server: Standin, embedder: Maker) -> None:
    """A flipped bit, another text's vector: told once a call, never served, and mended."""
    cache = Kept()
    right = embedder(cache=cache).embed(TEXTS, role="document").vectors
    keys = list(cache)
    flipped = bytearray(cache[keys[0]])
    flipped[100] ^= 1
    cache[keys[0]] = bytes(flipped)
    cache[keys[1]], cache[keys[2]] = cache[keys[2]], cache[keys[1]]
    sent = len(server.log)

    with pytest.warns(UserWarning, match="damaged vectors in the cache Kept: 3") as told:
        again = embedder(cache=cache).embed(TEXTS, role="document").vectors

    assert len(told) == 1
    assert (again == right).all()
    assert [len(texts) for texts in sent_texts(server)[sent:]] == [3]
    assert (embedder(cache=cache).embed(TEXTS, role="document").vectors == right).all()
    assert len(server.log) == sent + 1


def test_a_damaged_row_of_the_file_is_mended(server: Standin, embedder: Maker, path: Path) -> None:
    """The file that comes with the project keeps the fresh vector in the damaged one's place."""
    right = embedder(cache=path).embed(["a"], role="query").vectors
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vectors SET value = zeroblob(length(value)) WHERE value <> ''")
    connection.close()

    with pytest.warns(UserWarning, match=re.escape(f"damaged vectors in the cache {path}: 1")):
        again = embedder(cache=path).embed(["a"], role="query").vectors

    assert (again == right).all()
    assert (embedder(cache=path).embed(["a"], role="query").vectors == right).all()
    assert len(server.log) == 2


def test_a_damaged_vector_of_the_models_own_size_is_told_of(
    server: Standin, embedder: Maker
) -> None:
    """It would have served the smaller one; the next call has that from the cache."""
    cache = Kept()
    embedder(cache=cache).embed(["a"], role="query")
    (key,) = cache
    cache[key] = b"\1" + cache[key][1:]
    small = embedder(cache=cache, output_dimensionality=128)

    with pytest.warns(UserWarning, match="damaged vectors .*: 1"):
        first = small.embed(["a"], role="query").vectors

    assert (small.embed(["a"], role="query").vectors == first).all()
    assert len(server.log) == 2


def test_vectors_that_were_kept_before_there_were_seals_are_used(
    server: Standin, embedder: Maker
) -> None:
    """A file of an older release goes on being worth what was paid for it."""
    cache = Kept()
    right = embedder(cache=cache).embed(TEXTS, role="document").vectors
    cache.update({key: value[: 4 * 3072] for key, value in cache.items()})
    sent = len(server.log)

    assert (embedder(cache=cache).embed(TEXTS, role="document").vectors == right).all()
    assert len(server.log) == sent


class Short(Kept):
    """A cache that leaves out what it does not know."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [value for value in super().get_many(keys) if value is not None]


def test_a_cache_that_returns_too_few_values_is_not_used(embedder: Maker) -> None:
    """Which value is whose could not be told."""
    cache = Short()

    with pytest.warns(UserWarning, match="0 values came back for 250 keys"):
        vectors = embedder(cache=cache).embed(TEXTS, role="document").vectors

    assert (vectors == embedder().embed(TEXTS, role="document").vectors).all()


class Leaving(Broken):
    """A cache that ends the program."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        raise SystemExit(len(keys))


def test_a_cache_that_exits_ends_its_caller_only(embedder: Maker) -> None:
    """`sys.exit()` in a cache ends the caller, not what others do at the time."""
    with Standin(latency=0.3) as slow, ThreadPoolExecutor(1) as pool:
        bystander = pool.submit(embedder(base_url=slow.url).embed, ["a"], role="query")
        while not slow.log:
            time.sleep(0.001)
        with pytest.raises(SystemExit):
            embedder(cache=Leaving()).embed(["a"], role="query")

        assert bystander.result().vectors.shape == (1, 3072)
