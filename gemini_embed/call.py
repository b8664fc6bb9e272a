"""One call while it runs: what still waits, what is done, why it must stop.

Runs on the I/O thread only, and performs no I/O but the cache's.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from gemini_embed.errors import (
    GeminiEmbedError,
    InternalError,
    ModelNotFoundError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.inquiry import Blame, Inquiry
from gemini_embed.learned import forget, limits_of
from gemini_embed.memory import Memory
from gemini_embed.observe.events import Waiting
from gemini_embed.observe.logs import WaitLog
from gemini_embed.plan import Bounds, Plan, places_of
from gemini_embed.progress import Progress
from gemini_embed.refusals import has_too_many_tokens, is_too_long, model_not_served, most_texts
from gemini_embed.results import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.contents import Batch, Content
    from gemini_embed.policy import CallPolicy
    from gemini_embed.quota import Quota, Room
    from gemini_embed.results import EmbeddingResult
    from gemini_embed.sink import Sink
    from gemini_embed.transport import Answer

_PASSED = 10
"""Requests that pass before larger ones are tried, where larger ones were refused."""


class Call:
    """One call while it runs: what still waits, what is done, why it must stop."""

    def __init__(
        self,
        contents: Sequence[Content],
        ask: Ask,
        sink: Sink,
        policy: CallPolicy,
        *,
        quota: Quota,
        cache: GuardedCache | None,
    ) -> None:
        self.ask = ask
        self.policy = policy
        self.sink = sink
        self._places = places_of(contents)
        self.plan = Plan()
        self.error: BaseException | None = None
        self.last_failure: GeminiEmbedError | None = None
        self.requests = 0
        self.refusals = 0
        self.prompt_tokens: int | None = None
        self.truncated: set[int] = set()
        self._quota = quota
        self._limits = limits_of(ask)
        self._inquiry = Inquiry()
        self._too_many_tokens = False
        self._stopped = asyncio.Event()
        self._log = WaitLog()
        self._fitting: float = math.inf  # texts in a request, where larger ones were refused
        self._passed = 0
        self._rejected: list[GeminiEmbedError] = []
        self._memory = None
        if cache is None:
            self.plan.add(self._places)
        else:
            self._memory = Memory(cache, list(self._places), ask, used=sink.dimension)
        self._news = asyncio.Event()  # of the plan, or the call's end
        self._bar = Progress(len(sink)) if policy.show_progress else None

    def __len__(self) -> int:
        """Return how many texts there are, repeated ones counted once."""
        return len(self._places)

    # What `gate.Source` asks for.

    def is_empty(self) -> bool:
        """Tell whether nothing is to be sent now.

        While not all texts were looked up, no request leaves that is not full: the next text may
        belong in it.
        """
        least = 1 if self._planned or self.plan.has_parts else self._most_texts
        return self.error is not None or len(self.plan) < least

    def note_wait(self, seconds: float) -> None:
        """Tell whoever watches that the next request waits for the quota."""
        reason = f"for the quota of {self.ask.model.name}: {self._quota.told}"
        self._tell_wait(seconds, reason)

    def _tell_wait(self, seconds: float, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        self._log(Waiting(seconds, reason, self.sink.done, len(self.sink)), now)
        if self._bar is not None:
            self._bar.wait(seconds)

    def estimate_next(self) -> int:
        """Return about how many tokens the next text has; 0 where tokens are not limited."""
        if not self._quota.counts_tokens:
            return 0
        content = self.plan.next_content()
        return 0 if content is None else round(content.tokens * self._quota.tokens_per_estimate)

    def take(self, room: Room) -> Batch:
        """Return the next batch that fits."""
        tokens = min(room.tokens, self.ask.route.tokens) / self._quota.tokens_per_estimate
        texts = min(room.texts, self._most_texts)
        batch = self.plan.take(Bounds(texts, tokens, self._limits.size))
        assert batch is not None  # noqa: S101 - the gate asks a source that is not empty
        return batch

    @property
    def _most_texts(self) -> int:
        return int(min(self.policy.batch_size, self._limits.texts, self._fitting))

    def estimate(self, batch: Batch) -> int:
        """Return about how many tokens a batch has; 0 where tokens are not limited."""
        if not self._quota.counts_tokens:
            return 0
        return max(1, round(batch.tokens * self._quota.tokens_per_estimate))

    # What happens to it.

    def stop(self, error: BaseException) -> None:
        """Send nothing more. What is under way may finish: it is paid for."""
        self.error = self.error or error
        self._stopped.set()
        self._tell_senders()

    @property
    def passed(self) -> int:
        """How many requests went well so far."""
        return self._inquiry.passed

    def accept(self, batch: Batch) -> None:
        """Note that a request went well, and what this shows of others that were refused."""
        self._limits.accept(len(batch), batch.letters)
        self._passed += 1
        if self._passed >= _PASSED:
            self._fitting, self._passed = 2 * self._fitting, 0
        was_open = self._inquiry.is_open
        too_many = self._inquiry.accept(batch)
        if too_many is not None and not self._too_many_tokens:
            self._limits.refuse_texts(too_many)
        if was_open:
            self._go_on()

    def refuse(self, batch: Batch, error: RequestError, *, passed: int) -> None:
        """Find out what of a request is to blame; `passed` is from when it was sent.

        Raises:
            RequestError: It is not its texts.
        """
        if self._is_too_much(batch, error):
            self.plan.put_back(batch)
            return
        self._too_many_tokens |= has_too_many_tokens(error)
        match self._inquiry.refuse(batch, passed=passed):
            case Blame.REQUEST:
                forget(self.ask)
                told = f"{error.summary} (texts alone are refused too)"
                raise error.with_context(summary=told) from error.__cause__
            case Blame.TEXT:
                self.reject(with_batch(error, batch, self))
        self._go_on()

    def _is_too_much(self, batch: Batch, error: RequestError) -> bool:
        """Learn from words that we know; tell whether that can be. Else they decide nothing."""
        count = len(batch)
        if count == 1:
            return False
        if is_too_long(error):
            return self._limits.refuse_size(batch.count_bytes())
        named = most_texts(error)
        return named is not None and self._limits.refuse_texts(count, named)

    def _go_on(self) -> None:
        """Let senders have what the inquiry wants to be sent."""
        for batch in self._inquiry.due(self._most_texts, self.plan.pick):
            self.plan.put_back(batch)
        self.plan.is_held = self._inquiry.in_doubt
        self._tell_senders()

    def reject(self, error: GeminiEmbedError) -> None:
        """Go on without a text that the service will not have."""
        self._rejected.append(error)

    def shrink(self, batch: Batch) -> None:
        """Send a batch in halves, and the next ones no larger until some of these passed."""
        self._fitting, self._passed = len(batch) // 2, 0
        for half in reversed(batch.split(self._fitting)):
            self.plan.put_back(half)

    async def pause(self, seconds: float) -> None:
        """Wait before a request is tried again, but not longer than the call goes on."""
        self._tell_wait(seconds, f"to try again what failed ({self.last_failure})")
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    @property
    def _planned(self) -> bool:
        """Whether all texts were looked up in the cache, if there is one."""
        return self._memory is None or self._memory.is_through

    async def has_more(self) -> bool:
        """Wait for what is to be sent next; tell whether there is anything."""
        while self.is_empty() and self._has_more_later():
            await self._news.wait()
        return not self.is_empty()

    def _has_more_later(self) -> bool:
        return self.error is None and (self._inquiry.is_open or not self._planned)

    async def recall(self) -> None:
        """Take what is in the cache, and plan the rest; the first of it is sent meanwhile.

        Where the call fails, what is known is finished all the same.
        """
        while self._memory is not None and not self._memory.is_through:
            contents, found, block = await self._memory.recall()
            self.place([self._places[contents[i]] for i in found], block)
            known = set(found)
            unknown = [content for i, content in enumerate(contents) if i not in known]
            self.plan.add({content: self._places[content] for content in unknown})
            self._tell_senders()

    def _tell_senders(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def keep(self, batch: Batch, block: NDArray[np.float32]) -> None:
        """Put what came into the cache, as it came."""
        if self._memory is not None:
            await self._memory.keep(batch.contents, block)

    def note_truncated(self, batch: Batch, answer: Answer) -> None:
        """Note which texts were cut off, by the service's word."""
        rows = set(answer.truncated)
        if answer.some_truncated and not rows:
            # It tells of the batch only. A token is a byte or more, so short texts were not cut.
            most = self.ask.model.max_input_tokens
            rows = {row for row, text in enumerate(batch.texts) if len(text.encode()) > most}
        self.truncated.update(place for row in rows for place in batch.positions[row])

    def place(self, positions: Sequence[Sequence[int]], block: NDArray[np.float32]) -> None:
        """Put each vector at every place its text stands in the caller's list."""
        self.refusals = 0
        count = self.sink.place(positions, block)
        if self._bar is not None:
            self._bar.update(count)

    def stop_late(self) -> None:
        """End it at its deadline: an error, unless every text has its vector."""
        if self.sink.missing:
            last = self.last_failure or ServiceUnavailableError("not all texts were answered")
            self.stop(last.with_context(deadline_passed=True))
        if self._memory is not None:
            self._memory.tell_late()

    def close(self) -> None:
        """Take the progress bar down, and look nothing up any more."""
        if self._memory is not None:
            self._memory.close()
        if self._bar is not None:
            self._bar.close()

    def result(self) -> EmbeddingResult:
        """Return all vectors, or raise what went wrong with those that are there.

        Raises:
            GeminiEmbedError: With what was finished in `partial`.
        """
        error = self.error or _of_all(self._rejected)
        missing = self.sink.missing
        if error is None and missing:
            error = InternalError(
                "texts were left without a vector; this is a fault of gemini-embed"
            )
        if isinstance(error, GeminiEmbedError):
            error = error.with_context(
                indexes=error.indexes or missing,
                partial=self.sink.partial(),
                total=len(self.sink),
            )
        if error is not None:
            raise error
        return self.sink.result(
            Usage(self.requests, self.prompt_tokens, tuple(sorted(self.truncated)))
        )


def _of_all(rejected: Sequence[GeminiEmbedError]) -> GeminiEmbedError | None:
    """Return one error for all texts that were rejected."""
    if not rejected:
        return None
    first = min(rejected, key=lambda error: error.indexes)
    indexes = sorted(index for error in rejected for index in error.indexes)
    return first.with_context(indexes=tuple(indexes), one_by_one=True)


def with_batch(error: GeminiEmbedError, batch: Batch, call: Call) -> GeminiEmbedError:
    """Return the error, saying which texts it is about and how often they were tried."""
    if isinstance(error, ModelNotFoundError):
        error = model_not_served(error, call.ask.model, call.ask.backend)
    return error.with_context(
        indexes=batch.indexes, attempts=batch.attempts + 1, total=len(call.sink)
    )


def described(error: Exception) -> str:
    """Return what an error of others is."""
    return f"{type(error).__name__}: {error}"


def ours(error: BaseException) -> BaseException:
    """Return what ends a call: an error of ours, unless it is meant to end more than that."""
    if isinstance(error, GeminiEmbedError) or not isinstance(error, Exception):
        return error
    made = InternalError(f"this is a fault of gemini-embed: {described(error)}")
    made.__cause__ = error
    return made
