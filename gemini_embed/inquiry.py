"""Who is to blame for a refusal that does not say: the request, one of its texts, or their number.

Performs no I/O. Nothing here reads what the service said. A text is sent alone, then another: if
both are refused, it is the request, whatever it holds. Else what was refused is halved until a
text is refused alone, or until all of it has passed: then it was too many texts.
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
"""Texts refused alone, one after another, that convict the request."""

_ENOUGH_LATER = 5
"""The same where requests of this call went well before."""


class Blame(Enum):
    """What a refusal shows."""

    NOBODY = "that something of it is at fault; it is looked into"
    TEXT = "that this one text is; the others may go well without it"
    REQUEST = "that it is not the texts"


class Inquiry:
    """The unexplained refusals of one call.

    While it is `in_doubt` whether any request would pass, nothing is to be sent but what `due`
    gives. Until the first of the refusals is explained, their parts go one at a time: the
    explanation may hold for the others.
    """

    def __init__(self) -> None:
        self.in_doubt = False
        self._passed = 0
        self._alone = 0
        self._explained = False
        self._held: deque[Batch] = deque()  # refused, and not looked into yet
        self._parts: list[Batch] = []  # of those that are; the last goes first
        self._out = 0  # texts of parts that were given out and have no answer yet

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
            How many texts were refused together although each of them has passed, where that
            is now known: as many are too many.
        """
        self._passed += 1
        self._alone = 0
        self.in_doubt = False
        return self._resolve(batch, harmless=True)

    def refuse(self, batch: Batch, *, passed: int) -> Blame:
        """Note that a request was refused; of the call's, `passed` had gone well as it was sent."""
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
            most: How many texts a request may have; what was refused with more needs no inquiry.
            pick: Takes one of the texts out of those that nothing is known of.
        """
        if self.in_doubt:
            if not self._out and (probe := self._probe(pick)) is not None:
                self._out += 1
                yield probe
                return
            self.in_doubt = bool(self._out)  # else there is nobody left to ask
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
        """Return one text, from the middle of what was refused if there is such a thing."""
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
