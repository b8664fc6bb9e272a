"""What the calls of an embedder share: its quota, and its engine on the I/O thread.

The engine is made at the first call, and anew after it was closed or the process was forked.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from gemini_embed.background import loop, process
from gemini_embed.cache.paths import default_path
from gemini_embed.closing import Closing
from gemini_embed.configured import Configured
from gemini_embed.observe.watch import hooks
from gemini_embed.pacing.backoff import Backoff
from gemini_embed.pacing.quota import Quota
from gemini_embed.service.access import access_of, account_of

if TYPE_CHECKING:
    from gemini_embed.cache.ledger import QuotaFile
    from gemini_embed.calls.engine import Engine
    from gemini_embed.service.transport import Transport

_OF_THE_QUOTA = (
    *("model", "behaves_like", "api_key", "vertexai", "project", "location", "credentials"),
    *("base_url", "client", "quota", "requests_per_minute", "tokens_per_minute"),
    "requests_per_day",
)
"""The options that say which quota it is: Google has one for each model and project."""

_QUOTAS = "quotas.sqlite3"
"""The user's own file of quotas, beside that of the cache."""


class Connected(Configured, Closing):
    """An embedder's options, with the quota and the engine that its calls share."""

    def __post_init__(self) -> None:
        super().__post_init__()
        drawn_by = [getattr(self, name) for name in _OF_THE_QUOTA]
        if self._shared[0] != drawn_by:
            quota = self.quota if isinstance(self.quota, Quota) else self._own_quota()
            self._shared: tuple[list[Any], Quota] = drawn_by, quota
        self._engine: Engine | None = None

    def _own_quota(self) -> Quota:
        return Quota(
            self.requests_per_minute,
            self.tokens_per_minute,
            requests_per_day=self.requests_per_day,
            path=default_path(_QUOTAS) if self.quota == "shared" else None,
        )

    def _quota_file(self, account: str) -> QuotaFile | None:
        """Return the file of a quota that processes share; that of the user holds several."""
        if self._quota.path is None:
            return None
        from gemini_embed.cache.ledger import QuotaFile  # noqa: PLC0415 - loads sqlite3

        return QuotaFile(self._quota.path, account if self.quota == "shared" else "")

    @property
    def _quota(self) -> Quota:
        return self._shared[1]

    async def _ready_engine(self) -> Engine:
        """Return the engine, once there are credentials."""
        return self._made_engine() or await self._make_engine()

    async def _make_engine(self) -> Engine:
        from gemini_embed.calls.engine import Engine  # noqa: PLC0415 - loads numpy
        from gemini_embed.service.identity import identify  # noqa: PLC0415 - loads google-auth
        from gemini_embed.service.transport import Transport  # noqa: PLC0415 - loads the SDK

        access = access_of(self, self._backend, self._elsewhere)
        identity = await identify(access)
        if (made := self._made_engine()) is not None:
            return made  # others came first while credentials were looked for
        cache, account = self._cache, account_of(access, identity, self._service)
        ledger = self._quota_file(account)
        days = None if cache is None else cache.day_book(account)
        if days is None and ledger is not None:
            days = ledger.day_book(account)
        self._transport: Transport = Transport(access, identity)
        self._engine = Engine(
            self._transport,
            quota=self._quota,
            max_concurrency=self.max_concurrency,
            backoff=Backoff(
                self.retry_min_seconds, self.retry_max_seconds, self.retry_exponential_base
            ),
            cache=cache,
            observers=hooks(self.on_retry, self.on_progress),
            day_book=days,
            ledger=ledger,
            timeout=self.timeout,
            prices=self.prices,
        )
        return self._engine

    def _made_engine(self) -> Engine | None:
        """Return the engine, if it was made on this loop."""
        is_here = self._engine is not None and self._engine.loop is asyncio.get_running_loop()
        return self._engine if is_here else None

    def close(self) -> None:
        """Close the connections; a later call opens new ones.

        Calls under way keep theirs until they end, which is not waited for. Nobody has to close:
        connections close when the embedder goes, or with the process. A `client` of the caller's
        is left open.
        """
        if self._engine is None or loop.has_ended():
            return
        if loop.is_io_thread():  # where a `__del__` may run
            loop.begin(self._close)
        else:
            loop.run(self._close)

    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""
        if self._engine is not None and not loop.has_ended():
            await loop.arun(self._close)

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and engine.loop is asyncio.get_running_loop():
            await engine.aclose()


@cache
def load() -> None:
    """Import, once, what a call needs and takes long to load: numpy and the SDK."""
    with process.importing():
        import gemini_embed.calls.engine  # noqa: PLC0415 - see above
        import gemini_embed.service.identity  # noqa: PLC0415 - likewise
        import gemini_embed.service.transport  # noqa: F401, PLC0415 - likewise
