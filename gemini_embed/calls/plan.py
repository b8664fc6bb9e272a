"""From contents to requests: which travel together, and whose vector each answer is.

Performs no I/O. Contents are put into batches only as they are sent, so that a limit learned
on the way holds for everything that is still to be sent.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.contents import Batch, Tally
from gemini_embed.media.contents import Kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gemini_embed.contents import Content, Inputs
    from gemini_embed.media_facts import Modality


class Bounds(NamedTuple):
    """What one request may hold.

    Attributes:
        texts: The most contents.
        tokens: The most of their tokens, as estimated.
        size: The most bytes of its body.
    """

    texts: float
    tokens: float = math.inf
    size: float = math.inf


class _Filling:
    """A request that is being filled: asked, one by one, whether one more content fits."""

    def __init__(self, bounds: Bounds, tally: Tally, kinds: Kinds | None = None) -> None:
        self.contents: list[Content] = []
        self._bounds = bounds
        self._kinds = kinds
        self._tally = tally if bounds.tokens < math.inf else None
        self._tokens = 0
        self._size = 0
        self._is_counted = False  # most requests are far from the limit: no bytes are counted

    def takes(self, content: Content) -> bool:
        """Put one more content in, if it fits; the first always does."""
        bounds = self._bounds
        tokens = self._tokens + self._tally(content) if self._tally else 0
        size = self._size_with(content)
        if self.contents and not (
            len(self.contents) < bounds.texts
            and tokens <= bounds.tokens
            and size <= bounds.size
            and (self._kinds is None or self._kinds.takes(content))
        ):
            return False
        self.contents.append(content)
        if self._kinds is not None:
            self._kinds.add(content)
        self._tokens, self._size = tokens, size
        return True

    def _size_with(self, content: Content) -> int:
        """Return how many bytes there are with one more content, or a bound that is low enough."""
        if not self._is_counted:
            most = self._size + content.most_bytes
            if most <= self._bounds.size:
                return most
            self._is_counted = True
            self._size = sum(held.count_bytes() for held in self.contents)
        return self._size + content.count_bytes()


def places_of(inputs: Inputs) -> dict[Content, list[int]]:
    """Return where each content's vector belongs: identical ones are one."""
    places: dict[Content, list[int]] = {}
    for owner, content in zip(inputs.owners, inputs.contents, strict=True):
        places.setdefault(content, []).append(owner)
    return places


class Plan:
    """The texts of one call that are still to be sent.

    Args:
        tally: Counts their tokens, where tokens are limited.
        alone: Those that travel alone.
        media: How many media of each kind a request may have, where any of them has media.

    Attributes:
        is_held: Whether nothing may be sent now but parts of what was refused.
    """

    def __init__(
        self,
        tally: Tally | None = None,
        *,
        alone: AbstractSet[Content] = frozenset(),
        media: Mapping[Modality, int] | None = None,
    ) -> None:
        self.is_held = False
        self._media = media
        self._tally = tally or Tally()
        self._alone = alone
        self._places: dict[Content, Sequence[int]] = {}
        self._waiting: deque[Content] = deque()
        self._again: deque[Batch] = deque()
        self._parts: deque[Batch] = deque()

    def __len__(self) -> int:
        """Return how many texts wait that may be sent, repeated ones counted once."""
        parts = sum(len(batch) for batch in self._parts)
        if self.is_held:
            return parts
        return parts + len(self._waiting) + sum(len(batch) for batch in self._again)

    @property
    def waiting(self) -> int:
        """How many texts wait, those included that may not be sent now."""
        batches = (*self._parts, *self._again)
        return len(self._waiting) + sum(len(batch) for batch in batches)

    @property
    def has_parts(self) -> bool:
        """Whether parts of what was refused wait."""
        return bool(self._parts)

    def add(self, places: Mapping[Content, Sequence[int]]) -> None:
        """Let texts wait, after those that wait already.

        Args:
            places: For each content, where in the caller's list its vector belongs.
        """
        self._places.update(places)
        if self._alone:
            self._again.extend(self._batch((one,)) for one in places if one in self._alone)
            self._waiting.extend(one for one in places if one not in self._alone)
        else:
            self._waiting.extend(places)

    def put_back(self, batch: Batch) -> None:
        """Let a batch wait again, before everything else but parts of what was refused."""
        (self._parts if batch.within else self._again).appendleft(batch)

    def pick(self) -> Batch | None:
        """Take one text out of the middle of those that were never sent; None if there is none."""
        if not self._waiting:
            return None
        middle = len(self._waiting) // 2
        content = self._waiting[middle]
        del self._waiting[middle]
        return self._batch((content,))

    @property
    def next_size(self) -> int:
        """How many contents the next batch may have at most."""
        if batches := self._going_first():
            return len(batches[0])
        return 0 if self.is_held else len(self._waiting)

    def next_content(self) -> Content | None:
        """Return the content that `take` would begin with."""
        if batches := self._going_first():
            return batches[0].contents[0]
        return self._waiting[0] if self._waiting and not self.is_held else None

    def take(self, bounds: Bounds) -> Batch | None:
        """Return the next batch within the bounds, of one content at least; None if none waits."""
        if batches := self._going_first():
            return self._cut(batches.popleft(), bounds)
        if not self._waiting or self.is_held:
            return None
        filling = self._filling(bounds)
        if bounds.tokens < math.inf:
            most = min(bounds.texts, len(self._waiting))
            self._tally.learn(islice(self._waiting, int(most)))
        while self._waiting and filling.takes(self._waiting[0]):
            self._waiting.popleft()
        return self._batch(filling.contents)

    def _going_first(self) -> deque[Batch] | None:
        """Return the batches that go before what was never sent, if there are any."""
        return self._parts or (None if self.is_held else self._again)

    def _batch(self, contents: Sequence[Content]) -> Batch:
        places = tuple(tuple(self._places[content]) for content in contents)
        has_media = self._media is not None
        return Batch(tuple(contents), places, tally=self._tally, has_media=has_media)

    def _filling(self, bounds: Bounds) -> _Filling:
        kinds = None if self._media is None else Kinds(self._media)
        return _Filling(bounds, self._tally, kinds)

    def _cut(self, batch: Batch, bounds: Bounds) -> Batch:
        filling = self._filling(bounds)
        if all(map(filling.takes, batch.contents)):
            return batch
        batch, rest = batch.split(len(filling.contents))
        self.put_back(rest)
        return batch
