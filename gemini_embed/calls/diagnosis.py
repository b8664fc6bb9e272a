"""What the refusals of one call come down to: too much at once, one of its texts, or the request.

Performs no I/O. It joins what is known of a service's limits with an inquiry, and puts what that
wants to be sent into the plan, before all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.calls.inquiry import Blame, Inquiry
from gemini_embed.calls.limits import forget, limits_of
from gemini_embed.service.refusals import has_too_many_tokens, is_too_large, limit_named_in

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.calls.plan import Plan
    from gemini_embed.contents import Batch
    from gemini_embed.errors import RequestError


class Diagnosis:
    """What the refusals of one call come down to."""

    def __init__(self, ask: Ask, plan: Plan, *, batch_size: int) -> None:
        self._ask = ask
        self._plan = plan
        self._batch_size = batch_size
        self._limits = limits_of(ask)
        self._inquiry = Inquiry()
        self._had_too_many_tokens = False

    @property
    def most_texts(self) -> int:
        """How many texts a request may hold."""
        return int(min(self._batch_size, self._limits.texts))

    @property
    def most_bytes(self) -> int:
        """How many bytes its body may have."""
        return self._limits.size

    @property
    def is_open(self) -> bool:
        """Whether something may be sent later on its account."""
        return self._inquiry.is_open

    @property
    def passed(self) -> int:
        """How many requests went well so far; what is sent remembers it for `refuse`."""
        return self._inquiry.passed

    def accept(self, batch: Batch) -> None:
        """Note that a request went well, and what this shows of others that were refused."""
        size = batch.count_bytes() if batch.has_media else batch.letters
        self._limits.accept(len(batch), size)
        too_many = self._inquiry.accept(batch)
        if too_many is not None and not self._had_too_many_tokens:
            self._limits.refuse_texts(too_many)
        self._plan_inquiry()

    def refuse(self, batch: Batch, error: RequestError, *, passed: int) -> Blame:
        """Find out what of a refused request is to blame; `passed` is from when it was sent."""
        if self._is_too_much(batch, error):
            self._plan.put_back(batch)
            return Blame.NOBODY
        self._had_too_many_tokens |= has_too_many_tokens(error)
        blame = self._inquiry.refuse(batch, passed=passed)
        if blame is Blame.REQUEST:
            forget(self._ask)
        else:
            self._plan_inquiry()
        return blame

    def _is_too_much(self, batch: Batch, error: RequestError) -> bool:
        """Learn from words that we know; tell whether that can be. Else they decide nothing."""
        if len(batch) == 1:
            return False
        if is_too_large(error):
            return self._limits.refuse_size(batch.count_bytes())
        named = limit_named_in(error)
        return named is not None and self._limits.refuse_texts(len(batch), named)

    def _plan_inquiry(self) -> None:
        for batch in self._inquiry.due(self.most_texts, self._plan.pick):
            self._plan.put_back(batch)
        self._plan.is_held = self._inquiry.in_doubt
