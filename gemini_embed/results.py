"""What an embed call returns. Loads no numpy: the types are for the reader and the checker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from gemini_embed.usage import Usage  # noqa: TC001 - where earlier pickles find it

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy import float32
    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller wants of each vector.

    Attributes:
        dimension: Its length; the service may be asked for more.
        normalize: Whether it is brought to unit length here.
        as_lists: Whether it is wanted as a list of plain floats, not as a row of an array.
        normalize_means: Whether the mean of a long text's pieces is brought to unit length: no
            service does that.
    """

    dimension: int
    normalize: bool
    as_lists: bool = False
    normalize_means: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a call would take: a forecast. It is for a call in which nothing fails.

    Attributes:
        texts: How many there are.
        unique: Without those that repeat within the call, which are sent once. A text that is split
            because it is too long counts here, and below, as its pieces.
        cached: Those of them that the cache has.
        to_send: Those that are sent.
        requests: HTTP requests.
        tokens: Input tokens of what is sent, likely.
        tokens_at_most: The same, at most.
        unmeasured: How many media nobody has measured. `tokens` and `cost` take a PDF for one page,
            and a sound or film whose file does not tell how long it is for the longest that is
            read; `tokens_at_most` holds for PDFs of any length that the service takes.
        cost: What Google asks for those tokens, in US dollars; None where the price is not known.
            With a key of the free tier it is nothing.
        batch_cost: The same at the price of the Batch API.
        seconds: From the first request to the last answer, as the quota that is told or learned
            allows, at half a second for each request there and back; without the nights in which
            a daily quota is waited for.
        days: On which day it is done, if it begins now: 1 for today. None where no daily limit is
            told or learned.
    """

    texts: int
    unique: int
    cached: int
    to_send: int
    requests: int
    tokens: int
    tokens_at_most: int
    unmeasured: int
    cost: Decimal | None
    batch_cost: Decimal | None
    seconds: float
    days: int | None


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """The vectors of one call.

    Attributes:
        vectors: float32 array of shape (number of texts, dimension), row i for text i.
        usage: What it cost.
    """

    vectors: NDArray[float32]
    usage: Usage


@dataclass(frozen=True, slots=True)
class StreamBlock(Generic[T]):
    """Some items of a stream, one after the other, with their vectors.

    Attributes:
        start: The place of the first in the stream, from 0.
        items: The texts and media, as they were given.
        vectors: float32 array of shape (number of items, dimension), row i for item i of these.
        usage: What they cost.
    """

    start: int
    items: list[T]
    vectors: NDArray[float32]
    usage: Usage


@dataclass(frozen=True, slots=True)
class ListedResult:
    """The same for the adapters: plain floats, which is what both frameworks store.

    Attributes:
        lists: Row i for text i.
        usage: What it cost.
    """

    lists: list[list[float]]
    usage: Usage
