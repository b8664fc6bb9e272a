"""Who is to blame for a refusal that does not say: the request, one of its texts, or their number.

Performs no I/O. Nothing here reads what the service said. A text is sent alone, then another: if
both are refused, the request is to blame, whatever it holds. Else the refused batch is halved until
a text is refused alone, or until all texts have passed: then they were too many.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from gemini_embed.contents import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gemini_embed.contents import Batch

_ENOUGH = 2
"""Texts refused alone, one after another, that show that the request is to blame."""

_ENOUGH_LATER = 5
"""The same where requests of this call went well before."""


class Blame(Enum):
    """What a refusal shows."""

    NOBODY = "not yet what is to blame; parts of it are sent to find out"
    TEXT = "that this text is to blame; the others may go well without it"
    REQUEST = "that the request is to blame, whatever texts it holds"


class Inquiry:
    """The unexplained refusals of one call.

    While it is `in_doubt` whether any request would pass, only what `due` yields may be sent. Until
    the first refusal is explained, parts are sent one at a time: the explanation may hold for the
    other refusals as well.
    """

    def __init__(self) -> None:
        self.in_doubt = False
        self._passed = 0
        self._alone = 0
        self._explained = False
        self._held: deque[Batch] = deque()  # refused, and not halved yet
        self._parts: list[Batch] = []  # of refused ones, to be sent; the last goes first
        self._out = 0  # texts in parts that were sent and have no answer yet

    @property
    def is_open(self) -> bool:
        """Whether there may be something due later."""
        return self.in_doubt or bool(self._held or self._parts)

    @property
    def passed(self) -> int:
        """How many requests went well; what is sent remembers it for `refuse`."""
        return self._passed

    def accept(self, batch: Batch) -> int | None:
        """Note that a request went well.

        Returns:
            A number of texts that is too many for one request, if one is known now: so many were
            refused together, and each of them has passed.
        """
        self._passed += 1
        self._alone = 0
        self.in_doubt = False
        return self._resolve(batch, harmless=True)

    def refuse(self, batch: Batch, *, passed: int) -> Blame:
        """Note that a request was refused; when it was sent, `passed` had gone well."""
        is_alone = len(batch) == 1
        if passed == self._passed and (batch.within is None or self.in_doubt):
            self.in_doubt = True
            self._alone += is_alone
            if self._alone >= (_ENOUGH_LATER if self._passed else _ENOUGH):
                return Blame.REQUEST
        if is_alone:
            self._resolve(batch, harmless=False)
            return Blame.TEXT
        if batch.within is None:
            self._held.append(batch)
        else:
            self._out -= len(batch)
            self._halve(batch)
        return Blame.NOBODY

    def due(self, most: int, pick: Callable[[], Batch | None]) -> Iterator[Batch]:
        """Yield what is to be sent now, before all else.

        Args:
            most: How many texts a request may have. A refused batch of more is only made smaller.
            pick: Takes one of the texts that were never sent.
        """
        if self.in_doubt:
            if not self._out and (probe := self._probe(pick)) is not None:
                self._out += 1
                yield probe
                return
            self.in_doubt = bool(self._out)  # else no text is left to try
        while not self.in_doubt and (self._explained or not self._out):
            if not self._parts and self._held:
                root = self._held.popleft()
                if len(root) > most:
                    yield root
                    continue
                self._halve(root)
            if not self._parts:
                return
            part = self._parts.pop()
            self._out += len(part)
            yield part

    def _probe(self, pick: Callable[[], Batch | None]) -> Batch | None:
        """Return one text to be sent alone: from the middle of a refused batch, if there is one."""
        if not (self._parts or self._held):
            probe = pick()
            return None if probe is None else replace(probe, within=Refused(1, 1))
        batch = self._parts.pop() if self._parts else self._opened(self._held.popleft())
        before, rest = batch.split(len(batch) // 2)
        probe, after = rest.split(1)
        self._parts += [part for part in (before, after) if part]
        return probe

    def _halve(self, batch: Batch) -> None:
        self._parts += reversed(self._opened(batch).split(len(batch) // 2))

    @staticmethod
    def _opened(batch: Batch) -> Batch:
        size = len(batch)
        return replace(batch, within=Refused(size, size, batch.within))

    def _resolve(self, batch: Batch, *, harmless: bool) -> int | None:
        """Note the answer to some texts; return the smallest size it shows to be too many."""
        one, too_many = batch.within, None
        self._out -= len(batch) if one else 0
        while one is not None:
            one.left -= len(batch)
            one.harmless &= harmless
            if one.harmless and not one.left and one.size > 1:
                too_many = too_many or one.size
            one = one.within
        self._explained |= too_many is not None or not harmless
        return too_many
