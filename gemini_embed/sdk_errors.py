"""Refusals that are errors of Google's SDK too, for code that catches those.

Loads the SDK: for `transport`, and for whoever unpickles such an error.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from google.genai.errors import APIError, ClientError, ServerError

from gemini_embed.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

E = TypeVar("E", bound=RequestError)


class _JointError(RequestError):
    """What is common to the joint classes.

    Attributes:
        code: HTTP status, as in the SDK; `status` is the same here.
        details: The body of the answer, as in the SDK.
        response: None. The SDK's holds the request, with its key.
    """

    code: int
    details: Any
    response = None
    _parts: tuple[type[RequestError], type[APIError]]

    def recast(self, error_class: type[E], message: str) -> E:
        """Return an error of another class of ours, which is one of the SDK's as well."""
        return _joined(super().recast(error_class, message), self._parts[1], self.details)

    def __reduce__(self) -> tuple[Callable[..., RequestError], tuple[Any, ...], dict[str, Any]]:
        return _again, (*self._parts, self.args), self.__dict__


def as_sdk_error(error: E, cause: APIError) -> E:
    """Return a refusal that is an instance of the SDK's class too, with its `code` and `details`.

    The SDK's `status` is a word, which is `reason` here; `status` stays the number.
    """
    kinds = (ClientError, ServerError, APIError)
    return _joined(error, next(kind for kind in kinds if isinstance(cause, kind)), cause.details)


def _joined(error: E, theirs: type[APIError], details: Any) -> E:
    made: E = _again(type(error), theirs, error.args)
    made.__dict__.update(error.__dict__, code=error.status, details=details)
    made.__cause__ = error.__cause__
    return made


def _again(ours: Any, theirs: Any, args: tuple[Any, ...]) -> Any:
    return _joint_class(ours, theirs)(*args)


@cache
def _joint_class(ours: Any, theirs: Any) -> Any:
    named = {name: getattr(ours, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(ours.__name__, (_JointError, ours, theirs), {**named, "_parts": (ours, theirs)})
