"""Copies of a model, in every way that frameworks copy things."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, TypeVar

import cloudpickle

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


def copies_of(made: M, fresh: bytes) -> list[M]:
    """Return one of each way.

    Args:
        made: The model, after its first use.
        fresh: Its pickle, from before that.
    """
    return [
        pickle.loads(fresh),  # noqa: S301 - our own bytes
        pickle.loads(pickle.dumps(made)),  # noqa: S301 - likewise
        pickle.loads(cloudpickle.dumps(made)),  # noqa: S301 - likewise
        copy.deepcopy(made),
        made.model_copy(deep=True),
    ]
