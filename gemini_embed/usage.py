"""What calls cost: what one reports, and what several add up to. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_embed.notices import listed, warn

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from gemini_embed.models import BackendName
    from gemini_embed.prices import Price


class Rate(NamedTuple):
    """What a token of some kind of input is billed by.

    Attributes:
        model: The model that read it.
        backend: Google's service that was asked.
        price: Its price as the embedder knows it; None where it does not.
        modality: The kind, in Google's words.
        is_batch: Whether the Batch API was asked, which has a price of its own.
    """

    model: str
    backend: BackendName
    price: Price | None
    modality: str = "TEXT"
    is_batch: bool = False


def billed_at(rate: Rate, tokens: int, by_modality: Mapping[str, int]) -> dict[Rate, int]:
    """Return by which rates tokens are billed: all that nobody says the kind of is text."""
    if not by_modality:
        return {rate: tokens}
    kinds, rest = dict(by_modality), tokens - sum(by_modality.values())
    kinds["TEXT"] = kinds.get("TEXT", 0) + max(0, rest)
    return {rate._replace(modality=kind): number for kind, number in kinds.items()}


def in_proportion(kinds: Mapping[str, int], tokens: int) -> dict[str, int]:
    """Return of what kinds tokens are, likely, where as many as these were expected."""
    expected = sum(kinds.values())
    return {kind: number * tokens // expected for kind, number in kinds.items()} if expected else {}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call cost, or several; Usages can be added.

    A text counts where its vector arrives, a request where it leaves, tokens where they are told:
    so a call that failed counts for what it used until then. `texts` and `pieces` less `cached`
    and `duplicates` is how many texts the service embedded for the caller.

    Attributes:
        requests: HTTP requests sent, repeated ones included. The service counts texts, not these.
        prompt_tokens: Input tokens as the service reported them; None where it does not
            (gemini-embedding-001).
        truncated: Positions of the texts that the service cut off because they were too long;
            where it says so of a whole request only, all of it that are long enough. Only
            Vertex AI tells. Of several calls, the positions within each.
        texts: Texts of the caller's that have their vector, however they came by it.
        characters: Of all that the service answered, as it was sent: with prefixes and titles.
        retries: Failures after which a request was sent again; waits for a quota are none.
        waited_for_quota: Seconds in which the quota let no request go. While several requests of
            one call wait, time counts once; of several calls, the times are added.
        waited_for_retries: Seconds before a request that had failed was sent again; likewise.
        cached: Different texts whose vectors the cache had; pieces are texts here.
        duplicates: Texts that equal another of the same call, and got its vector; likewise.
        by_modality: `prompt_tokens` by kind of input (`TEXT`, `IMAGE`, ...), as far as that
            was reported.
        estimated_tokens: Tokens, as estimated, of what was answered without a report of them.
        unanswered: Requests whose answer was lost, broken off or not waited for: the service may
            have counted and billed them.
        unanswered_tokens: The tokens that these can have had, at most.
        billed: What `cost` is made of: reported and estimated tokens, by model, service, price and
            kind of input.
        pieces: Pieces of texts that were split, beyond one for each text.
    """

    requests: int = 0
    prompt_tokens: int | None = None
    truncated: tuple[int, ...] = ()
    texts: int = 0
    characters: int = 0
    retries: int = 0
    waited_for_quota: float = 0.0
    waited_for_retries: float = 0.0
    cached: int = 0
    duplicates: int = 0
    by_modality: Mapping[str, int] = field(default_factory=dict, hash=False)
    estimated_tokens: int = 0
    unanswered: int = 0
    unanswered_tokens: int = 0
    billed: Mapping[Rate, int] = field(default_factory=dict, hash=False, repr=False)
    pieces: int = 0

    def cost(
        self, prices: Mapping[str, Price] | None = None, *, batch: bool = False
    ) -> Decimal | None:
        """Return what the answered tokens cost, in US dollars: reported ones, or else estimated.

        None where the price of any is not known. What is `unanswered` is not in it.

        Args:
            prices: By model; they go before those of the embedder, and of the table in
                `gemini_embed.prices`, which says of which day it is.
            batch: What the same would have cost through the Batch API.
        """
        total = Decimal(0)
        for rate, tokens in self.billed.items():
            price = (prices or {}).get(rate.model, rate.price)
            cost = (
                None
                if price is None
                else price.cost(tokens, rate.modality, batch=batch or rate.is_batch)
            )
            if cost is None:
                return None
            total += cost
        return total

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        names = [one.name for one in fields(Usage)]
        return Usage(**{name: _sum(getattr(self, name), getattr(other, name)) for name in names})

    def __radd__(self, other: int) -> Usage:
        return self if other == 0 else NotImplemented  # what `sum` begins with

    def __setstate__(self, state: list[Any]) -> None:
        """Take what `pickle` kept: of an earlier version, the first fields only."""
        held = dict(zip((one.name for one in fields(Usage)), state, strict=False))
        whole = Usage(**held)
        for one in fields(Usage):
            object.__setattr__(self, one.name, getattr(whole, one.name))


def _sum(one: Any, other: Any) -> Any:
    match one:
        case None:
            return other
        case Mapping():
            return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
        case tuple():
            return tuple(sorted(one + other))
    return one if other is None else one + other


def warn_of_truncated(usage: Usage, known: AbstractSet[int]) -> None:
    """Warn of texts that were cut off, but for those known to be too long, at the caller's line."""
    if cut := [place for place in usage.truncated if place not in known]:
        warn(f"the service cut off what was too long for the model: {listed(cut)}")
