"""Drives a plan to its end: sends its batches, several at once, and puts every vector in its place.

Runs on the I/O thread only. What it decides is decided in `plan`, `quota`, `failures` and
`vectors`; it waits in `gate`, and what it sends goes through `transport`.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from gemini_embed.calls.call import Call
from gemini_embed.calls.failures import (
    Verdict,
    is_hopeless,
    is_too_large_within,
    ours,
    out_of_patience,
    verdict,
)
from gemini_embed.calls.sink import ListSink
from gemini_embed.contents import Inputs
from gemini_embed.errors import (
    GeminiEmbedError,
    HookError,
    QuotaExceededError,
    RequestError,
    described,
)
from gemini_embed.media.contents import UnreadableError
from gemini_embed.models import COUNT
from gemini_embed.observe.logs import logs
from gemini_embed.observe.watch import Watch
from gemini_embed.pacing.gate import Lane, gate_of
from gemini_embed.pacing.quota import Quota
from gemini_embed.prices import price_of
from gemini_embed.results import Wanted
from gemini_embed.usage import Rate
from gemini_embed.vectors import checked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.calls.senders import MediaSender, Sender
    from gemini_embed.calls.sink import Sink
    from gemini_embed.contents import Batch, Content
    from gemini_embed.observe.meter import Meter
    from gemini_embed.observe.watch import Observer
    from gemini_embed.pacing.backoff import Backoff
    from gemini_embed.pacing.counting import Book
    from gemini_embed.pacing.gate import Pass
    from gemini_embed.pacing.sharing import Ledger
    from gemini_embed.prices import Price
    from gemini_embed.service.answer import Answer
    from gemini_embed.service.freight import Load


R = TypeVar("R")

_BEGINNING = 1
"""Tokens that `countTokens` says more than an embedding has: where a text begins."""


class Engine:
    """The part of an embedder that lives on the I/O thread: its connection and its limits."""

    def __init__(
        self,
        transport: Sender,
        *,
        quota: Quota,
        max_concurrency: int,
        backoff: Backoff,
        cache: GuardedCache | None = None,
        observers: Sequence[Observer] = (),
        day_book: Book | None = None,
        ledger: Ledger | None = None,
        timeout: float | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._transport = transport
        self._gate = gate_of(quota)
        self._gate.day.book = self._gate.day.book or day_book
        if ledger is not None:
            self._gate.share(ledger, timeout)
        self._lane = Lane(max_concurrency)
        self._backoff = backoff
        self._cache = cache
        self._observers = observers
        self._prices = prices
        self._quota_of_counts = Quota()
        self._calls = 0
        self._is_closing = False

    async def embed(
        self,
        inputs: Inputs,
        ask: Ask,
        sink: Sink[R],
        policy: CallPolicy,
        *,
        meters: Sequence[Meter] = (),
        observers: Sequence[Observer] = (),
    ) -> R:
        """Embed what a call has; return what the sink makes of the vectors.

        `meters` count what it costs, and `observers` are told of this call only.

        Raises:
            GeminiEmbedError: With what was finished by then in `partial`.
        """
        call = Call(
            inputs,
            ask,
            policy,
            sink=sink,
            watch=self._watch(ask, meters, observers),
            limiter=self._gate.limiter,
            cache=self._cache,
        )
        async with self.in_use():
            if policy.together is None:
                await self._embed(call)
            else:
                with policy.together.joined(partial(self._stop, call)):
                    await self._embed(call)
            return sink.result(call.watch.usage)

    @asynccontextmanager
    async def in_use(self) -> AsyncGenerator[None]:
        """Keep the connections open meanwhile."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if self._is_closing:
                await self.aclose()

    async def count(self, contents: Sequence[Content], ask: Ask, policy: CallPolicy) -> list[int]:
        """Return how many tokens each content has, as the service counts them.

        A count goes the way of a vector, which it is, of one number: it is tried again and ends
        like one. Its quota is another, as Google's is: else a load of long texts could use up each
        day with counts, and embed nothing. Who watches calls is not told of it.
        """
        asked = replace(ask, route=COUNT, output_dimensionality=1)
        wanted = Wanted(1, normalize=False, as_lists=True)
        alone = replace(policy, batch_size=1, count=None)
        sink = ListSink(len(contents), wanted, ask.model)
        counting = Engine(
            self._transport,
            quota=self._quota_of_counts,
            max_concurrency=self._lane.width,
            backoff=self._backoff,
        )
        async with self.in_use():
            result = await counting.embed(Inputs.whole(contents), asked, sink, alone)
        return [int(tokens) - _BEGINNING for (tokens,) in result.lists]

    def _watch(self, ask: Ask, meters: Sequence[Meter], observers: Sequence[Observer]) -> Watch:
        model, backend = ask.model.name, ask.backend.name
        rate = Rate(model, backend, price_of(model, backend, self._prices))
        return Watch([*logs(), *self._observers, *observers], meters=meters, rate=rate)

    async def _embed(self, call: Call) -> None:
        try:
            async with asyncio.timeout(call.policy.deadline):
                await self._finish(call, min(self._lane.width, len(call)))
        except TimeoutError:
            call.stop_late()
        finally:
            call.close()
        call.check()

    async def _finish(self, call: Call, senders: int) -> None:
        is_planned = self._cache is None and call.policy.count is None
        if is_planned:
            await call.look_up()  # waits for nothing
        if is_planned and senders == 1:  # most queries: a task of its own costs time
            await self._guarded(self._work(call), call)
            return
        async with asyncio.TaskGroup() as group:
            if not is_planned:
                group.create_task(self._guarded(call.look_up(), call))
            for _ in range(senders):
                group.create_task(self._guarded(self._work(call), call))

    async def aclose(self) -> None:
        """Close the connections, now or when the last call under way has ended."""
        self._is_closing = True
        if not self._calls:
            await self._transport.aclose()

    async def _guarded(self, work: Coroutine[None, None, None], call: Call) -> None:
        """Do a part of a call. What goes wrong ends the others when they are done with theirs."""
        try:
            await work
        except BaseException as error:  # raised when the others are done
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            self._stop(call, ours(error))

    def _stop(self, call: Call, error: BaseException) -> None:
        call.stop(error)
        self._gate.dismiss(call.outbox)
        self._gate.wake()

    async def _work(self, call: Call) -> None:
        together = call.policy.together
        async with nullcontext() if together is None else together.turn:
            await self._send_all(call)

    async def _send_all(self, call: Call) -> None:
        urgent = call.policy.role == "query"
        while await call.outbox.has_more():
            with call.watch.waiting("waited_for_quota", self._gate.held):
                admitted = await self._gate.enter(call.outbox, self._lane, urgent=urgent)
            if admitted is None:
                continue
            try:
                if admitted.batch.has_media:
                    await self._try_with_media(admitted, call)
                else:
                    await self._try(admitted, call)
            finally:
                if not admitted.handed_back:
                    self._gate.failed(admitted)

    async def _try_with_media(self, admitted: Pass, call: Call) -> None:
        """Send one batch once, when its media are read; go on without one that cannot be."""
        batch = admitted.batch
        try:
            load = await cast("MediaSender", self._transport).load(batch, call.ask)
        except UnreadableError as unreadable:
            self._gate.unsent(admitted)
            one = batch.only([unreadable.row])
            call.reject(one, unreadable.error)
            if rest := batch.rows_without(one):
                call.outbox.put_back(batch.only(rest))
        except GeminiEmbedError as error:
            self._gate.unsent(admitted)
            await self._recover(batch, call.ask, error, call, passed=call.outbox.passed)
        else:
            with load:
                await self._try(admitted, call, load)

    async def _try(self, admitted: Pass, call: Call, load: Load | None = None) -> None:
        """Send one batch once, and do what its outcome asks for."""
        batch = admitted.batch
        if call.policy.rate_limiter is not None:
            await self._let_pass(call.policy.rate_limiter)
        if call.error is not None or not await self._gate.take(admitted):
            call.outbox.put_back(batch)
            self._gate.unsent(admitted)
            return
        passed, asked = call.outbox.passed, call.uncut.asked(batch)
        try:
            answer = await self._send(batch, asked, call, load)
            served, rows = answer.served(batch)
            block = checked(
                rows,
                count=len(served),
                dimension=call.ask.dimension,
                used=call.sink.dimension,
            )
        except QuotaExceededError as error:
            found = verdict(error)
            if found is Verdict.NEXT_DAY:
                await self._wait_for_day(admitted, error, call)
                return
            await self._gate.day.give_back(admitted.taken)
            if found is Verdict.STOP:
                raise call.about(batch, error) from error.__cause__
            self._wait_for_quota(admitted, error, call)
        except GeminiEmbedError as error:
            self._gate.failed(admitted)
            await self._recover(batch, asked, error, call, passed=passed)
        else:
            self._gate.answered(admitted, tokens=answer.prompt_tokens)
            call.outbox.accept(batch)
            sifted = call.uncut.sift(batch, asked, answer, block)
            for one, problem in sifted.rejected:
                call.reject(one, problem)
            for one in sifted.again:
                call.outbox.put_back(one)
            await call.accept(sifted.served, sifted.block)

    @staticmethod
    async def _let_pass(rate_limiter: Callable[[], Awaitable[None]]) -> None:
        try:
            await rate_limiter()
        except Exception as error:
            raise HookError(f"rate_limiter raised {described(error)}") from error

    async def _send(self, batch: Batch, asked: Ask, call: Call, load: Load | None = None) -> Answer:
        call.watch.sent(batch)
        sent_at = self.loop.time()
        try:
            answer = await (load or self._transport).send(batch, asked)
        except BaseException as error:
            call.watch.failed(batch, error, seconds=self.loop.time() - sent_at)
            raise
        seconds = self.loop.time() - sent_at
        if answer.prompt_tokens is not None and not batch.can_have(answer.prompt_tokens):
            answer = answer._replace(prompt_tokens=None, by_modality={})
        cut_off = answer.cut_off(batch, max_input_tokens=call.ask.model.max_input_tokens)
        call.watch.answered(
            batch,
            seconds=seconds,
            tokens=answer.prompt_tokens,
            by_modality=answer.by_modality,
            truncated=cut_off,
        )
        return answer

    def _wait_for_quota(self, admitted: Pass, error: QuotaExceededError, call: Call) -> None:
        """Send the batch again when the quota, which every caller shares, has room for it."""
        batch, policy = admitted.batch, call.policy
        if (ending := out_of_patience(error, policy.max_wait)) is not None:
            raise call.about(batch, ending) from error.__cause__
        wait = self._gate.refused(admitted, error, backoff=self._backoff)
        attempts = batch.attempts + (error.retry_after is None)
        if is_hopeless(
            error,
            attempts=attempts,
            max_retries=policy.max_retries,
            role=policy.role,
            idle=call.waits.idle(),
        ):
            raise call.about(batch, error) from error.__cause__
        call.outbox.put_back(replace(batch, attempts=attempts))
        call.waits.note_retry(batch, error, wait, quota=True)
        self._gate.wake()

    async def _wait_for_day(self, admitted: Pass, error: QuotaExceededError, call: Call) -> None:
        """Send the batch again on the next day, if the caller waits so long."""
        await self._gate.day.refuse(admitted.taken, error)
        if call.policy.on_daily_quota == "error":
            call.stop(error)
        else:
            call.outbox.put_back(admitted.batch)
            daily = self._gate.limiter.daily
            wait = daily.wait(daily.clock())
            call.waits.note_retry(admitted.batch, error, wait, quota=True)
        self._gate.unsent(admitted)

    async def _recover(
        self, batch: Batch, ask: Ask, error: GeminiEmbedError, call: Call, *, passed: int
    ) -> None:
        """Send the batch again, whole or in parts; or raise."""
        match verdict(error):
            case Verdict.RETRY if batch.attempts < call.policy.max_retries:
                attempt = batch.attempts + 1
                asked = getattr(error, "retry_after", None)
                if (ending := out_of_patience(error, call.policy.max_wait)) is not None:
                    raise call.about(batch, ending) from error.__cause__
                wait = self._backoff.wait(attempt) if asked is None else asked
                call.waits.note_retry(batch, error, wait, quota=False)
                await call.waits.pause(wait)
                call.outbox.put_back(replace(batch, attempts=attempt))
            case Verdict.ASK if is_too_large_within(batch, ask, error):
                call.outbox.put_back(replace(batch, is_stored=True))
            case Verdict.ASK if call.uncut.is_in_doubt(batch, ask, error):
                call.outbox.put_back(replace(batch, is_bare=True))
            case Verdict.ASK:
                call.refuse(batch, cast("RequestError", error), passed=passed)
            case _:
                raise call.about(batch, error) from error.__cause__
