"""Drives a plan to its end: sends its batches, several at once, and puts every vector in its place.

Runs on the I/O thread only. What it decides is decided in `plan`, `retry` and `vectors`;
what it sends goes through `transport`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from gemini_embed.errors import BadResponseError, GeminiEmbedError, ModelNotFoundError
from gemini_embed.plan import Plan
from gemini_embed.refusals import of_model
from gemini_embed.results import EmbeddingResult, Usage
from gemini_embed.transport import Address, Transport
from gemini_embed.vectors import checked, must_normalize, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tqdm import tqdm

    from gemini_embed.embedder import Request
    from gemini_embed.plan import Batch
    from gemini_embed.retry import RetryPolicy


class Engine:
    """The part of an embedder that lives on the I/O thread: its connection and its limits."""

    def __init__(self, address: Address, *, max_concurrency: int, retry: RetryPolicy) -> None:
        self._transport = Transport(address)
        self._max_concurrency = max_concurrency
        self._slots = asyncio.Semaphore(max_concurrency)
        self._retry = retry

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop this engine lives on; after a fork, one that no longer runs."""
        return self._transport.loop

    async def embed(self, request: Request) -> EmbeddingResult:
        """Embed all texts of a request.

        Raises:
            GeminiEmbedError: With what was finished by then in `partial`.
        """
        call = _Call(request)
        workers = min(self._max_concurrency, call.plan.batches(request.batch_size))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(call))
        finally:
            call.close()
        return call.result()

    async def _work(self, call: _Call) -> None:
        while call.error is None and (batch := call.plan.take(call.request.batch_size)):
            try:
                await self._deliver(batch, call)
            except Exception as error:  # noqa: BLE001 - kept, and raised when the others are done
                call.stop(error)

    async def _deliver(self, batch: Batch, call: _Call) -> None:
        """Try one batch until its vectors are in place, or the policy says it is enough."""
        attempt = 0
        while True:
            attempt += 1
            async with self._slots:
                if call.error is not None:
                    return
                try:
                    block = await self._send(batch, call)
                except GeminiEmbedError as error:
                    failure = error
                else:
                    call.place(batch, block)
                    return
            wait = self._retry.wait(failure, attempt=attempt)
            if wait is None:
                raise _located(failure, batch.indexes, attempt, call.request)
            await call.pause(wait)

    async def _send(self, batch: Batch, call: _Call) -> NDArray[np.float32]:
        request = call.request
        if request.rate_limiter is not None:
            await request.rate_limiter()
        call.requests += 1
        answer = await self._transport.send(
            batch, model=request.model.name, output_dimensionality=request.output_dimensionality
        )
        if answer.prompt_tokens is not None:
            call.prompt_tokens = (call.prompt_tokens or 0) + answer.prompt_tokens
        return checked(answer.rows, count=len(batch.texts), dimension=request.dimension)


class _Call:
    """One call while it runs: what still waits, what is done, why it must stop."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.plan = Plan(request.wires)
        self.error: Exception | None = None
        self.requests = 0
        self.prompt_tokens: int | None = None
        self._stopped = asyncio.Event()
        self._vectors = np.zeros((len(request.wires), request.dimension), np.float32)
        self._done = np.zeros(len(request.wires), np.bool_)
        self._normalize = must_normalize(
            request.normalize, model=request.model, dimension=request.dimension
        )
        self._bar = _progress_bar(len(request.wires)) if request.show_progress else None

    def stop(self, error: Exception) -> None:
        """Send nothing more. What is under way may finish: it is paid for."""
        self.error = self.error or error
        self._stopped.set()

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the call goes on."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    def place(self, batch: Batch, block: NDArray[np.float32]) -> None:
        """Put each vector at every place its text stands in the caller's list."""
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
        error = self.error
        if error is None and not self._done.all():
            error = BadResponseError(
                "texts were left without a vector; this is a fault of gemini-embed",
                indexes=[int(index) for index in np.flatnonzero(~self._done)],
            )
        if isinstance(error, GeminiEmbedError):
            error.partial = {int(i): self._vectors[i] for i in np.flatnonzero(self._done)}
        if error is not None:
            raise error
        return EmbeddingResult(self._vectors, Usage(self.requests, self.prompt_tokens))


def _located(
    error: GeminiEmbedError, indexes: Sequence[int], attempts: int, request: Request
) -> GeminiEmbedError:
    """Return the error, saying which texts it is about and how often they were tried."""
    if isinstance(error, ModelNotFoundError):
        error = of_model(error, request.model)
    error.indexes = tuple(indexes)
    span = f"text {indexes[0]}"
    if len(indexes) > 1:
        span = f"{len(indexes)} texts between {indexes[0]} and {indexes[-1]}"
    tried = f", tried {attempts} times" if attempts > 1 else ""
    error.args = (f"{error} ({span}{tried})",)
    return error


def _progress_bar(total: int) -> tqdm[Any]:
    from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is asked for

    return tqdm(total=total, desc="Generating embeddings", unit="text")
