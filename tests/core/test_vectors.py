from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import vectors_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import gemini_embed
from gemini_embed.errors import BadResponseError
from gemini_embed.models import MODELS, Normalize, must_normalize
from gemini_embed.vectors import checked, unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from gemini_embed import GeminiEmbedder
    from gemini_embed.standin import Standin


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "2 texts were sent and 0 vectors"),
        ([[1.0, 2.0]], "2 texts were sent and 1 vector came"),
        ([[1.0, 2.0]] * 3, "2 texts were sent and 3 vectors"),
        ([[1.0, 2.0], []], "vector 1 of the answer has 0 numbers, not 2"),
        ([[1.0, 2.0], [1.0]], "vector 1 of the answer has 1 numbers"),
        ([[1.0, math.nan], [1.0, 2.0]], "vector 0 of the answer holds a number that is not"),
        ([[1.0, 2.0], [math.inf, 2.0]], "vector 1 of the answer holds a number that is not"),
        ([[1.0, 2.0], [1e39, 2.0]], "vector 1 of the answer holds a number that is not"),
        ([[0.0, 0.0], [1.0, 2.0]], "vector 0 of the answer is all zeros"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(
    rows: list[list[float]], said: str
) -> None:
    """A short, empty, misshapen or poisoned answer never becomes a result."""
    with pytest.raises(BadResponseError, match=said):
        checked(rows, count=2, dimension=2)


def test_one_text_is_one_text() -> None:
    """The error of a query reads as one."""
    with pytest.raises(BadResponseError, match=r"^1 text was sent and 0 vectors came back"):
        checked([], count=1, dimension=2)


@given(npst.arrays(np.float32, (3, 4), elements=st.floats(0.125, 8, width=32)))
def test_numbers_pass_exactly(block: NDArray[np.float32]) -> None:
    """float32 in, the same float32 out."""
    result = checked(block.tolist(), count=3, dimension=4)

    assert result.dtype == np.float32
    assert (result == block).all()


@pytest.mark.parametrize(
    ("model", "dimension", "normalize", "expected"),
    [
        ("gemini-embedding-001", 768, "auto", True),
        ("gemini-embedding-001", 3072, "auto", False),
        ("gemini-embedding-2", 768, "auto", False),
        ("gemini-embedding-2", 3072, "auto", False),
        ("gemini-embedding-2", 768, True, True),
        ("gemini-embedding-001", 768, False, False),
    ],
)
def test_vectors_are_normalised_where_the_service_does_not(
    model: str, dimension: int, normalize: Normalize, *, expected: bool
) -> None:
    """`normalize="auto"` touches only what comes back shorter than 1."""
    assert must_normalize(normalize, model=MODELS[model], dimension=dimension) is expected


@given(npst.arrays(np.float32, (5, 8), elements=st.floats(0.0078125, 1024, width=32)))
def test_unit_keeps_the_direction(block: NDArray[np.float32]) -> None:
    """Normalising changes length, not direction."""
    result = unit(block)

    assert np.allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)
    cosines = (result * block).sum(axis=1) / np.linalg.norm(block, axis=1)
    assert np.allclose(cosines, 1, atol=1e-5)


LARGEST, SMALLEST = 3.4028235e38, 1e-45


@pytest.mark.parametrize(
    "row",
    [
        [LARGEST, LARGEST, -LARGEST, LARGEST],
        [SMALLEST, 0, 0, 0],
        [SMALLEST, -3 * SMALLEST, 0, 2 * SMALLEST],
        [1, SMALLEST, 0, 0],
        [LARGEST, SMALLEST, 1, 0],
    ],
)
def test_unit_holds_for_every_float32(row: list[float]) -> None:
    """The largest and the smallest numbers become a vector of length 1 in their direction."""
    block = np.array([row, row[::-1]], np.float32)

    result = unit(block[:, ::-1])[:, ::-1].astype(np.float64)

    assert np.linalg.norm(result, axis=1) == pytest.approx(1, abs=1e-6)
    exact = block.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert result == pytest.approx(exact, abs=1e-6)


@given(
    npst.arrays(
        st.sampled_from([np.float32, np.float64, np.float16, np.int8, np.int64]),
        (3, 4),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    st.integers(1, 4),
)
def test_truncate_gives_length_one_or_an_error(block: NDArray[Any], n: int) -> None:
    """Whatever the numbers' type and size, a direction that is there is kept."""
    if not block[:, :n].any(axis=1).all():
        with pytest.raises(ValueError, match="all zeros"):
            gemini_embed.truncate(block, n)
        return

    result = gemini_embed.truncate(block, n)

    assert result.dtype == np.float32
    for row, numbers in zip(result.tolist(), block[:, :n].tolist(), strict=True):
        largest = max(map(abs, numbers))
        scaled = [number / largest for number in numbers]
        length = math.hypot(*scaled)
        assert row == pytest.approx([number / length for number in scaled], abs=1e-6)
        assert math.hypot(*row) == pytest.approx(1, abs=1e-6)


def test_truncate_takes_lists_and_arrays_alike() -> None:
    """Vectors that a store gives back as floats give the same bits as the array they came from."""
    block = np.random.default_rng(0).standard_normal((5, 32)).astype(np.float32)
    expected = gemini_embed.truncate(block, 20).tobytes()

    assert gemini_embed.truncate(block.tolist(), 20).tobytes() == expected
    assert gemini_embed.truncate(block.astype(np.float64), 20).tobytes() == expected
    assert gemini_embed.truncate(np.asfortranarray(block), 20).tobytes() == expected
    assert gemini_embed.truncate(block.astype(">f4"), 20).tobytes() == expected


def test_truncate_is_prefix_then_length_one() -> None:
    """One set of stored vectors serves every smaller dimension."""
    assert gemini_embed.truncate([3.0, 4.0, 12.0], 2).tolist() == pytest.approx([0.6, 0.8])
    assert gemini_embed.truncate([[3.0, 4.0], [0.0, 2.0]], 2).shape == (2, 2)
    assert gemini_embed.truncate(np.ones((0, 4)), 2).shape == (0, 2)


@pytest.mark.parametrize(
    ("vectors", "n", "said"),
    [
        ([1.0], 2, "n=2: vectors of 1 numbers give 1 to that many"),
        ([1.0], 0, "n=0"),
        (1.0, 1, "one or two dimensions"),
        ([0.0, 1.0], 1, "the first 1 numbers of vector 0 are all zeros"),
        ([[1, 0], [0, 1]], 1, "the first 1 numbers of vector 1 are all zeros"),
        ([[1.0, 2.0], [math.nan, 1.0]], 2, "the first 2 numbers of vector 1 are not all finite"),
        (np.array([1, math.inf], np.float32), 2, "the first 2 numbers of vector 0 are not all"),
        ([-math.inf, math.inf], 2, "the first 2 numbers of vector 0 are not all finite"),
    ],
)
def test_truncate_refuses_what_has_no_answer(vectors: ArrayLike, n: int, said: str) -> None:
    """No direction is made up."""
    with pytest.raises(ValueError, match=said):
        gemini_embed.truncate(vectors, n)


def test_what_is_cut_off_may_be_anything() -> None:
    """Only the numbers that are kept need to have a direction."""
    assert gemini_embed.truncate([0.0, 2.0, math.nan], 2).tolist() == [0, 1]


def test_a_longer_answer_that_begins_with_zeros_is_refused() -> None:
    """What is served of it would have no direction."""
    rows = [[1.0, 0.0, 2.0], [0.0, 0.0, 2.0]]

    with pytest.raises(BadResponseError, match="vector 1 of the answer begins with 2 zeros"):
        checked(rows, count=2, dimension=3, used=2)
    with pytest.raises(BadResponseError, match="vector 0 of the answer holds a number that is not"):
        checked([[1.0, 0.0, math.inf]], count=1, dimension=3, used=2)


def test_a_kept_vector_that_begins_with_zeros_gives_no_shorter_one(
    server: Standin, embedder: Callable[..., GeminiEmbedder], tmp_path: Path
) -> None:
    """The shorter vector is asked for then, as if nothing had been kept."""
    cache = tmp_path / "vectors.sqlite3"
    zeros_first = [0.0] * 128 + [1.0] * 2944
    server.script.append((200, {"embeddings": [{"values": zeros_first}] * 2}, {}))
    embedder(cache=cache).embed(["a", "b"], role="document")

    made = embedder(cache=cache, output_dimensionality=128)
    vectors = made.embed(["a", "b"], role="document").vectors

    as_sent = [f"title: none | text: {text}" for text in ("a", "b")]
    expected = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=128)
    assert (vectors == expected).all()
    assert len(server.log) == 2
