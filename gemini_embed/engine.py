"""Drives a plan to its end: sends its batches, several at once, and puts every vector in its place.

Runs on the I/O thread only. What it decides is decided in `plan`, `quota`, `retry` and
`vectors`; it waits in `gate`, and what it sends goes through `transport`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from gemini_embed.call import Call, described, ours, with_batch
from gemini_embed.errors import (
    GeminiEmbedError,
    HookError,
    NoVectorError,
    QuotaExceededError,
    RequestError,
)
from gemini_embed.gate import Lane, gate_of
from gemini_embed.retry import Retry, Verdict, is_too_long, verdict
from gemini_embed.sink import sink_for
from gemini_embed.vectors import checked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.contents import Batch, Content
    from gemini_embed.gate import Pass
    from gemini_embed.policy import CallPolicy
    from gemini_embed.quota import Quota
    from gemini_embed.results import EmbeddingResult, Wanted
    from gemini_embed.retry import Backoff
    from gemini_embed.transport import Answer


_NO_VECTOR = "the service made no vector of it, and says no more"


class Sender(Protocol):
    """What sends one batch, once: `transport.Transport`."""

    async def send(self, batch: Batch, ask: Ask) -> Answer:
        """Return the answer, or raise one of our errors."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""


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
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._transport = transport
        self._gate = gate_of(quota)
        self._lane = Lane(max_concurrency)
        self._backoff = backoff
        self._cache = cache
        self._on_retry = on_retry
        self._calls = 0
        self._is_closing = False

    async def embed(
        self, contents: Sequence[Content], ask: Ask, wanted: Wanted, policy: CallPolicy
    ) -> EmbeddingResult:
        """Embed texts.

        Raises:
            GeminiEmbedError: With what was finished by then in `partial`.
        """
        sink = sink_for(len(contents), wanted, ask.model)
        call = Call(contents, ask, sink, policy, quota=self._gate.quota, cache=self._cache)
        self._calls += 1
        try:
            return await self._embed(call)
        finally:
            self._calls -= 1
            if self._is_closing:
                await self.aclose()

    async def _embed(self, call: Call) -> EmbeddingResult:
        try:
            async with asyncio.timeout(call.policy.deadline):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._see_to(call.recall(), call))
                    for _ in range(min(self._lane.width, len(call))):
                        group.create_task(self._see_to(self._work(call), call))
        except TimeoutError:
            call.stop_late()
        finally:
            call.close()
        return call.result()

    async def aclose(self) -> None:
        """Close the connections, now or when the last call under way has ended."""
        self._is_closing = True
        if not self._calls:
            await self._transport.aclose()

    async def _see_to(self, work: Coroutine[None, None, None], call: Call) -> None:
        """Do a part of a call. What goes wrong ends the others when they are done with theirs."""
        try:
            await work
        except BaseException as error:  # raised when the others are done
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            call.stop(ours(error))
            self._gate.dismiss(call)

    async def _work(self, call: Call) -> None:
        urgent = call.policy.role == "query"
        while await call.has_more():
            admitted = await self._gate.enter(call, self._lane, urgent=urgent)
            if admitted is None:
                continue
            try:
                await self._try(admitted, call)
            finally:
                if not admitted.handed_back:
                    self._gate.failed(admitted)

    async def _try(self, admitted: Pass, call: Call) -> None:
        """Send one batch once, and do what its outcome asks for."""
        batch = admitted.batch
        if call.policy.rate_limiter is not None:
            await self._let_pass(call.policy.rate_limiter)
            if call.error is not None:
                self._gate.unsent(admitted)
                return
        passed = call.passed
        try:
            answer = await self._send(batch, call)
            served, rows = _served(batch, answer)
            block = checked(
                rows,
                count=len(served),
                dimension=call.ask.dimension,
                used=call.sink.dimension,
            )
        except QuotaExceededError as error:
            if verdict(error) is Verdict.STOP:
                raise with_batch(error, batch, call) from error.__cause__
            self._wait_for_quota(admitted, error, call)
        except GeminiEmbedError as error:
            self._gate.failed(admitted)
            await self._recover(batch, error, call, passed=passed)
        else:
            self._gate.answered(admitted, tokens=answer.prompt_tokens)
            call.accept(batch)
            for row in answer.without_values:
                call.reject(with_batch(NoVectorError(_NO_VECTOR), batch.only([row]), call))
            call.place(served.positions, block)
            await call.keep(served, block)

    @staticmethod
    async def _let_pass(rate_limiter: Callable[[], Awaitable[None]]) -> None:
        try:
            await rate_limiter()
        except Exception as error:
            raise HookError(f"rate_limiter raised {described(error)}") from error

    async def _send(self, batch: Batch, call: Call) -> Answer:
        call.requests += 1
        answer = await self._transport.send(batch, call.ask)
        if answer.truncated or answer.some_truncated:
            call.note_truncated(batch, answer)
        tokens = answer.prompt_tokens
        if tokens is None or not batch.can_have(tokens):
            return answer._replace(prompt_tokens=None)
        call.prompt_tokens = (call.prompt_tokens or 0) + tokens
        return answer

    def _wait_for_quota(self, admitted: Pass, error: QuotaExceededError, call: Call) -> None:
        """Send the batch again when the quota, which every caller shares, has room for it."""
        batch = admitted.batch
        attempts = batch.attempts + (verdict(error) is Verdict.RETRY)
        call.refusals += 1
        if is_too_long(error.retry_after, call.policy.max_wait):
            raise with_batch(error, batch, call) from error.__cause__
        wait = self._gate.refused(admitted, error, backoff=self._backoff.wait(call.refusals))
        if attempts > call.policy.max_retries:
            raise with_batch(error, batch, call) from error.__cause__
        again = replace(batch, attempts=attempts)
        if self._gate.quota.in_vain > 1 and len(batch) > 1:
            call.shrink(again)  # refused unchanged, and nothing else was accepted: it may not fit
        else:
            call.plan.put_back(again)
        self._tell(Retry(error, batch.attempts + 1, wait, quota=True, indexes=batch.indexes), call)
        self._gate.wake()

    async def _recover(
        self, batch: Batch, error: GeminiEmbedError, call: Call, *, passed: int
    ) -> None:
        """Send the batch again, whole or in parts; or raise."""
        match verdict(error):
            case Verdict.RETRY if batch.attempts < call.policy.max_retries:
                attempt = batch.attempts + 1
                told = getattr(error, "retry_after", None)
                if is_too_long(told, call.policy.max_wait):
                    raise with_batch(error, batch, call) from error.__cause__
                wait = self._backoff.wait(attempt) if told is None else told
                self._tell(Retry(error, attempt, wait, quota=False, indexes=batch.indexes), call)
                await call.pause(wait)
                call.plan.put_back(replace(batch, attempts=attempt))
            case Verdict.ASK:
                call.refuse(batch, cast("RequestError", error), passed=passed)
            case _:
                raise with_batch(error, batch, call) from error.__cause__

    def _tell(self, retry: Retry, call: Call) -> None:
        call.last_failure = retry.error
        if self._on_retry is None:
            return
        try:
            self._on_retry(retry)
        except Exception as error:
            raise HookError(f"on_retry raised {described(error)}") from error


def _served(batch: Batch, answer: Answer) -> tuple[Batch, Sequence[Any]]:
    """Return the texts that an answer holds a vector of, and those vectors."""
    missing = set(answer.without_values)
    if not missing or len(answer.rows) != len(batch):
        return batch, answer.rows
    rows = [row for row in range(len(batch)) if row not in missing]
    return batch.only(rows), [answer.rows[row] for row in rows]
