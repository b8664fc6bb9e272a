from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gemini_embed import GeminiEmbedder, InvalidInputError, errors

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, Exception)
]


@pytest.mark.parametrize("error_class", ALL)
def test_every_error_survives_a_process_boundary(
    error_class: type[errors.GeminiEmbedError],
) -> None:
    """A worker's error arrives in the parent with its text, its evidence and its partial work."""
    error = error_class("what happened")
    error.partial = {3: np.array([1, 2], np.float32)}
    error.indexes = (4,)
    if isinstance(error, errors.QuotaExceededError):
        error.retry_after, error.quota_value = 33.5, 100

    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(back) is error_class
    assert str(back) == "what happened"
    assert back.indexes == (4,)
    assert back.partial[3].tolist() == [1, 2]
    if isinstance(back, errors.QuotaExceededError):
        assert (back.retry_after, back.quota_value) == (33.5, 100)


@pytest.mark.parametrize("error_class", ALL)
def test_one_except_clause_catches_them_all(error_class: type[Exception]) -> None:
    """`except GeminiEmbedError` is enough."""
    assert issubclass(error_class, errors.GeminiEmbedError)


def test_the_drawn_tree_names_every_error() -> None:
    """The module's docstring is the tree, complete."""
    assert errors.__doc__ is not None
    assert all(error_class.__name__ in errors.__doc__ for error_class in ALL)


def test_what_the_caller_did_wrong_is_a_value_error() -> None:
    """Existing `except ValueError` clauses keep working."""
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.InvalidInputError, ValueError)


@pytest.mark.parametrize("error_class", ALL)
@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own bytes
        lambda error: type(error)(*error.args),
    ],
    ids=["copy", "deepcopy", "pickle", "args"],
)
def test_every_error_can_be_made_again(
    error_class: type[errors.GeminiEmbedError], again: Callable[[Exception], Exception]
) -> None:
    """Libraries copy errors, or make them again from their class and args."""
    error = error_class("what happened")

    made = again(error)

    assert (type(made), str(made), made.args) == (error_class, "what happened", error.args)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda error: type(error)(*error.args)]
)
def test_an_input_error_made_again_knows_its_text(
    again: Callable[[InvalidInputError], InvalidInputError],
) -> None:
    """A copy says which text, and why; it never says text -1, which is the last one in Python."""
    made = again(InvalidInputError("text 3 is blank", index=3, reason="blank"))

    assert (str(made), made.index, made.reason) == ("text 3 is blank", 3, "blank")
    assert made.indexes == (3,)
    assert InvalidInputError("from its message alone").index is None
    assert InvalidInputError("from its message alone").indexes == ()


def _refused(texts: list[str]) -> None:
    GeminiEmbedder(api_key="k").embed(texts, role="document")


def test_a_process_pool_hands_an_input_error_over() -> None:
    """A worker's refusal of a text arrives as it was raised there."""
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
        pytest.raises(InvalidInputError, match="text 1") as caught,
    ):
        pool.submit(_refused, ["a text", " "]).result()

    assert (caught.value.index, caught.value.reason) == (1, "blank")
