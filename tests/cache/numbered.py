"""Keys for tests that need many."""

from __future__ import annotations

from gemini_embed.cache import cache_keys
from gemini_embed.tasks import WireText


def key(number: int) -> str:
    wire = WireText(str(number))
    return cache_keys([wire], model="gemini-embedding-2", dimension=8, service=None)[0]
