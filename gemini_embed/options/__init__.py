"""Every option of an embedder, once: its type, its default, what it means and what it may be.

Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, get_args

from gemini_embed.credentials import find_key
from gemini_embed.errors import ConfigurationError
from gemini_embed.inputs import BatchFallback, OnBlank, OnLong, OnSurrogate
from gemini_embed.model_names import known_id
from gemini_embed.models import NEWEST
from gemini_embed.notices import warn
from gemini_embed.options import checks
from gemini_embed.options.checks import optional, whole
from gemini_embed.options.client_args import check_client_args
from gemini_embed.pacing.day import OnDailyQuota
from gemini_embed.pacing.quota import Quota
from gemini_embed.prices import Price
from gemini_embed.redaction import Url, forgetful
from gemini_embed.service_address import read_address, sent_to
from gemini_embed.tasks import parse_task_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from os import PathLike
    from typing import TypeAlias

    from google import genai
    from google.auth.credentials import Credentials
    from pydantic import SecretStr

    from gemini_embed.cache import Cache
    from gemini_embed.counting import CountTokens
    from gemini_embed.models import Normalize
    from gemini_embed.observe.events import Progress, Retry
    from gemini_embed.options.checks import Check

    AnyCache: TypeAlias = bool | str | PathLike[str] | Cache | None
    AnyClient: TypeAlias = genai.Client | None
    AnyCredentials: TypeAlias = Credentials | str | PathLike[str] | None
    from gemini_embed.tasks import Role


def _is(check: Check) -> dict[str, Check]:
    """Return the metadata that puts a check beside a field."""
    return {"check": check}


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


def _cache(name: str, value: object) -> object:
    if not isinstance(value, bool) and not (
        hasattr(value, "get_many") and hasattr(value, "set_many")
    ):
        raise ConfigurationError(
            f"{name} must be True, a path, or an object with get_many and set_many, "
            f"not {type(value).__name__}"
        )
    return value


def _base_url(name: str, value: object) -> str | None:
    text = checks.text_or_blank(name, value)
    read_address(text, name)
    return None if text is None else Url(text)


@dataclass(kw_only=True, eq=False, repr=False)
class Options:
    """The options of a `GeminiEmbedder`; both adapters take them under the same names."""

    model: str = field(default="gemini-embedding-2", metadata=_is(checks.text))
    """Model id, a path such as `models/` or `google/` in front or not."""

    behaves_like: str | None = field(default=None, metadata=_is(optional(checks.text)))
    """The known model that a gateway's own model name stands for: its dimension, task and length
    are then those. Needed for a name that is not a known id; refused for one that is."""

    api_key: str | SecretStr | None = field(default=None, metadata=_is(lambda _, v: find_key(v)))
    """Google API key. Default: `GOOGLE_API_KEY`, then `GEMINI_API_KEY`, read when the embedder is
    built, or at the first call if they are not set by then. On Vertex AI a key without a project
    is express mode."""

    vertexai: bool | None = field(default=None, metadata=_is(optional(checks.flag)))
    """Ask Vertex AI rather than the Gemini API. Default: as `GOOGLE_GENAI_USE_VERTEXAI` says (true
    or false), else where `project` or `credentials` are given."""

    project: str | None = field(default=None, metadata=_is(optional(checks.text_or_blank)))
    """Google Cloud project. Default: `GOOGLE_CLOUD_PROJECT`."""

    location: str | None = field(default=None, metadata=_is(optional(checks.text_or_blank)))
    """Its region. Default: `GOOGLE_CLOUD_LOCATION`, else one that serves the model."""

    credentials: AnyCredentials = field(
        default=None,
        metadata=_is(
            optional(
                checks.path_or(
                    checks.has(
                        "before_request",
                        what="credentials of google-auth, or the path of a service account's file",
                    )
                )
            )
        ),
    )
    """Credentials of google-auth, or the path of a service account's file. Default on Vertex AI,
    without a key: Application Default Credentials."""

    task_type: str | None = field(default=None, metadata=_is(lambda _, v: parse_task_type(v) and v))
    """What the index is for, in Google's words and any case. None means retrieval: queries as
    RETRIEVAL_QUERY, documents as RETRIEVAL_DOCUMENT, which is also what either of these two means
    here."""

    output_dimensionality: int | None = field(default=None, metadata=_is(optional(whole(1))))
    """Numbers per vector, 1 to the model's own (3072 for the Gemini models). Default: the model's
    own."""

    normalize: Normalize = field(default="auto", metadata=_is(checks.one_of("auto", True, False)))
    """Bring vectors to unit length: `"auto"` where the service does not."""

    task_prefix: bool = field(default=True, metadata=_is(checks.flag))
    """Whether the models that read the task from the text (gemini-embedding-2) get Google's
    prefix. False sends texts bare, to match an index built without."""

    caption_prefix: bool = field(default=False, metadata=_is(checks.flag))
    """Whether a text beside media, in one item, gets the prefix that a text alone has."""

    on_blank: OnBlank = field(default="error", metadata=_is(checks.one_of(*get_args(OnBlank))))
    """What to do with an empty or white-space text: `"error"`, or `"placeholder"` to embed the
    text `(blank)` instead."""

    on_surrogate: OnSurrogate = field(
        default="error", metadata=_is(checks.one_of(*get_args(OnSurrogate)))
    )
    """What to do with half of a surrogate pair, which is no Unicode and cannot be sent: `"error"`,
    or `"replace"` to embed U+FFFD in its place. A whole pair is joined."""

    on_long: OnLong = field(default="truncate", metadata=_is(checks.one_of(*get_args(OnLong))))
    """What to do with a text that is longer than the model reads: `"truncate"` leaves it to the
    service, which cuts it off, and warns; `"error"` refuses it; `"split"` makes the vector of a
    document the mean of its pieces', and refuses a query."""

    batch_size: int | None = field(default=None, metadata=_is(optional(whole(1))))
    """Texts per request, at most (and by default) 100, the service's limit."""

    max_concurrency: int = field(default=8, metadata=_is(whole(1)))
    """Requests under way at once, over all callers of this embedder."""

    media_in_flight: int = field(default=32 * 2**20, metadata=_is(whole(1)))
    """Bytes of media on their way at once, as they are in their files, over all requests of this
    embedder: so much memory they take. What is larger goes alone."""

    timeout: float | None = field(default=60.0, metadata=_is(optional(checks.seconds)))
    """Seconds one attempt may take as a whole; None for no limit."""

    deadline: float | None = field(default=None, metadata=_is(optional(checks.seconds)))
    """Seconds a whole call may take, waits for a quota included; None for no limit."""

    max_retries: int | None = field(default=None, metadata=_is(optional(whole(0))))
    """Further attempts at a request after the first failed in a way that may pass: 5xx, broken
    connections, timeouts, unreadable or incomplete answers. Default: 6, and 2 for queries. Waiting
    for a quota is not a retry."""

    max_wait: float | None = field(default=300.0, metadata=_is(optional(checks.seconds)))
    """Seconds the service may ask to wait: more is an error that says how long. None for any."""

    on_daily_quota: OnDailyQuota = field(
        default="error", metadata=_is(checks.one_of(*get_args(OnDailyQuota)))
    )
    """What a call does when the day's quota is used up: `"error"`, with what was finished, or
    `"wait"` for midnight Pacific time, when it resets, whatever `max_wait` says."""

    retry_min_seconds: float = field(default=1.0, metadata=_is(checks.number(0)))
    """Bound of the first random wait, where the service names none."""

    retry_max_seconds: float = field(default=60.0, metadata=_is(checks.number(0)))
    """The largest such bound."""

    retry_exponential_base: float = field(default=2.0, metadata=_is(checks.number(1)))
    """What the bound is multiplied by each time."""

    on_retry: Callable[[Retry], None] | None = field(
        default=None, metadata=_is(optional(checks.a_callable))
    )
    """Called with a `Retry` for everything that is tried again, on the I/O thread; it must be
    quick, and what it raises ends the call."""

    on_progress: Callable[[Progress], None] | None = field(
        default=None, metadata=_is(optional(checks.a_callable))
    )
    """Called with a `Progress` whenever vectors of documents have come, on the I/O thread; it must
    be quick, and what it raises ends the call."""

    quota: Quota | Literal["shared"] | None = field(default=None, metadata=_is(optional(_quota)))
    """A `Quota` of several embedders, or `"shared"` by all processes. Default: one of its own."""

    requests_per_minute: int | None = field(default=None, metadata=_is(optional(whole(1))))
    """Short for `Quota(requests=...)`: texts, as the service counts."""

    tokens_per_minute: int | None = field(default=None, metadata=_is(optional(whole(1))))
    """Short for `Quota(tokens=...)`. A limit that is not given is learned."""

    requests_per_day: int | None = field(default=None, metadata=_is(optional(whole(1))))
    """Short for `Quota(requests_per_day=...)`: texts until midnight Pacific time. With a cache in
    a file, all processes that use the file count together, and so do later runs."""

    prices: Mapping[str, Price] | None = field(default=None, metadata=_is(optional(_prices)))
    """What a token costs, by model: a `Price` for each that goes before the table in
    `gemini_embed.prices`. `usage.cost()` and `estimate` count with it."""

    count_tokens: CountTokens = field(
        default="estimate", metadata=_is(checks.callable_or("estimate", "api"))
    )
    """How tokens are counted where a limit asks for it: `"estimate"` by the classes of a text's
    bytes; a function that takes a text and returns its tokens, called on other threads; or
    `"api"`: Google's `countTokens` for each text that the estimate leaves in doubt of being too
    long, and the estimate for all else."""

    cache: AnyCache = field(default=None, metadata=_is(optional(checks.path_or(_cache))))
    """Where vectors are kept and looked up: True for a per-user file, a path for a file of that
    name, or an object with `get_many` and `set_many`. Default: nowhere."""

    cache_uris: bool = field(default=False, metadata=_is(checks.flag))
    """Whether the cache keeps vectors of what lies at a URI, where it may change unseen."""

    cache_full_dimension: bool = field(default=False, metadata=_is(checks.flag))
    """Ask for and keep the model's full dimension, and cut vectors to `output_dimensionality`
    here: any dimension is then free later."""

    batch_documents: bool = field(default=False, metadata=_is(checks.flag))
    """Embed documents through the Batch API, at half the price, and wait until they are done, for
    minutes or hours. Needs a cache in a file. Queries are always sent online."""

    batch_tokens: int = field(default=450_000, metadata=_is(whole(1)))
    """Tokens that jobs of the Batch API may have under way at once: the service limits them by
    model and tier. The default suits the first paid tier, for gemini-embedding-001."""

    batch_settle: float = field(default=600.0, metadata=_is(checks.number(0)))
    """Seconds for which a job is looked for that may have been created, where the answer was lost,
    before another is created in its place."""

    batch_fallback: BatchFallback = field(
        default="online", metadata=_is(checks.one_of(*get_args(BatchFallback)))
    )
    """What becomes of texts for which a batch job brings no vector: `"online"` sends them online,
    at the usual price; `"error"` names them in an error once the others are done."""

    base_url: str | None = field(default=None, metadata=_is(optional(_base_url)))
    """Another address than Google's, for gateways and the stand-in. Default:
    `GOOGLE_GEMINI_BASE_URL`, or `GOOGLE_VERTEX_BASE_URL` on Vertex AI, read when the embedder is
    built, or at its first use if they are not set by then. A version at its end (`/v1beta`) is
    taken for the `api_version`, if none is given."""

    service_name: str | None = field(default=None, metadata=_is(optional(checks.text)))
    """What cache keys and fingerprints call the service behind `base_url` or `client`. Default:
    its address. With a name of its own, or its earlier address, a gateway that moves keeps its
    index and its cache."""

    api_version: str | None = field(default=None, metadata=_is(optional(checks.text_or_blank)))
    """Another API version than the SDK's choice."""

    additional_headers: Mapping[str, str | SecretStr] | None = field(
        default=None, metadata=_is(optional(checks.headers))
    )
    """Sent with every request; treated as secrets."""

    client_args: Mapping[str, Any] | None = field(
        default=None, metadata=_is(optional(check_client_args))
    )
    """Options for the HTTP client, as `httpx.AsyncClient` takes them: `verify`, `proxy`, `headers`,
    `timeout` and others. They count whichever library the SDK would send through."""

    fast_decode: bool = field(default=True, metadata=_is(checks.flag))
    """Read the numbers of answers with pysimdjson, where it is installed (the extra `fast`) and
    `client` is not given. The vectors are the same either way."""

    client: AnyClient = field(
        default=None, metadata=_is(optional(checks.has("aio", what="a google.genai.Client")))
    )
    """A ready `google.genai.Client`, used as it is: it reads its answers itself, and takes `true`
    for 1 and `"0.5"` for 0.5. It cannot be pickled."""

    if not TYPE_CHECKING:  # no option: what `dataclasses.replace` hands on of an embedder's own
        _shared: Any = field(default=(None, None), metadata=_is(lambda _, value: value))

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
