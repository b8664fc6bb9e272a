"""Warnings that point at the caller's line. Performs no I/O.

Python shows a warning once a line: one that points into a library would appear once for all callers
together, and lead nobody to the line that has to change. On the I/O thread there is no line of the
caller's, so a warning from there is kept, and issued when the caller has its answer.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from gemini_embed.redaction import Secrets

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

_NOT_CALLERS = frozenset(
    {
        "gemini_embed",
        "langchain_gemini_embed",
        "llamaindex_gemini_embed",
        # They call us for somebody else.
        "asyncio",
        "concurrent",
        "contextlib",
        "copy",
        "dataclasses",
        "functools",
        "langchain_core",
        "llama_index",
        "llama_index_instrumentation",
        "pydantic",
        "threading",
    }
)

_MOST_NAMED = 10

_notices: ContextVar[Notices | None] = ContextVar("notices", default=None)


class Notices:
    """The warnings of one call, kept until it is over."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, type[Warning]]] | None = []

    def collect_here(self) -> None:
        """Keep all warnings from here on, of this task and of those it starts."""
        _notices.set(self)

    def collect(self, message: str, category: type[Warning]) -> bool:
        """Keep a warning, unless the call is over."""
        if self._kept is None:
            return False
        self._kept.append((message, category))
        return True

    def tell(self) -> None:
        """Issue what was kept, at the caller's line."""
        kept, self._kept = self._kept, None
        for message, category in kept or ():
            warn(message, category)


@contextmanager
def told(notices: Notices) -> Generator[None]:
    """Issue what was kept of a call when it is over.

    Where Python makes errors of warnings, an error of the call itself goes first.
    """
    try:
        yield
    except BaseException:
        with suppress(Warning):
            notices.tell()
        raise
    notices.tell()


def listed(places: Sequence[int]) -> str:
    """Return which texts some places in a list are, for a warning: the first ones."""
    more = ", ..." if len(places) > _MOST_NAMED else ""
    return f"text{'s'[: len(places) - 1]} {', '.join(map(str, places[:_MOST_NAMED]))}{more}"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that is neither ours nor of a library that calls us.

    A message may quote an address, a cache's for instance: a password in it is left out.
    """
    message = Secrets(()).without(message)
    notices = _notices.get()
    if notices is not None and notices.collect(message, category):
        return
    frame = _callers_frame()
    names = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=names.get("__name__", "<unknown>"),
        registry=names.setdefault("__warningregistry__", {}),
    )


def _callers_frame() -> FrameType:
    """Return the caller's frame; the outermost one where all are libraries'."""
    frame = sys._getframe(1)  # noqa: SLF001 - `inspect` reads source files, which takes long
    while frame.f_back is not None and _is_between(frame):
        frame = frame.f_back
    return frame


def _is_between(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] in _NOT_CALLERS
