"""Texts that may be too long and must not be cut off: what the service is asked, and its answer.

Performs no I/O. Such a text travels alone, so that what is said of the request is said of it. The
service is asked to refuse rather than to cut off. Not every service knows that wish: one that
refuses a request with it and takes the same without it is not asked again. No wording decides.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.calls.limits import limits_of
from gemini_embed.errors import NoVectorError, RequestError, TextTooLongError
from gemini_embed.notices import listed, warn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    import numpy as np
    from numpy.typing import NDArray

    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch, Content
    from gemini_embed.errors import GeminiEmbedError
    from gemini_embed.service.answer import Answer


_NO_VECTOR = "the service made no vector of it, and says no more"


class Sifted(NamedTuple):
    """What an answer comes to.

    Attributes:
        served: The contents that have their vector.
        block: These vectors.
        rejected: Contents that will not have one, each with what is said of it.
        again: What is to be sent once more: one of several texts was cut off, nobody says which.
    """

    served: Batch
    block: NDArray[np.float32]
    rejected: Sequence[tuple[Batch, GeminiEmbedError]]
    again: Sequence[Batch] = ()


class Uncut:
    """The texts of one call that may be too long and must not be cut off.

    Args:
        ask: What the service is asked for.
        suspects: These texts.
    """

    def __init__(self, ask: Ask, suspects: AbstractSet[Content]) -> None:
        self._ask = ask
        self._without_wish = ask if ask.may_cut else replace(ask, may_cut=True)
        self._suspects = suspects
        self._limits = limits_of(ask)
        self._unsure: set[int] = set()

    def asked(self, batch: Batch) -> Ask:
        """Return what the service is asked for with a batch: to cut nothing off, if it may help."""
        if batch.is_bare or self._limits.takes_wish is False:
            return self._without_wish
        return self._ask

    def is_in_doubt(self, batch: Batch, asked: Ask, error: GeminiEmbedError) -> bool:
        """Tell whether a refusal may be of the wish, or for length: the same without it tells."""
        if asked.may_cut or not isinstance(error, RequestError):
            return False
        may_be = self._limits.takes_wish is None or self._has_suspect(batch)
        return may_be and error.status == HTTPStatus.BAD_REQUEST

    def sift(self, batch: Batch, asked: Ask, answer: Answer, block: NDArray[np.float32]) -> Sifted:
        """Learn from an answer; take out of it what is no vector of a whole text.

        `block` has a vector of each content that the answer has one of.
        """
        served, _ = answer.served(batch)
        missing = [(batch.only([row]), NoVectorError(_NO_VECTOR)) for row in answer.without_values]
        if self._ask.may_cut:
            return Sifted(served, block, missing)
        if answer.some_truncated and not answer.truncated and len(batch) > 1:
            return Sifted(served.only([]), block[:0], [], [*map(_anew, batch.singly())])
        if not (rows := self._cut_off(batch, asked, answer)):
            return Sifted(served, block, missing)
        cut_off = batch.only(rows)
        rest = served.rows_without(cut_off)
        too_long = [(one, self._error(one)) for one in cut_off.singly()]
        return Sifted(served.only(rest), block[rest], [*missing, *too_long])

    def _cut_off(self, batch: Batch, asked: Ask, answer: Answer) -> list[int]:
        """Learn from an answer; return which rows are of texts that were cut off, or would be."""
        if not asked.may_cut:
            self._limits.takes_wish = True
        if self._has_suspect(batch):
            return [0] if self._is_suspect_cut(batch, answer) else []
        if batch.is_bare and self._limits.takes_wish is None:
            self._limits.takes_wish = False
        return [0] if answer.some_truncated else [*answer.truncated]

    def _is_suspect_cut(self, batch: Batch, answer: Answer) -> bool:
        is_cut = self._is_cut(answer)
        if batch.is_bare and not is_cut:
            # With the wish it was refused: for its length, unless the wish is what is refused.
            if self._limits.takes_wish is None and is_cut is False:
                self._limits.takes_wish = False
            is_cut = self._limits.takes_wish is not False
        if is_cut is None:
            self._unsure.update(batch.indexes)
        return bool(is_cut)

    def _error(self, batch: Batch) -> TextTooLongError:
        """Return the error for a text that was cut off, or would be."""
        return TextTooLongError(
            f"too long: {self._ask.model.name} reads {self._most:,} tokens of a text, the service "
            "would leave out the rest of this one, and on_long says not to",
            index=batch.indexes[0],
            reason="too long",
            limit=self._most,
        )

    def tell(self) -> None:
        """Warn of texts that may have been cut off although nobody said so."""
        if self._unsure:
            warn(
                f"{self._ask.model.name} reads {self._most:,} tokens of a text, and this service "
                f"does not say where it cut one off: perhaps {listed(sorted(self._unsure))}"
            )

    @property
    def _most(self) -> int:
        return self._ask.model.max_input_tokens

    def _has_suspect(self, batch: Batch) -> bool:
        return bool(self._suspects) and batch.contents[0] in self._suspects

    def _is_cut(self, answer: Answer) -> bool | None:
        """Tell whether the one text of an answer was cut off; None where that cannot be known."""
        if answer.truncated or answer.some_truncated:
            return True
        if self._ask.backend.name == "vertex" and self._ask.model.task == "field":
            return False  # documented: it says so
        if answer.prompt_tokens is None:
            return None
        return answer.prompt_tokens >= self._most  # whether counted before it was cut, or after


def _anew(batch: Batch) -> Batch:
    """Return a batch that is part of no refused one any more."""
    return replace(batch, within=None)
