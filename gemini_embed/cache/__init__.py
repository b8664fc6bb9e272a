"""Vectors that were paid for once are not paid for again."""

from gemini_embed.cache.keys import Cache, cache_key
from gemini_embed.cache.sqlite import SQLiteCache, Stats, default_path

__all__ = ["Cache", "SQLiteCache", "Stats", "cache_key", "default_path"]
