"""The version, here and nowhere else: builds of the distribution read it from this file."""

from __future__ import annotations

__version__ = "0.2.0"
