"""How much one request may hold, as its answers have shown; remembered for the process. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.ask import Ask, Backend

_BYTES_PER_REQUEST = 4 * 2**20
"""Google refuses longer bodies, by one report. It documents no limit for embeddings."""


@dataclass(slots=True)
class Limits:
    """What a service takes in one request.

    What has passed is a fact. A refusal that contradicts it is not about this limit, whatever it
    says, and teaches nothing.

    Attributes:
        texts: The most texts to send in one request.
        size: The most bytes; one text alone may have more.
        takes_wish: Whether a request may say that nothing is to be cut off; None where that is not
            known.
    """

    texts: int
    size: int = _BYTES_PER_REQUEST
    takes_wish: bool | None = None
    _texts_passed: int = 1
    _size_passed: int = 0

    def accept(self, texts: int, size: int) -> None:
        """Learn from a request that went well. `size` is its bytes, or fewer."""
        self._texts_passed = max(self._texts_passed, texts)
        self._size_passed = max(self._size_passed, size)
        self.size = max(self.size, size)

    def refuse_texts(self, texts: int, most: int | None = None) -> bool:
        """Learn that so many texts are too many; tell whether that can be.

        `most` is what the service names; without it, what has passed is kept to.
        """
        if texts <= self._texts_passed or (most is not None and most >= texts):
            return False
        self.texts = max(1, min(self.texts, self._texts_passed if most is None else most))
        return True

    def refuse_size(self, size: int) -> bool:
        """Learn that several texts of so many bytes are too long; tell whether that can be."""
        if size <= self._size_passed:
            return False
        self.size = max(self._size_passed, min(self.size, size // 2))
        return True


_limits: dict[tuple[str, str, Backend, str | None], Limits] = {}


def limits_of(ask: Ask) -> Limits:
    """Return what holds for a model at a service and place: as documented, until more is known."""
    return _limits.setdefault(_of(ask), Limits(ask.route.texts))


def forget(ask: Ask) -> None:
    """Believe nothing that was learned: what was refused was so for another reason."""
    _limits.pop(_of(ask), None)


def _of(ask: Ask) -> tuple[str, str, Backend, str | None]:
    return ask.route.method, ask.model.name, ask.backend, ask.service.name
