"""What may be missing: the libraries of the dependency group `stores`."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


def needed(module: str) -> Any:
    """Import a library of the group; skip the test where it is not installed.

    With GEMINI_EMBED_STORES=1, as `make test-stores` sets it, a missing library is a failure.
    """
    if os.environ.get("GEMINI_EMBED_STORES") == "1":
        return importlib.import_module(module)
    return pytest.importorskip(
        module, reason=f"{module} is not installed: `make test-stores` brings it"
    )
