"""One call while it runs: what still waits, what is done, why it must stop.

Runs on the I/O thread only, and performs no I/O but the cache's.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from gemini_embed.cache.lookup import lookup_of
from gemini_embed.calls.failures import all_rejected, with_batch, with_outcome
from gemini_embed.calls.inquiry import Blame
from gemini_embed.calls.outbox import Outbox
from gemini_embed.calls.plan import places_of
from gemini_embed.calls.uncut import Uncut
from gemini_embed.calls.waits import Waits
from gemini_embed.contents import Tally
from gemini_embed.errors import InternalError, ServiceUnavailableError
from gemini_embed.media.contents import MediaTally
from gemini_embed.observe.events import Ended, Progress
from gemini_embed.pacing.known import seconds_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.calls.sink import Sink
    from gemini_embed.contents import Batch, Content, Inputs
    from gemini_embed.errors import GeminiEmbedError, RequestError
    from gemini_embed.observe.watch import Watch
    from gemini_embed.pacing.limiter import Limiter

    _Positions = Sequence[Sequence[int]]
    _Block = NDArray[np.float32]


class Call:
    """One call while it runs: what still waits, what is done, why it must stop."""

    def __init__(
        self,
        inputs: Inputs,
        ask: Ask,
        policy: CallPolicy,
        *,
        sink: Sink[object],
        watch: Watch,
        limiter: Limiter,
        cache: GuardedCache | None,
    ) -> None:
        self.ask = ask
        self.policy = policy
        self.sink = sink
        self.watch = watch
        self.waits = Waits(ask, policy, sink=sink, watch=watch, limiter=limiter)
        self.outbox = Outbox(
            ask,
            batch_size=policy.batch_size,
            limiter=limiter,
            on_wait=self.waits.for_quota,
            on_spent_day=self.waits.for_day,
            tally=MediaTally() if inputs.have_media else Tally(),
            alone=inputs.suspects,
        )
        self.uncut = Uncut(ask, inputs.suspects)
        self._started_at = asyncio.get_running_loop().time()
        self._limiter = limiter
        self._inputs = inputs
        self._places = places_of(inputs)
        self._rejected: list[GeminiEmbedError] = []
        self._lookup = lookup_of(inputs, cache, self._places, ask, sink.dimension)

    def __len__(self) -> int:
        """Return how many texts there are, repeated ones counted once."""
        return len(self._places)

    @property
    def error(self) -> BaseException | None:
        """Why it must stop."""
        return self.waits.error

    async def look_up(self) -> None:
        """Take what is in the cache, and plan the rest; the first of it is sent meanwhile.

        Where the call fails, what is known is finished all the same.
        """
        if self._lookup is None:
            await self.outbox.add_counted(self._places, self.policy.count, is_last=True)
        while self._lookup is not None and not self._lookup.is_through:
            contents, found, block = await self._lookup.find_next()
            self.watch.recalled(len(found))
            known = set(found)
            unknown = [content for i, content in enumerate(contents) if i not in known]
            await self.outbox.add_counted(
                {content: self._places[content] for content in unknown},
                self.policy.count,
                is_last=self._lookup.is_through,
            )
            recalled = [contents[i] for i in found]
            self._place(recalled, [self._places[content] for content in recalled], block)

    async def accept(self, batch: Batch, block: NDArray[np.float32]) -> None:
        """Put the vectors of a batch in their places, and into the cache as they came."""
        self._place(batch.contents, batch.positions, block)
        if self._lookup is not None:
            await self._lookup.store(batch.contents, block)

    def refuse(self, batch: Batch, error: RequestError, *, passed: int) -> None:
        """Go on without a text that is to blame, or find out which; `passed` is from the start.

        Raises:
            RequestError: It is not its texts.
        """
        match self.outbox.refuse(replace(batch, is_bare=False), error, passed=passed):
            case Blame.REQUEST:
                hint = "texts alone are refused too, so it is the model or an option"
                summary = f"{error.summary}; {hint}"
                raise error.with_context(summary=summary) from error.__cause__
            case Blame.TEXT:
                self.reject(batch, error)

    def reject(self, batch: Batch, error: GeminiEmbedError) -> None:
        """Go on without a text that the service will not have."""
        self._rejected.append(self.about(batch, error))

    def about(self, batch: Batch, error: GeminiEmbedError) -> GeminiEmbedError:
        """Return the error, saying which texts it is about and how often they were tried."""
        return with_batch(error, batch, ask=self.ask, total=len(self.sink))

    def stop(self, error: BaseException) -> None:
        """Send nothing more. What is under way may finish: it is paid for."""
        self.waits.stop(error)
        self.outbox.close()

    def stop_late(self) -> None:
        """End it at its deadline: an error, unless every text has its vector."""
        if self.sink.missing:
            last = self.waits.last_failure or ServiceUnavailableError("not all texts were answered")
            self.stop(last.with_context(deadline_passed=True))
        if self._lookup is not None:
            self._lookup.tell_late()

    def close(self) -> None:
        """Look nothing up any more, and tell whoever watches that it is over."""
        self.waits.last_failure = None
        if self._lookup is not None:
            self._lookup.close()
        self.uncut.tell()
        self.watch.tell(Ended)

    def check(self) -> None:
        """Raise what went wrong, if anything did. What raised it holds the call, which forgets it.

        Raises:
            GeminiEmbedError: With what was finished in `partial`.
        """
        error, self.waits.error = self.error or all_rejected(self._rejected), None
        self._rejected.clear()
        if error is None and self.sink.missing:
            error = InternalError(
                "texts were left without a vector; this is a fault of gemini-embed"
            )
        if error is not None:
            raise with_outcome(error, self.sink)

    def _place(self, contents: Sequence[Content], positions: _Positions, block: _Block) -> None:
        done = self.sink.place(positions, block, self._inputs.weights_of(contents))
        self.watch.placed(done, of=len(positions), places=sum(map(len, positions)))
        if self.policy.role == "document" and self.watch.is_seen(Progress):
            self._tell_progress()

    def _tell_progress(self) -> None:
        now, usage = asyncio.get_running_loop().time(), self.watch.usage
        embedded = usage.texts + usage.pieces - usage.cached - usage.duplicates
        seconds = now - self._started_at
        unsent = self.outbox.unsent + (0 if self._lookup is None else len(self._lookup))
        tokens = (usage.prompt_tokens or 0) + usage.estimated_tokens
        self.watch.tell(
            Progress,
            usage.texts,
            len(self.sink),
            usage.cached,
            embedded / seconds if embedded and seconds > 0 else None,
            seconds_for(self._limiter, unsent, unsent * tokens / max(1, embedded), now),
        )
