"""Guards a cache: its failures cost no vector, and the user is warned of each kind once."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, TypeVar

from gemini_embed.background import process
from gemini_embed.errors import ConfigurationError
from gemini_embed.notices import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.cache.keys import Cache
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.pacing.counting import Book

T = TypeVar("T")

_READING = "the cache is not used for the rest of this call"
_WRITING = "the cache keeps nothing for the rest of this call"


class CacheFailure(Exception):  # noqa: N818 - not raised to users, who get the warning
    """The cache failed, and the user has been warned."""


class GuardedCache:
    """A cache that warns of each kind of failure once, and again only after it worked meanwhile.

    After a failure to read, a call reads no more from it, and likewise with writing; the next call
    tries again.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._lock = process.new_lock()
        self._troubles: set[str] = set()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none.

        Raises:
            CacheFailure: It cannot be read now.
            ConfigurationError: It can never be read as it is configured.
        """
        return self._do(_READING, self._values, keys)

    def _values(self, keys: Sequence[str]) -> list[bytes | None]:
        values = self._cache.get_many(keys)
        if len(values) != len(keys):
            raise ValueError(f"{len(values)} values came back for {len(keys)} keys")
        return values

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Store values under their keys.

        Raises:
            CacheFailure: It cannot be written now.
            ConfigurationError: It can never be written as it is configured.
        """
        self._do(_WRITING, self._cache.set_many, pairs)

    @property
    def file(self) -> SQLiteCache | None:
        """The cache itself, where it is a file of ours."""
        from gemini_embed.cache.sqlite import SQLiteCache  # noqa: PLC0415 - loads sqlite3

        return self._cache if isinstance(self._cache, SQLiteCache) else None

    def day_book(self, account: str) -> Book | None:
        """Return where texts of a day are counted; None where the cache is no file of ours."""
        make = getattr(self._cache, "day_book", None)
        return None if make is None else make(account)

    def tell_late(self, *, reading: bool) -> None:
        """Warn that the cache gave no answer before the deadline of a call."""
        error = TimeoutError("no answer by the call's deadline")
        self._failure(_READING if reading else _WRITING, error)

    def tell_damaged(self, count: int) -> None:
        """Warn of values that are no longer what was stored."""
        name = getattr(self._cache, "path", type(self._cache).__name__)
        warn(f"damaged vectors in the cache {name}: {count}; their texts are sent again")

    def _do(self, what: str, work: Callable[..., T], *args: object) -> T:
        try:
            outcome = work(*args)
        except ConfigurationError:
            raise
        except (Exception, asyncio.CancelledError, CancelledError) as error:
            raise self._failure(what, error) from error
        with self._lock:
            self._troubles.discard(what)
        return outcome

    def _failure(self, what: str, error: BaseException) -> CacheFailure:
        with self._lock:
            is_new = what not in self._troubles
            self._troubles.add(what)
        if is_new:
            warn(
                f"{what} ({type(self._cache).__name__}: {type(error).__name__}: {error}). The "
                "next call tries again, and says nothing new while this lasts"
            )
        return CacheFailure(what)


class UnguardedCache(GuardedCache):
    """A cache whose failures are raised: where vectors go nowhere else, they are no trifle."""

    def _do(self, what: str, work: Callable[..., T], *args: object) -> T:  # noqa: ARG002 - as above
        return work(*args)
