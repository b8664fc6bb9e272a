"""Options that say what may be sent in a minute or a day, and what it costs. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gemini_embed.errors import ConfigurationError
from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional, whole
from gemini_embed.pacing.quota import Quota
from gemini_embed.prices import Price

if TYPE_CHECKING:
    from gemini_embed.counting import CountTokens


def _quota(name: str, value: object) -> object:
    if not (isinstance(value, Quota) or (isinstance(value, str) and value == "shared")):
        raise ConfigurationError(f'{name} must be a Quota or "shared", not {type(value).__name__}')
    return value


def _prices(name: str, value: object) -> Mapping[str, Price]:
    if not isinstance(value, Mapping) or not all(
        isinstance(model, str) and isinstance(price, Price) for model, price in value.items()
    ):
        raise ConfigurationError(f"{name} must map the names of models to a Price each")
    return dict(value)


@dataclass(kw_only=True, eq=False, repr=False)
class QuotaOptions:
    """What may be sent in a minute or a day, and what it costs."""

    quota: Quota | Literal["shared"] | None = field(
        default=None, metadata=checked(optional(_quota))
    )
    """A `Quota` of several embedders, or `"shared"` by all processes. Default: one of its own."""

    requests_per_minute: int | None = field(default=None, metadata=checked(optional(whole(1))))
    """Short for `Quota(requests=...)`: texts, as the service counts."""

    tokens_per_minute: int | None = field(default=None, metadata=checked(optional(whole(1))))
    """Short for `Quota(tokens=...)`. A limit that is not given is learned."""

    requests_per_day: int | None = field(default=None, metadata=checked(optional(whole(1))))
    """Short for `Quota(requests_per_day=...)`: texts until midnight Pacific time. With a cache in
    a file, all processes that use the file count together, and so do later runs."""

    prices: Mapping[str, Price] | None = field(default=None, metadata=checked(optional(_prices)))
    """What a token costs, by model: a `Price` for each that goes before the table in
    `gemini_embed.prices`. `usage.cost()` and `estimate` count with it."""

    count_tokens: CountTokens = field(
        default="estimate", metadata=checked(checks.callable_or("estimate", "api"))
    )
    """How tokens are counted where a limit asks for it: `"estimate"` by the classes of a text's
    bytes; a function that takes a text and returns its tokens, called on other threads; or
    `"api"`: Google's `countTokens` for each text that the estimate leaves in doubt of being too
    long, and the estimate for all else."""
