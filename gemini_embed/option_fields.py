"""The core's options as fields of a pydantic model, and as keywords: for the adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr
from pydantic.json_schema import SkipJsonSchema  # noqa: TC002 - likewise

from gemini_embed.counting import CountTokens  # noqa: TC001 - likewise
from gemini_embed.embedder import GeminiEmbedder  # noqa: TC001 - likewise
from gemini_embed.inputs import BatchFallback, OnBlank, OnLong, OnSurrogate  # noqa: TC001 - likewise
from gemini_embed.models import Normalize  # noqa: TC001 - likewise
from gemini_embed.observe.events import Progress, Retry  # noqa: TC001 - likewise
from gemini_embed.pacing.day import OnDailyQuota  # noqa: TC001 - likewise
from gemini_embed.pacing.quota import Quota  # noqa: TC001 - likewise
from gemini_embed.prices import Price  # noqa: TC001 - likewise
from gemini_embed.redaction import ShownUrl  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from gemini_embed.options.cache import AnyCache
    from gemini_embed.options.connection import AnyClient
    from gemini_embed.options.service import AnyCredentials
else:  # the core checks them; pydantic would need the SDK and google-auth to do so
    AnyCache = AnyClient = AnyCredentials = Any

Secret = Annotated[
    str | SecretStr,
    AfterValidator(lambda given: SecretStr(given) if isinstance(given, str) else given),
]
"""For a pydantic field: a secret that may be given in clear, and is never held or shown so."""


class OptionFields(BaseModel):
    """The core's options as fields: `gemini_embed.options.Options` says what each means.

    It comes last among the bases of an adapter: type checkers then still know the constructor's
    names. `model`, `api_key` and `batch_size` are the adapter's own: frameworks rename them.
    """

    behaves_like: str | None = None
    vertexai: bool | None = None
    project: str | None = None
    location: str | None = None
    credentials: AnyCredentials = Field(default=None, exclude=True)
    task_type: str | None = None
    output_dimensionality: int | None = None
    normalize: Normalize = "auto"
    task_prefix: bool = True
    caption_prefix: bool = False
    on_blank: OnBlank = "error"
    on_surrogate: OnSurrogate = "error"
    on_long: OnLong = "truncate"
    max_concurrency: int = 8
    media_in_flight: int = 33_554_432
    timeout: float | None = 60.0
    deadline: float | None = None
    max_retries: int | None = None
    max_wait: float | None = 300.0
    on_daily_quota: OnDailyQuota = "error"
    retry_min_seconds: float = 1.0
    retry_max_seconds: float = 60.0
    retry_exponential_base: float = 2.0
    on_retry: SkipJsonSchema[Callable[[Retry], None] | None] = Field(default=None, exclude=True)
    on_progress: SkipJsonSchema[Callable[[Progress], None] | None] = Field(
        default=None, exclude=True
    )
    quota: SkipJsonSchema[Quota | Literal["shared"] | None] = Field(default=None, exclude=True)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    prices: Mapping[str, Price] | None = Field(default=None, exclude=True)
    count_tokens: SkipJsonSchema[CountTokens] = Field(default="estimate", exclude_if=callable)
    cache: AnyCache = Field(default=None, exclude=True)
    cache_uris: bool = False
    cache_full_dimension: bool = False
    batch_documents: bool = Field(default=False, exclude=True)  # as the cache, which it needs
    batch_tokens: int | None = None
    batch_settle: float = 600.0
    batch_fallback: BatchFallback = "online"
    bucket: str | None = None
    base_url: ShownUrl | None = None
    service_name: str | None = None
    api_version: str | None = None
    additional_headers: Mapping[str, Secret] | None = Field(default=None, exclude=True)
    client_args: Mapping[str, Any] | None = Field(default=None, exclude=True)
    fast_decode: bool = True
    client: AnyClient = Field(default=None, exclude=True)

    model_config = ConfigDict(
        extra="forbid",
        protected_namespaces=(),
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

    _core: GeminiEmbedder | None = PrivateAttr(default=None)


class OptionArgs(TypedDict, total=False):
    """The core's options as keywords, for a constructor that has the others as parameters."""

    behaves_like: str | None
    vertexai: bool | None
    project: str | None
    location: str | None
    credentials: AnyCredentials
    task_type: str | None
    output_dimensionality: int | None
    normalize: Normalize
    task_prefix: bool
    caption_prefix: bool
    on_blank: OnBlank
    on_surrogate: OnSurrogate
    on_long: OnLong
    max_concurrency: int
    media_in_flight: int
    deadline: float | None
    max_retries: int | None
    max_wait: float | None
    on_daily_quota: OnDailyQuota
    on_retry: Callable[[Retry], None] | None
    on_progress: Callable[[Progress], None] | None
    quota: Quota | Literal["shared"] | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    requests_per_day: int | None
    prices: Mapping[str, Price] | None
    count_tokens: CountTokens
    cache: AnyCache
    cache_uris: bool
    cache_full_dimension: bool
    batch_documents: bool
    batch_tokens: int | None
    batch_settle: float
    batch_fallback: BatchFallback
    bucket: str | None
    base_url: str | None
    service_name: str | None
    api_version: str | None
    additional_headers: Mapping[str, str | SecretStr] | None
    client_args: Mapping[str, Any] | None
    fast_decode: bool
    client: AnyClient
