"""Where vectors go: each to its places, in the form that the caller wants."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import numpy as np
import pytest

from gemini_embed.calls.sink import Sink, sink_for
from gemini_embed.errors import BadResponseError
from gemini_embed.models import MODELS
from gemini_embed.results import EmbeddingResult, ListedResult, Wanted
from gemini_embed.usage import Usage

MODEL = MODELS["gemini-embedding-2"]
USAGE = Usage(0, None)


def sink(
    count: int, dimension: int = 2, *, as_lists: bool = False
) -> Sink[EmbeddingResult | ListedResult]:
    return sink_for(count, Wanted(dimension, normalize=False, as_lists=as_lists), MODEL)


def rows(*numbers: float, dimension: int = 2) -> np.ndarray:
    return np.outer(np.array(numbers, np.float32), np.ones(dimension, np.float32))


def found(held: Sink[EmbeddingResult | ListedResult]) -> list[list[float]]:
    result = held.result(USAGE)
    return result.lists if isinstance(result, ListedResult) else result.vectors.tolist()


@pytest.mark.parametrize("as_lists", [False, True])
def test_each_vector_is_at_all_its_places(as_lists: bool) -> None:
    """However often a text was given, and in whatever order answers come."""
    held = sink(5, as_lists=as_lists)

    assert held.place([(3,), (0, 4)], rows(1, 2)) == 3
    assert (held.done, held.missing) == (3, (1, 2))
    assert held.place([(2, 1)], rows(3)) == 2

    assert found(held) == [[2, 2], [3, 3], [3, 3], [1, 1], [2, 2]]


@pytest.mark.parametrize("as_lists", [False, True])
def test_a_vector_may_have_no_place_yet(as_lists: bool) -> None:
    """A piece waits for the others; a text beside it that was given twice gets its own vector."""
    wanted = Wanted(2, normalize=False, as_lists=as_lists, normalize_means=False)
    held = sink_for(4, wanted, MODEL, {1: 2})

    assert held.place([(0, 3), (2,), (1,)], rows(1, 2, 3), [1, 1, 1]) == 3
    assert held.missing == (1,)
    assert held.place([(1,)], rows(5), [1]) == 1

    assert found(held) == [[1, 1], [4, 4], [2, 2], [1, 1]]


@pytest.mark.parametrize("as_lists", [False, True])
def test_what_is_there_can_be_had_before_all_is(as_lists: bool) -> None:
    """As float32 arrays by place, which is what an error carries."""
    held = sink(3, as_lists=as_lists)
    held.place([(2,)], rows(0.1))

    partial = held.partial()

    assert list(partial) == [2]
    assert partial[2].dtype == np.float32
    assert (partial[2] == np.float32(0.1)).all()


@pytest.mark.parametrize("as_lists", [False, True])
def test_vectors_come_in_as_sent_and_out_as_wanted(as_lists: bool) -> None:
    """The service may be asked for more numbers than the caller wants, and for other lengths."""
    held = sink_for(1, Wanted(2, normalize=True, as_lists=as_lists), MODELS["gemini-embedding-001"])
    held.place([(0,)], np.array([[3, 4, 5]], np.float32))

    assert np.allclose(found(held), [[0.6, 0.8]])


def test_lists_are_all_that_is_held() -> None:
    """No array stands beside them: with a million texts that would be gigabytes."""
    count, dimension = 64, 1000
    block = np.random.default_rng(1).random((count, dimension), np.float32)
    gc.collect()
    tracemalloc.start()
    try:
        held = sink(count, dimension, as_lists=True)
        held.place([(place,) for place in range(count)], block)
        lists = found(held)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    numbers = count * dimension * sys.getsizeof(1.5)
    assert size < numbers + sum(map(sys.getsizeof, lists)) + 20_000  # an array: 256,000 more


@pytest.mark.parametrize("as_lists", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_vector_of_a_text_in_pieces_is_their_mean(as_lists: bool, normalize: bool) -> None:
    """In whatever order the pieces come, beside other texts that have the same vector."""
    wanted = Wanted(2, normalize=False, as_lists=as_lists, normalize_means=normalize)
    held = sink_for(3, wanted, MODEL, {1: 3})

    assert held.place([(1,), (0, 1)], np.array([[3, 0], [0, 1]], np.float32), [2, 1]) == 1
    assert held.missing == (1, 2)
    assert held.partial().keys() == {0}
    assert held.place([(2,), (1,)], np.array([[5, 5], [0, 3]], np.float32), [1, 3]) == 2

    mean = np.array([6, 1 + 9]) / 6
    expected = mean / np.linalg.norm(mean) if normalize else mean
    assert np.allclose(found(held), np.array([[0, 1], expected, [5, 5]]))


def test_pieces_without_a_mean_are_an_error() -> None:
    """Opposite vectors have none: no row of zeros is served as one."""
    held = sink_for(2, Wanted(2, normalize=False), MODEL, {1: 2})

    with pytest.raises(BadResponseError) as told:
        held.place([(1,), (1,)], rows(1, -1), [1, 1])

    assert told.value.indexes == (1,)
