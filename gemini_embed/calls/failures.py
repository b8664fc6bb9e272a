"""What ends a call: an error of ours, with all that is known of its texts. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.errors import GeminiEmbedError, InternalError, ModelNotFoundError, described
from gemini_embed.service.refusals import model_not_served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.calls.sink import Sink
    from gemini_embed.contents import Batch


def all_rejected(rejected: Sequence[GeminiEmbedError]) -> GeminiEmbedError | None:
    """Return one error for all texts that were rejected."""
    if not rejected:
        return None
    first = min(rejected, key=lambda error: error.indexes)
    indexes = sorted(index for error in rejected for index in error.indexes)
    return first.with_context(indexes=tuple(indexes), one_by_one=True)


def with_batch(error: GeminiEmbedError, batch: Batch, *, ask: Ask, total: int) -> GeminiEmbedError:
    """Return the error, saying which texts it is about and how often they were tried."""
    if isinstance(error, ModelNotFoundError):
        error = model_not_served(error, ask.model, ask.backend)
    return error.with_context(indexes=batch.indexes, attempts=batch.attempts + 1, total=total)


def with_outcome(error: BaseException, sink: Sink[object]) -> BaseException:
    """Return the error, if it is one of ours, with what was finished and what was not."""
    if not isinstance(error, GeminiEmbedError):
        return error
    return error.with_context(
        indexes=error.indexes or sink.missing, partial=sink.partial(), total=len(sink)
    )


def ours(error: BaseException) -> BaseException:
    """Return what ends a call: an error of ours, unless it is meant to end more than that."""
    if isinstance(error, GeminiEmbedError) or not isinstance(error, Exception):
        return error
    made = InternalError(f"this is a fault of gemini-embed: {described(error)}")
    made.__cause__ = error
    return made
