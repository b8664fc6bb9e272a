"""What is in the cache is not sent, and what is new is."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import sent_texts

from gemini_embed import ConfigurationError, DailyQuotaError, GeminiEmbedder, RequestError
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]


TEXTS = [f"text number {i}" for i in range(250)]


TWO = "gemini-embedding-2"


ONE = "gemini-embedding-001"


def test_a_second_run_sends_nothing(server: Standin, embedder: Maker, path: Path) -> None:
    """What was embedded once is never paid for again, by any embedder on that file."""
    first = embedder(cache=path).embed(TEXTS, role="document").vectors
    sent = len(server.log)

    again = embedder(cache=str(path)).embed([*TEXTS, "new"], role="document")

    assert (again.vectors[:250] == first).all()
    assert sent_texts(server)[sent:] == [["title: none | text: new"]]
    assert again.usage.requests == 1


def test_what_is_new_here_and_there_travels_together(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """However many texts are looked up between them, new ones leave in full requests, in order."""
    texts = [f"text number {i}" for i in range(3500)]
    new = texts[::30]
    embedder(cache=path).embed([t for t in texts if t not in new], role="document")
    sent = len(server.log)

    vectors = embedder(cache=path).embed(texts, role="document").vectors

    asked = [f"title: none | text: {text}" for text in new]
    assert sent_texts(server)[sent:] == [asked[:100], asked[100:]]
    assert (vectors == embedder(cache=path).embed(texts, role="document").vectors).all()


class Watched:
    """A cache that knows nothing, and looks further texts up only when `meanwhile` is true."""

    def __init__(self, meanwhile: Callable[[], bool]) -> None:
        self.meanwhile = meanwhile
        self.looked_up: list[int] = []

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        end = time.monotonic() + 20
        while self.looked_up and not self.meanwhile():
            assert time.monotonic() < end
            time.sleep(0.001)
        self.looked_up.append(len(keys))
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Forget them."""


def test_the_first_are_sent_while_others_are_looked_up(server: Standin, embedder: Maker) -> None:
    """A long list is on its way long before all of it was looked up."""
    cache = Watched(lambda: len(server.log) >= 10)
    texts = [str(i) for i in range(2050)]

    embedder(cache=cache).embed(texts, role="document")

    assert cache.looked_up == [1000, 1000, 50]
    assert sorted(map(len, sent_texts(server))) == [50] + [100] * 20


def test_what_is_known_is_finished_whatever_happens_to_the_rest(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """A call that fails at its first text still hands over the known ones, the last included."""
    texts = [str(i) for i in range(2500)]
    kept = embedder(cache=path).embed(texts[1100:], role="document").vectors
    server.script.extend([(400, {"error": {"code": 400, "message": "no"}}, {})] * 50)

    with pytest.raises(RequestError) as caught:
        embedder(cache=path, max_concurrency=1).embed(texts, role="document")

    assert sorted(caught.value.partial) == list(range(1100, 2500))
    assert all((caught.value.partial[1100 + i] == kept[i]).all() for i in range(1400))


class Stuck:
    """A cache whose writes take as long as they are let."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:  # noqa: ARG002 - of the protocol
        self.entered.set()
        assert self.leave.wait(20)


def test_a_slow_cache_holds_nobody_else_up(embedder: Maker) -> None:
    """While one call waits for its cache, other calls are answered."""
    cache = Stuck()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(embedder(cache=cache).embed, ["a"], role="document")
        assert cache.entered.wait(20)

        other = embedder().embed(["b"], role="query").vectors

        assert not slow.done()
        cache.leave.set()
        assert slow.result(20).vectors.shape == other.shape


def test_each_kind_of_request_has_its_own_vector(embedder: Maker, path: Path) -> None:
    """The same text as query, document, titled, in another model or dimension is never mixed up."""
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"model": model, "output_dimensionality": size}, {"role": role, "titles": titles})
        for model in (ONE, TWO)
        for size in (256, 128)
        for role, titles in (("query", None), ("document", None), ("document", ["T"]))
    ]
    uncached = [embedder(**o).embed(["a"], **c).vectors for o, c in asked]

    for _ in range(2):
        for (options, call), right in zip(asked, uncached, strict=True):
            got = embedder(cache=path, **options).embed(["a"], **call).vectors
            assert np.allclose(got, right, atol=1e-6)
    assert len({vector.tobytes() for vector in uncached}) == len(asked)


@pytest.mark.parametrize("model", [ONE, TWO])
def test_a_smaller_vector_comes_from_the_full_one(
    model: str, server: Standin, embedder: Maker, path: Path
) -> None:
    """A vector kept at the model's own dimension serves every smaller one, as the service would."""
    embedder(model=model, cache=path).embed(TEXTS, role="document")
    sent = len(server.log)

    small = embedder(model=model, cache=path, output_dimensionality=256)
    vectors = small.embed(TEXTS, role="document").vectors

    assert len(server.log) == sent
    right = embedder(model=model, output_dimensionality=256).embed(TEXTS, role="document").vectors
    assert np.allclose(vectors, right, atol=1e-6)


@pytest.mark.parametrize("normalize", ["auto", False])
@pytest.mark.parametrize("model", [ONE, TWO])
def test_the_full_dimension_can_be_kept_and_cut_here(
    model: str, normalize: Any, server: Standin, embedder: Maker, path: Path
) -> None:
    """`cache_full_dimension` asks for 3072 once; any dimension is then free."""
    options = {"model": model, "normalize": normalize}
    for size in (256, 128):
        made = embedder(
            cache=path, cache_full_dimension=True, output_dimensionality=size, **options
        )
        vectors = made.embed(TEXTS[:20], role="query").vectors
        bare = embedder(output_dimensionality=size, **options).embed(TEXTS[:20], role="query")
        assert np.allclose(vectors, bare.vectors, atol=1e-6)

    asked = [exchange.body["requests"][0].get("outputDimensionality") for exchange in server.log]
    assert asked == [None, 256, 128]


def test_what_arrived_before_an_error_is_kept(embedder: Maker, path: Path) -> None:
    """After a spent day the next run pays for the rest only, and asks no more on that day."""
    with Standin(requests_per_day=200) as poor:
        for _ in range(2):
            made = embedder(cache=path, max_concurrency=1, base_url=poor.url)
            with pytest.raises(DailyQuotaError) as caught:
                made.embed(TEXTS, role="document")
            assert len(caught.value.partial) == 200
        assert [len(texts) for texts in sent_texts(poor)] == [100, 100, 50]


def test_another_services_vectors_are_other_vectors(embedder: Maker, path: Path) -> None:
    """A file filled from the stand-in is not believed when talking to another address."""
    embedder(cache=path).embed(["a"], role="query")
    with Standin() as other:
        embedder(cache=path, base_url=other.url).embed(["a"], role="query")

        assert len(other.log) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache": 3},
        {"cache_full_dimension": True},
        {"cache": True, "cache_full_dimension": True, "model": "text-embedding-005"},
    ],
)
@pytest.mark.filterwarnings("ignore:text-embedding-005")
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """A mistake is told when the embedder is built."""
    with pytest.raises(ConfigurationError, match="cache"):
        GeminiEmbedder(**wrong)
