"""Vectors that were paid for once are not paid for again."""

from __future__ import annotations

from os import PathLike

from gemini_embed.cache.guard import GuardedCache
from gemini_embed.cache.keys import Cache, cache_keys
from gemini_embed.cache.sqlite import SQLiteCache, Stats, default_path
from gemini_embed.errors import ConfigurationError

__all__ = ["Cache", "SQLiteCache", "Stats", "cache_keys", "cache_of", "default_path"]


def cache_of(given: bool | str | PathLike[str] | Cache) -> GuardedCache:
    """Return the cache that a value of the `cache` option means.

    Raises:
        ConfigurationError: It means none.
    """
    if given is True or isinstance(given, str | PathLike):
        return GuardedCache(SQLiteCache(None if given is True else given))
    if not isinstance(given, bool) and hasattr(given, "get_many") and hasattr(given, "set_many"):
        return GuardedCache(given)
    raise ConfigurationError(
        "cache must be True, a path, or an object with get_many and set_many, "
        f"not {type(given).__name__}"
    )
