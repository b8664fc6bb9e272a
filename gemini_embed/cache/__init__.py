"""Stores vectors, so that nobody pays twice for the same text."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from gemini_embed.cache.guard import GuardedCache
from gemini_embed.cache.keys import Cache, cache_keys
from gemini_embed.cache.paths import default_path

if TYPE_CHECKING:
    from gemini_embed.cache.sqlite import SQLiteCache, Stats

__all__ = ["Cache", "SQLiteCache", "Stats", "cache_keys", "cache_of", "default_path"]


def cache_of(given: Literal[True] | str | PathLike[str] | Cache) -> GuardedCache:
    """Return the cache that a value of the `cache` option means, once it is checked."""
    if given is not True and not isinstance(given, str | PathLike):
        return GuardedCache(given)
    from gemini_embed.cache.sqlite import SQLiteCache  # noqa: PLC0415 - loads sqlite3

    return GuardedCache(SQLiteCache() if given is True else SQLiteCache(given))


def __getattr__(name: str) -> Any:
    if name in {"SQLiteCache", "Stats"}:  # load sqlite3, which few calls need
        from gemini_embed.cache import sqlite  # noqa: PLC0415 - only where it is used

        return getattr(sqlite, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
