from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import gemini_embed
from gemini_embed.errors import BadResponseError
from gemini_embed.models import MODELS, Normalize, must_normalize
from gemini_embed.vectors import checked, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "2 texts were sent and 0 vectors"),
        ([[1.0, 2.0]], "2 texts were sent and 1 vectors"),
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


def test_truncate_is_prefix_then_length_one() -> None:
    """One set of stored vectors serves every smaller dimension."""
    assert gemini_embed.truncate([3.0, 4.0, 12.0], 2).tolist() == pytest.approx([0.6, 0.8])
    assert gemini_embed.truncate([[3.0, 4.0], [0.0, 2.0]], 2).shape == (2, 2)
    assert gemini_embed.truncate(np.ones((0, 4)), 2).shape == (0, 2)


@pytest.mark.parametrize(("vectors", "n"), [([1.0], 2), ([1.0], 0), ([0.0, 1.0], 1), (1.0, 1)])
def test_truncate_refuses_what_has_no_answer(vectors: list[float], n: int) -> None:
    """No direction is made up."""
    with pytest.raises(ValueError, match=r"n=|zeros|dimensions"):
        gemini_embed.truncate(vectors, n)
