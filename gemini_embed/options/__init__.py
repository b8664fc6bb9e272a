"""Every option of an embedder, once: its type, its default, what it means and what it may be.

Performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Required, TypedDict

from gemini_embed.credentials import find_key
from gemini_embed.errors import ConfigurationError
from gemini_embed.model_names import known_id
from gemini_embed.models import NEWEST
from gemini_embed.notices import warn
from gemini_embed.options.batch import BatchOptions
from gemini_embed.options.cache import CacheOptions
from gemini_embed.options.checks import checked
from gemini_embed.options.connection import ConnectionOptions
from gemini_embed.options.contents import ContentOptions
from gemini_embed.options.quotas import QuotaOptions
from gemini_embed.options.sending import SendingOptions
from gemini_embed.options.service import ServiceOptions
from gemini_embed.pacing.quota import Quota
from gemini_embed.redaction import forgetful
from gemini_embed.service_address import read_address, sent_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gemini_embed.options.checks import Check
    from gemini_embed.tasks import Role


@dataclass(kw_only=True, eq=False, repr=False)
class Options(  # a dataclass takes the fields of its last base first
    ConnectionOptions,
    BatchOptions,
    CacheOptions,
    QuotaOptions,
    SendingOptions,
    ContentOptions,
    ServiceOptions,
):
    """The options of a `GeminiEmbedder`; both adapters take them under the same names."""

    if not TYPE_CHECKING:  # no option: what `dataclasses.replace` hands on of an embedder's own
        _shared: Any = field(default=(None, None), metadata=checked(lambda _, value: value))

    def __post_init__(self) -> None:
        for option in fields(Options):  # a subclass, as a dataclass, may have more
            check: Check = option.metadata["check"]
            setattr(self, option.name, check(option.name, getattr(self, option.name)))
        _check_combinations(self)


OPTIONS = tuple(one.name for one in fields(Options) if not one.name.startswith("_"))
"""The names of all options."""


class CallOptions(TypedDict, total=False):
    """The options of one call: `GeminiEmbedder.embed` says what each means."""

    role: Required[Role]
    task_type: str | None
    titles: Sequence[str | None] | None
    output_dimensionality: int | None
    batch_size: int | None
    show_progress: bool
    rate_limiter: Callable[[], Awaitable[None]] | None
    batch: bool | None


def _with_defaults_of_the_class(init: Callable[..., None]) -> Callable[..., None]:
    """Let an option that a subclass names as a class attribute be its default."""
    names = [field.name for field in fields(Options)]

    @wraps(init)
    def wrapper(self: Options, *args: Any, **given: Any) -> None:
        init(self, *args, **({name: getattr(type(self), name) for name in names} | given))

    return wrapper


Options.__init__ = forgetful(  # type: ignore[method-assign] # a dataclass's own
    _with_defaults_of_the_class(Options.__init__)
)

_OF_A_QUOTA = ("requests_per_minute", "tokens_per_minute", "requests_per_day")
_OF_VERTEX = ("vertexai", "project", "location", "credentials")
_OF_A_CLIENT = ("base_url", "api_version", "additional_headers", "client_args")


def _check_combinations(options: Options) -> None:
    """Refuse options that contradict each other, or mean nothing together."""
    if options.client and (given := _given(options, _OF_A_CLIENT)):
        raise ConfigurationError(
            f"client is used as it is; give {', '.join(given)} to the client instead"
        )
    if options.client and (given := _given(options, _OF_VERTEX)):
        raise ConfigurationError(f"client is used as it is; it says {', '.join(given)} itself")
    key = find_key(options.api_key)
    if options.credentials is not None and key is not None and key.is_own:
        raise ConfigurationError("give either api_key or credentials, not both")
    if isinstance(options.quota, Quota) and (given := _given(options, _OF_A_QUOTA)):
        raise ConfigurationError(f"give either quota or {', '.join(given)}")
    if options.retry_min_seconds > options.retry_max_seconds:
        raise ConfigurationError(
            "retry_min_seconds must be from 0 to retry_max_seconds: "
            f"{options.retry_min_seconds}, {options.retry_max_seconds}"
        )
    address = read_address(options.base_url, "base_url")
    if address:
        sent_to(address, options.api_version)


def _given(options: Options, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if getattr(options, name) is not None]


def check_picklable(client: object) -> None:
    """Refuse to pickle what holds a caller's SDK client.

    Raises:
        TypeError: As pickling does.
    """
    if client is not None:
        raise TypeError(
            "an embedder built with client=... cannot be pickled: the SDK's client holds "
            "connections. Pass api_key, base_url, ... instead"
        )


def meant_by_first_release(name: object) -> str | None:
    """Return what model a name stands for in a pickle or dump that release 0.1 wrote.

    It took a gateway's own model name for the newest model, without `behaves_like`.
    """
    if not isinstance(name, str) or known_id(name):
        return None
    warn(
        f"{name!r} was saved without behaves_like, and is taken for a name of {NEWEST}, as when it "
        f'was saved; build it anew with behaves_like="{NEWEST}"'
    )
    return NEWEST
