"""Drives a plan to its end: sends its batches, several at once, and puts every vector in its place.

Runs on the I/O thread only. What it decides is decided in `plan`, `quota`, `retry` and
`vectors`; it waits in `gate`, and what it sends goes through `transport`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gemini_embed.errors import (
    BadResponseError,
    DailyQuotaError,
    GeminiEmbedError,
    ModelNotFoundError,
    QuotaExceededError,
    ServiceUnavailableError,
)
from gemini_embed.gate import Lane, gate_of
from gemini_embed.plan import Plan, estimate_tokens
from gemini_embed.quota import next_reset
from gemini_embed.refusals import of_model
from gemini_embed.results import EmbeddingResult, Usage
from gemini_embed.retry import Retry, Verdict, verdict
from gemini_embed.vectors import checked, must_normalize, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from tqdm import tqdm

    from gemini_embed.embedder import Request
    from gemini_embed.gate import Pass
    from gemini_embed.plan import Batch
    from gemini_embed.quota import Quota, Room
    from gemini_embed.retry import Backoff
    from gemini_embed.transport import Answer


class Sender(Protocol):
    """What sends one batch, once: `transport.Transport`."""

    async def send(self, batch: Batch, *, model: str, output_dimensionality: int | None) -> Answer:
        """Return the answer, or raise one of our errors."""


class Engine:
    """The part of an embedder that lives on the I/O thread: its connection and its limits."""

    def __init__(
        self,
        transport: Sender,
        *,
        quota: Quota,
        max_concurrency: int,
        backoff: Backoff,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._transport = transport
        self._gate = gate_of(quota)
        self._lane = Lane(max_concurrency)
        self._backoff = backoff
        self._on_retry = on_retry

    async def embed(self, request: Request) -> EmbeddingResult:
        """Embed all texts of a request.

        Raises:
            GeminiEmbedError: With what was finished by then in `partial`.
        """
        call = _Call(request, self._gate.quota)
        try:
            async with asyncio.timeout(request.deadline), asyncio.TaskGroup() as group:
                for _ in range(min(self._lane.width, len(call.plan))):
                    group.create_task(self._work(call))
        except TimeoutError:
            call.error = call.error or _too_late(call.last_failure, request)
        finally:
            call.close()
        return call.result()

    async def _work(self, call: _Call) -> None:
        urgent = call.request.role == "query"
        while (admitted := await self._gate.enter(call, self._lane, urgent=urgent)) is not None:
            try:
                await self._try(admitted, call)
            except Exception as error:  # noqa: BLE001 - kept, and raised when the others are done
                call.stop(error)
                self._gate.wake()

    async def _try(self, admitted: Pass, call: _Call) -> None:
        """Send one batch once, and do what its outcome asks for."""
        batch = admitted.batch
        try:
            answer = await self._send(batch, call)
            block = checked(answer.rows, count=len(batch.texts), dimension=call.request.dimension)
        except QuotaExceededError as error:
            if isinstance(error, DailyQuotaError):
                self._gate.failed(admitted)
                raise _located(error, batch, call.request) from error.__cause__
            self._wait_for_quota(admitted, error, call)
        except GeminiEmbedError as error:
            self._gate.failed(admitted)
            await self._recover(batch, error, call)
        except BaseException:
            self._gate.failed(admitted)
            raise
        else:
            self._gate.answered(admitted, tokens=answer.prompt_tokens)
            call.place(batch, block)

    async def _send(self, batch: Batch, call: _Call) -> Answer:
        request = call.request
        if request.rate_limiter is not None:
            await request.rate_limiter()
        call.requests += 1
        answer = await self._transport.send(
            batch, model=request.model.name, output_dimensionality=request.output_dimensionality
        )
        if answer.prompt_tokens is not None:
            call.prompt_tokens = (call.prompt_tokens or 0) + answer.prompt_tokens
        return answer

    def _wait_for_quota(self, admitted: Pass, error: QuotaExceededError, call: _Call) -> None:
        """Send the batch again when the quota, which every caller shares, has room for it."""
        batch = admitted.batch
        retry = verdict(error) is Verdict.RETRY
        attempts = batch.attempts + retry
        call.refusals += 1
        wait = self._gate.refused(admitted, error, backoff=self._backoff.wait(call.refusals))
        if attempts > call.request.max_retries:
            raise _located(error, batch, call.request) from error.__cause__
        call.plan.put_back(replace(batch, attempts=attempts))
        self._tell(Retry(error, batch.attempts + 1, wait, quota=True, indexes=batch.indexes), call)

    async def _recover(self, batch: Batch, error: GeminiEmbedError, call: _Call) -> None:
        """Send the batch again, whole or in halves; or raise."""
        match verdict(error):
            case Verdict.RETRY if batch.attempts < call.request.max_retries:
                attempt = batch.attempts + 1
                told = getattr(error, "retry_after", None)
                wait = self._backoff.wait(attempt) if told is None else told
                self._tell(Retry(error, attempt, wait, quota=False, indexes=batch.indexes), call)
                await call.pause(wait)
                call.plan.put_back(replace(batch, attempts=attempt))
            case Verdict.HALVE if len(batch.texts) > 1:
                call.plan.put_back(*batch.split(len(batch.texts) // 2))
            case Verdict.HALVE:
                call.reject(_located(error, batch, call.request))
            case _:
                raise _located(error, batch, call.request) from error.__cause__
        self._gate.wake()

    def _tell(self, retry: Retry, call: _Call) -> None:
        call.last_failure = retry.error
        if self._on_retry is not None:
            self._on_retry(retry)


class _Call:
    """One call while it runs: what still waits, what is done, why it must stop."""

    def __init__(self, request: Request, quota: Quota) -> None:
        self.request = request
        self.plan = Plan(request.wires)
        self.error: Exception | None = None
        self.last_failure: GeminiEmbedError | None = None
        self.requests = 0
        self.refusals = 0
        self.prompt_tokens: int | None = None
        self._quota = quota
        self._stopped = asyncio.Event()
        self._rejected: list[GeminiEmbedError] = []
        self._vectors = np.zeros((len(request.wires), request.dimension), np.float32)
        self._done = np.zeros(len(request.wires), np.bool_)
        self._normalize = must_normalize(
            request.normalize, model=request.model, dimension=request.dimension
        )
        self._bar = _progress_bar(len(request.wires)) if request.show_progress else None

    # What `gate.Source` asks for.

    def is_empty(self) -> bool:
        return self.error is not None or self.plan.next_text() is None

    def estimate_next(self) -> int:
        if not self._quota.counts_tokens:
            return 0
        text = self.plan.next_text()
        return 0 if text is None else round(estimate_tokens(text) * self._quota.tokens_per_estimate)

    def take(self, room: Room) -> Batch:
        batch = self.plan.take(
            min(room.texts, self.request.batch_size),
            max_tokens=room.tokens,
            tokens_per_estimate=self._quota.tokens_per_estimate,
        )
        assert batch is not None  # noqa: S101 - the gate asks a source that is not empty
        return batch

    def estimate(self, batch: Batch) -> int:
        if not self._quota.counts_tokens:
            return 0
        estimate = sum(map(estimate_tokens, batch.texts))
        return max(1, round(estimate * self._quota.tokens_per_estimate))

    # What happens to it.

    def stop(self, error: Exception) -> None:
        """Send nothing more. What is under way may finish: it is paid for."""
        self.error = self.error or error
        self._stopped.set()

    def reject(self, error: GeminiEmbedError) -> None:
        """Go on without a text that the service will not have."""
        self._rejected.append(error)
        if len(self._rejected) > _MOST_REJECTED and not self._done.any():
            self.stop(error)  # it is not the texts: nothing goes well

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the call goes on."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    def place(self, batch: Batch, block: NDArray[np.float32]) -> None:
        """Put each vector at every place its text stands in the caller's list."""
        self.refusals = 0
        if self._normalize:
            block = unit(block)
        for vector, places in zip(block, batch.positions, strict=True):
            for index in places:
                self._vectors[index] = vector
                self._done[index] = True
        if self._bar is not None:
            self._bar.update(len(batch.indexes))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def result(self) -> EmbeddingResult:
        error = self.error or _of_all(self._rejected)
        if error is None and not self._done.all():
            error = BadResponseError(
                "texts were left without a vector; this is a fault of gemini-embed",
                indexes=[int(index) for index in np.flatnonzero(~self._done)],
            )
        if isinstance(error, GeminiEmbedError):
            error.partial = {int(i): self._vectors[i] for i in np.flatnonzero(self._done)}
            if len(self._done) > 1:
                finished = f"{len(error.partial)} of {len(self._done)} texts were finished"
                error.args = (f"{error}; {finished}",)
        if error is not None:
            raise error
        return EmbeddingResult(self._vectors, Usage(self.requests, self.prompt_tokens))


_MOST_REJECTED = 3


def _of_all(rejected: Sequence[GeminiEmbedError]) -> GeminiEmbedError | None:
    """Return one error for all texts that were rejected."""
    if not rejected:
        return None
    first = min(rejected, key=lambda error: error.indexes)
    first.indexes = tuple(sorted(index for error in rejected for index in error.indexes))
    if len(rejected) > 1:
        first.args = (f"{first}; rejected in all: texts {', '.join(map(str, first.indexes))}",)
    return first


def _located(error: GeminiEmbedError, batch: Batch, request: Request) -> GeminiEmbedError:
    """Return the error, saying which texts it is about and how often they were tried."""
    if isinstance(error, ModelNotFoundError):
        error = of_model(error, request.model)
    notes = []
    if isinstance(error, DailyQuotaError) and error.quota_value != 0:
        error.resets_at = next_reset(datetime.now(UTC))
        notes.append(
            f"the day's quota resets at midnight Pacific, {error.resets_at:%Y-%m-%d %H:%M %Z}"
        )
    indexes = error.indexes = batch.indexes
    span = f"{len(indexes)} texts between {indexes[0]} and {indexes[-1]}"
    notes.append(span if len(indexes) > 1 else f"text {indexes[0]}")
    if batch.attempts:
        notes.append(f"tried {batch.attempts + 1} times")
    error.args = (f"{error} ({', '.join(notes)})",)
    return error


def _too_late(last: GeminiEmbedError | None, request: Request) -> GeminiEmbedError:
    """Return the error of a call whose deadline passed: the last thing that went wrong."""
    error = last or ServiceUnavailableError("not all texts were answered")
    error.args = (f"the deadline of {request.deadline} s passed; {error}",)
    return error


def _progress_bar(total: int) -> tqdm[Any]:
    from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is asked for

    return tqdm(total=total, desc="Generating embeddings", unit="text")
