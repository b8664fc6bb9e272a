"""Readers of what was recorded, for each test the same."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from real.recordings import Exchange, folder_of, quoted_refusals, recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder() -> Path:
    return folder_of(os.environ)


@pytest.fixture
def recorded(folder: Path) -> Callable[[str], Exchange]:
    """Return a reader of recordings, by name."""
    return partial(recording, folder)


@pytest.fixture
def quoted(folder: Path) -> Callable[[str], tuple[int, Any]]:
    """Return a reader of quoted refusals: part of an entry's description -> status, body."""
    listed = quoted_refusals(folder)

    def entry(part: str) -> tuple[int, Any]:
        (found,) = (one for one in listed if part in one["_kind"])
        return found["http"], found["body"]

    return entry
