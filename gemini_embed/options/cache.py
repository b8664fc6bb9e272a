"""Options of the cache. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gemini_embed.errors import ConfigurationError
from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional

if TYPE_CHECKING:
    from os import PathLike
    from typing import TypeAlias

    from gemini_embed.cache import Cache

    AnyCache: TypeAlias = bool | str | PathLike[str] | Cache | None


def _cache(name: str, value: object) -> object:
    if not isinstance(value, bool) and not (
        hasattr(value, "get_many") and hasattr(value, "set_many")
    ):
        raise ConfigurationError(
            f"{name} must be True, a path, or an object with get_many and set_many, "
            f"not {type(value).__name__}"
        )
    return value


@dataclass(kw_only=True, eq=False, repr=False)
class CacheOptions:
    """Which vectors are kept, and where."""

    cache: AnyCache = field(default=None, metadata=checked(optional(checks.path_or(_cache))))
    """Where vectors are kept and looked up: True for a per-user file, a path for a file of that
    name, or an object with `get_many` and `set_many`. Default: nowhere."""

    cache_uris: bool = field(default=False, metadata=checked(checks.flag))
    """Whether the cache keeps vectors of what lies at a URI, where it may change unseen."""

    cache_full_dimension: bool = field(default=False, metadata=checked(checks.flag))
    """Ask for and keep the model's full dimension, and cut vectors to `output_dimensionality`
    here: any dimension is then free later."""
