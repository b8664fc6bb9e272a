"""Imports that need the `[standin]` extra, and the error where it is missing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


def missing(package: str) -> ImportError:
    """Return the error that says how to install `package`."""
    return ImportError(
        f'the stand-in needs {package}: pip install "gemini-embed[standin]"', name=package
    )


@contextmanager
def extra_needed() -> Generator[None]:
    """Turn a failing import into the advice to install the extra.

    Raises:
        ImportError: A package was missing; the text names it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing(error.name or "another package") from error
