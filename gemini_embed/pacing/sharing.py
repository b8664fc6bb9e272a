"""One quota for all processes of a machine: each tells the others what it sends, and its outcome.

A ledger, which is a file, holds these events in one order. Each process tells its own `Limiter` of
those of the others, as if they were its own: so all know the same of the window, of the load's
pace, and of what refusals taught. A request leaves once its event is in the ledger, and that goes
in only if nothing was sent since that its process has not taken into account.

Times are seconds of the machine's monotonic clock, which is the I/O loop's. Runs on that loop; a
worker thread waits for the file.
"""

from __future__ import annotations

import asyncio
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from gemini_embed.background.threads import in_thread
from gemini_embed.errors import ConfigurationError, QuotaExceededError
from gemini_embed.notices import warn
from gemini_embed.pacing.learning import PERIOD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.pacing.limiter import Limiter
    from gemini_embed.pacing.window import Sent

Clock: TypeAlias = "Callable[[], float]"
"""Returns seconds of the machine's clock; read when the file is at hand, which may take a while."""

Kind = Literal["sent", "answered", "failed", "unsent", "refused", "asked"]
"""What happened: a request left, it ended in one of four ways, or a query waits."""

_LONGEST = 600.0
"""Seconds after which a request has surely ended, where it has no timeout."""

_LATE = 1.0
"""Seconds: a request that leaves so long after it was counted is counted anew."""

_ASKED_AGAIN = 1.0
"""Seconds until it is told again that a query waits."""

_KEPT = 60.0
"""Seconds for which an event is kept longer than it counts."""

_BELIEVED = 12 * PERIOD
"""Seconds for which a refusal is kept: what it names is believed for as long."""

_PAUSE = 60.0
"""Seconds for which a file is left alone that could not be used."""


class Event(NamedTuple):
    """Something that the other processes must know.

    Attributes:
        kind: What happened.
        process: Whose it is.
        number: Of the request, in its process.
        at: When.
        kept_until: When nobody needs it any more.
        texts: In the request.
        tokens: As estimated; of an answer, as reported.
        is_query: Whether it is a query.
        ends_by: When a request has surely ended, though its process may have died meanwhile.
        backoff: The wait after a refusal that names none.
        retry_after: What the refusal said, and so are the following.
        quota_id: The service's name of the quota.
        quota_value: Its size.
    """

    kind: Kind
    process: str
    number: int
    at: float
    kept_until: float
    texts: int = 0
    tokens: int | None = None
    is_query: bool = False
    ends_by: float = 0.0
    backoff: float = 0.0
    retry_after: float | None = None
    quota_id: str | None = None
    quota_value: int | None = None

    def moved(self, now: float) -> Event:
        """Return it as it is when it happens now: others may have kept the file for a while."""
        late = now - self.at
        return self._replace(at=now, ends_by=self.ends_by + late, kept_until=self.kept_until + late)


class News(NamedTuple):
    """What a ledger says.

    Attributes:
        events: Those of others, in order, that were not seen before.
        last: The place of the last event that is seen now.
        granted: Whether what was to be sent went in.
        at: When that was.
        notice: What the user must be told of the file.
    """

    events: Sequence[Event]
    last: int
    granted: bool
    at: float
    notice: str | None = None

    @property
    def takes_room(self) -> bool:
        """Whether there may be less room than before."""
        return any(event.kind in {"sent", "refused"} for event in self.events)


class Ledger(Protocol):
    """Where events are kept, for all who share a quota. Called on worker threads."""

    def exchange(
        self, process: str, after: int, events: Sequence[Event], wanted: Event | None, clock: Clock
    ) -> News:
        """Put events in, and return those of others after a place, in one transaction.

        `wanted`, a request that is to leave, goes in only if no other process sent anything
        meanwhile, or was refused.

        Raises:
            OSError: The file cannot be used now.
        """
        ...

    def look(self, process: str, after: int, clock: Clock) -> News:
        """Return the events of others after a place."""
        ...


class Sharing:
    """What a process has to do with the others that share its quota.

    Args:
        limiter: What says who may send. What is in its window is forgotten: the ledger has it.
        ledger: Where events are kept.
        timeout: Seconds after which a request has surely ended.
    """

    def __init__(self, limiter: Limiter, ledger: Ledger, timeout: float | None) -> None:
        self._limiter = limiter
        self._ledger = ledger
        self._timeout = _LONGEST if timeout is None else timeout
        self._loop = asyncio.get_running_loop()
        self._process = os.urandom(8).hex()
        self._turn = asyncio.Lock()
        self._seen = 0
        self._count = 0
        self._owed: list[Event] = []  # events that are not in the ledger yet
        self._own: dict[Sent, int] = {}  # requests that are, by their numbers
        self._others: dict[tuple[str, int], tuple[Sent, float]] = {}  # under way, and until when
        self._asked_at = self._not_before = -math.inf
        self._counted_at = 0.0  # when the last request went into the ledger
        self._changed_at = -math.inf  # when others last sent something, as far as is known here
        self._is_in_trouble = False
        self._flushing: asyncio.Task[None] | None = None
        limiter.forget()

    async def take(self, sent: Sent, *, is_query: bool) -> bool:
        """Count a request that is about to leave; tell whether there is room for it."""
        self._count += 1
        number = self._count
        try:
            async with self._turn:
                while sent.at > self._changed_at or self._limiter.holds(
                    self._loop.time(), is_query=is_query
                ):
                    wanted = self._sent(number, sent, is_query=is_query)
                    if await self._exchange(wanted):
                        return self._is_counted(sent, number)
        except asyncio.CancelledError:
            self._owe(self._event("unsent", number))  # it may have gone in
            raise
        if is_query:
            self.ask()
        return False

    def _is_counted(self, sent: Sent, number: int) -> bool:
        """Take note that a request is in the ledger; tell whether it may leave."""
        self._own[sent] = number
        if self._loop.time() - self._counted_at < _LATE:
            return True
        self.end("unsent", sent)
        return False

    def end(self, kind: Kind, sent: Sent, *, tokens: int | None = None) -> None:
        """Tell the others that a request has ended."""
        if (number := self._own.pop(sent, None)) is not None:
            self._owe(self._event(kind, number)._replace(tokens=tokens))

    def refuse(self, sent: Sent, error: QuotaExceededError, *, backoff: float) -> None:
        """Tell the others that a request was refused, and what the refusal said."""
        if (number := self._own.pop(sent, None)) is not None:
            event = self._event("refused", number)
            self._owe(
                event._replace(
                    kept_until=max(event.kept_until, event.at + _BELIEVED),
                    texts=sent.texts,
                    backoff=backoff,
                    retry_after=error.retry_after,
                    quota_id=error.quota_id,
                    quota_value=error.quota_value,
                )
            )

    def ask(self) -> None:
        """Tell the others that a query waits, so that their loads leave it some room."""
        now = self._loop.time()
        if now - self._asked_at > _ASKED_AGAIN:
            self._asked_at = now
            self._limiter.note_query(now)
            self._owe(self._event("asked", 0))

    async def look(self) -> bool:
        """See what the others did; tell whether that changes anything."""
        with suppress(ConfigurationError):  # raised where a request is to leave
            async with self._turn:
                lost = self._give_up_lost()
                news = await self._in_ledger(self._ledger.look, self._process, self._seen)
                return self._apply(news) or lost
        return False

    def _event(self, kind: Kind, number: int) -> Event:
        now = self._loop.time()
        counts = self._timeout + 2 * self._limiter.limits.period
        return Event(kind, self._process, number, now, now + counts + _KEPT)

    def _sent(self, number: int, sent: Sent, *, is_query: bool) -> Event:
        event = self._event("sent", number)
        return event._replace(
            texts=sent.texts,
            tokens=sent.tokens,
            is_query=is_query,
            ends_by=event.at + self._timeout,
        )

    def _owe(self, event: Event) -> None:
        self._owed.append(event)
        if self._flushing is None or self._flushing.done():
            self._flushing = self._loop.create_task(self._flush())

    async def _flush(self) -> None:
        with suppress(ConfigurationError):  # likewise
            while self._owed and self._loop.time() >= self._not_before:
                async with self._turn:
                    await self._exchange(None)

    async def _exchange(self, wanted: Event | None) -> bool:
        """Put in what is owed, and what is wanted if it may; tell whether that went in."""
        self._give_up_lost()
        owed, self._owed = self._owed, []
        try:
            news = await self._in_ledger(
                self._ledger.exchange, self._process, self._seen, owed, wanted
            )
        except BaseException:
            self._owed = owed + self._owed
            raise
        if news is None:
            self._owed, self._counted_at = owed + self._owed, self._loop.time()
            return True
        self._counted_at = news.at
        self._apply(news)
        return news.granted

    async def _in_ledger(self, work: Callable[..., News], *args: object) -> News | None:
        """Do something with the ledger; return None while its file cannot be used."""
        now = self._loop.time()
        if now < self._not_before:
            return None
        try:
            news = await in_thread(work, *args, self._loop.time)
        except OSError as error:
            self._not_before = now + _PAUSE
            if not self._is_in_trouble:
                warn(f"this process has its quota for itself for now ({error})")
            self._is_in_trouble = True
            return None
        self._is_in_trouble = False
        if news.notice is not None:
            warn(news.notice)
        return news

    def _give_up_lost(self) -> bool:
        """Take it that requests have ended whose processes have not said so in time."""
        now = self._loop.time()
        lost = [key for key, (_, ends_by) in self._others.items() if ends_by <= now]
        for key in lost:
            self._limiter.fail(*self._others.pop(key))
        return bool(lost)

    def _apply(self, news: News | None) -> bool:
        """Take into account what others did; tell whether they did anything."""
        if news is None:
            return False
        self._seen = news.last
        for event in news.events:
            self._apply_one(event)
        if news.takes_room:
            self._changed_at = self._loop.time()
        return bool(news.events)

    def _apply_one(self, event: Event) -> None:
        limiter, key = self._limiter, (event.process, event.number)
        sent, _ = self._others.pop(key, (None, 0.0))
        match event.kind:
            case "asked":
                limiter.note_query(event.at)
            case "sent":
                sent = limiter.send(
                    event.texts, event.tokens or 0, event.at, is_query=event.is_query
                )
                self._others[key] = sent, event.ends_by
            case "refused":
                refused = sent or limiter.send(event.texts, 0, event.at)
                error = QuotaExceededError(
                    "another process was refused",
                    retry_after=event.retry_after,
                    quota_id=event.quota_id,
                    quota_value=event.quota_value,
                )
                limiter.refuse(refused, error, event.at, backoff=event.backoff)
            case "answered" if sent:
                limiter.accept(sent, event.at, tokens=event.tokens)
            case "unsent" if sent:
                limiter.unsend(sent, event.at)
            case "failed" if sent:
                limiter.fail(sent, event.at)
