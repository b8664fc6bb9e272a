"""Which task suits some queries is decided by their labels, and not by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gemini_embed import ConfigurationError
from gemini_embed.dimensions import compare_tasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM = np.random.default_rng(7)
DOCUMENTS = RANDOM.normal(size=(300, 64))
LABELS = [{i: 1} for i in range(120)]


def near(distance: float) -> NDArray[np.float64]:
    """Return queries of the first documents, the worse the farther they are."""
    noise: NDArray[np.float64] = RANDOM.normal(size=(120, 64))
    return DOCUMENTS[:120] + distance * noise


def test_the_task_that_is_surely_better_is_advised() -> None:
    """Its nDCG is higher, beyond what the choice of queries explains."""
    queries = {"RETRIEVAL_QUERY": near(2.5), "FACT_VERIFICATION": near(1.0)}
    advice = compare_tasks(DOCUMENTS, queries, LABELS)

    assert advice.recommended == "FACT_VERIFICATION"
    assert advice.rows[1].change.low > 0
    assert "Take task_type='FACT_VERIFICATION'" in str(advice)
    assert "120 queries, and 200 say more" in str(advice)


def test_a_difference_by_chance_changes_nothing() -> None:
    """Queries that are as good as the others are no reason to move."""
    queries = {"RETRIEVAL_QUERY": near(2), "CODE_RETRIEVAL_QUERY": near(2)}
    advice = compare_tasks(DOCUMENTS, queries, LABELS)

    assert advice.recommended == "RETRIEVAL_QUERY"
    assert advice.rows[0].change == (0, 0, 0)
    assert "Stay with RETRIEVAL_QUERY" in advice.line


def test_a_few_queries_decide_nothing() -> None:
    """Two that are both better with another task may be so by chance."""
    queries = {"RETRIEVAL_QUERY": near(9)[:2], "FACT_VERIFICATION": near(0)[:2]}
    advice = compare_tasks(DOCUMENTS, queries, LABELS[:2])

    assert advice.recommended == "RETRIEVAL_QUERY"
    assert "so few queries tell nothing of others (2 queries, and 200 say more)" in advice.line


def test_the_queries_must_be_the_same_ones() -> None:
    """Else their means could not be compared."""
    queries = {"RETRIEVAL_QUERY": near(2), "CODE_RETRIEVAL_QUERY": near(2)[:50]}
    with pytest.raises(ConfigurationError, match="the same ones for each task"):
        compare_tasks(DOCUMENTS, queries, LABELS)
