from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

from gemini_embed import errors

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
