"""Refusals that are errors of Google's SDK too, for code that catches those.

Importing it loads the SDK: `transport` does, and whoever unpickles such an error.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from google.genai.errors import APIError, ClientError, ServerError

from gemini_embed.errors import RequestError, remade

if TYPE_CHECKING:
    from collections.abc import Callable

E = TypeVar("E", bound=RequestError)


class _JointError(RequestError):
    """What is common to the joint classes.

    Attributes:
        code: HTTP status, as in the SDK; `status` is the same here.
        response: None. The SDK's holds the request, with its key.
    """

    code: int | None
    response = None
    _parts: tuple[type[RequestError], type[APIError]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.code = self.status

    def recast(self, error_class: type[E], **changes: Any) -> E:
        """Return an error of another class of ours, which is one of the SDK's as well."""
        made: E = _joined(self, error_class, self._parts[1], changes)
        return made

    def __reduce__(self) -> tuple[Callable[..., RequestError], tuple[Any, ...], dict[str, Any]]:
        return _again, (*self._parts, self.args), self.__dict__


def as_sdk_error(error: E, cause: APIError) -> E:
    """Return a refusal that is an instance of the SDK's class too, with its `code`.

    The SDK's `status` is a word, which is `reason` here; `status` stays the number.
    """
    kinds = (ClientError, ServerError, APIError)
    theirs = next(kind for kind in kinds if isinstance(cause, kind))
    made: E = _joined(error, type(error), theirs, {})
    return made


def _joined(error: RequestError, ours: Any, theirs: Any, changes: dict[str, Any]) -> Any:
    return remade(error, _joint_class(ours, theirs), **changes)


def _again(ours: Any, theirs: Any, args: tuple[Any, ...]) -> Any:
    """Return such an error from its args: what pickles of it name."""
    return _joint_class(ours, theirs)(*args)


@cache
def _joint_class(ours: Any, theirs: Any) -> Any:
    named = {name: getattr(ours, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(ours.__name__, (_JointError, ours, theirs), {**named, "_parts": (ours, theirs)})
