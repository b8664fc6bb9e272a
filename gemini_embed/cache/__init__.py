"""Stores vectors, so that nobody pays twice for the same text."""

from __future__ import annotations

from os import PathLike
from typing import Literal

from gemini_embed.cache.guard import GuardedCache
from gemini_embed.cache.keys import Cache, cache_keys
from gemini_embed.cache.paths import default_path
from gemini_embed.cache.sqlite import SQLiteCache, Stats

__all__ = ["Cache", "SQLiteCache", "Stats", "cache_keys", "cache_of", "default_path"]


def cache_of(given: Literal[True] | str | PathLike[str] | Cache) -> GuardedCache:
    """Return the cache that a value of the `cache` option means, once it is checked."""
    if given is True:
        return GuardedCache(SQLiteCache())
    return GuardedCache(SQLiteCache(given) if isinstance(given, str | PathLike) else given)
