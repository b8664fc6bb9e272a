"""Keys for tests that need many."""

from __future__ import annotations

from gemini_embed.cache import cache_keys
from gemini_embed.contents import Content


def key(number: int) -> str:
    content = Content.of(str(number))
    return cache_keys([content], model="gemini-embedding-2", dimension=8, service=None)[0]
