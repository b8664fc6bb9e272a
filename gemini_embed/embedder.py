"""The public client: `GeminiEmbedder`, its options and its two methods."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self, get_args

from pydantic import SecretStr

from gemini_embed import loop, process
from gemini_embed.address import address_of
from gemini_embed.backend import Backend, choose_backend, located, sdk_version
from gemini_embed.checks import check_combinations, check_numbers
from gemini_embed.credentials import check_header, find_key, is_own
from gemini_embed.errors import ConfigurationError
from gemini_embed.fingerprint import fingerprint
from gemini_embed.inputs import OnBlank, check_texts, check_titles
from gemini_embed.models import (
    TEXTS_PER_REQUEST,
    Normalize,
    check_dimension,
    find_model,
    must_normalize,
    route_of,
    warn_of_status,
)
from gemini_embed.notices import warn
from gemini_embed.options import check_picklable
from gemini_embed.quota import Quota
from gemini_embed.request import Request
from gemini_embed.results import warn_of_truncated
from gemini_embed.retry import MAX_RETRIES, Backoff, Retry
from gemini_embed.tasks import TITLED, Role, parse_task_type, task_for, wire_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from os import PathLike

    from google import genai
    from google.auth.credentials import Credentials

    from gemini_embed.cache import Cache
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.engine import Engine
    from gemini_embed.results import EmbeddingResult


@dataclass(kw_only=True, eq=False, repr=False)
class GeminiEmbedder:
    """Embeds texts with Google's Gemini Embedding models.

    Building one touches no network and needs no key yet. It may be used from any number of
    threads and event loops at once; its limits hold for all of them together. It pickles
    (with its key in clear), copies, and survives a fork: only the options travel.

    Attributes:
        model: Model id, `models/` in front or not.
        api_key: Google API key. Default: `GOOGLE_API_KEY`, then `GEMINI_API_KEY`, read when
            the embedder is built, or at the first call if they are not set by then. On Vertex AI
            a key without a project is express mode.
        vertexai: Ask Vertex AI rather than the Gemini API. Default: as
            `GOOGLE_GENAI_USE_VERTEXAI` says (true or false), else where `project` or
            `credentials` are given.
        project: Google Cloud project. Default: `GOOGLE_CLOUD_PROJECT`.
        location: Its region. Default: `GOOGLE_CLOUD_LOCATION`, else one that serves the model.
        credentials: Credentials of google-auth, or the path of a service account's file. Default
            on Vertex AI, without a key: Application Default Credentials.
        task_type: What the index is for, in Google's words and any case. None means
            retrieval: queries as RETRIEVAL_QUERY, documents as RETRIEVAL_DOCUMENT, which is
            also what either of these two means here.
        output_dimensionality: Numbers per vector, 1 to the model's own (3072 for the Gemini
            models). Default: the model's own.
        normalize: Bring vectors to unit length: `"auto"` where the service does not.
        task_prefix: Whether the models that read the task from the text (gemini-embedding-2)
            get Google's prefix. False sends texts bare, to match an index built without.
        on_blank: What to do with an empty or white-space text: `"error"`, or `"placeholder"`
            to embed the text `(blank)` instead.
        batch_size: Texts per request, at most (and by default) 100, the service's limit.
        max_concurrency: Requests under way at once, over all callers of this embedder.
        timeout: Seconds one attempt may take as a whole; None for no limit.
        deadline: Seconds a whole call may take, waits for a quota included; None for no limit.
        max_retries: Further attempts at a request after the first failed in a way that may
            pass: 5xx, broken connections, timeouts, unreadable or incomplete answers. Default:
            6, and 2 for queries. Waiting for a quota is not a retry.
        retry_min_seconds: Bound of the first random wait, where the service names none.
        retry_max_seconds: The largest such bound.
        retry_exponential_base: What the bound is multiplied by each time.
        on_retry: Called with a `Retry` for everything that is tried again, on the I/O thread;
            it must be quick, and what it raises ends the call.
        quota: A `Quota`, to share one among embedders. Default: one of its own.
        requests_per_minute: Short for `Quota(requests=...)`: texts, as the service counts.
        tokens_per_minute: Short for `Quota(tokens=...)`. A limit that is not given is learned.
        cache: Where vectors are kept and looked up: True for a per-user file, a path for a file
            of that name, or an object with `get_many` and `set_many`. Default: nowhere.
        cache_full_dimension: Ask for and keep the model's full dimension, and cut vectors to
            `output_dimensionality` here: any dimension is then free later.
        base_url: Another address than Google's, for gateways and the stand-in.
        api_version: Another API version than the SDK's choice.
        additional_headers: Sent with every request; treated as secrets.
        client_args: Options for the SDK's HTTP library (`HttpOptions.async_client_args`).
        fast_decode: Read the numbers of answers with pysimdjson, where it is installed (the extra
            `fast`) and `client` is not given. The vectors are the same either way.
        client: A ready `google.genai.Client`, used as it is; it cannot be pickled.

    Raises:
        ConfigurationError: Unknown model, task type or dimension, impossible numbers.
    """

    model: str = "gemini-embedding-2"
    api_key: str | SecretStr | None = None
    vertexai: bool | None = None
    project: str | None = None
    location: str | None = None
    credentials: Credentials | str | PathLike[str] | None = None
    task_type: str | None = None
    output_dimensionality: int | None = None
    normalize: Normalize = "auto"
    task_prefix: bool = True
    on_blank: OnBlank = "error"
    batch_size: int | None = None
    max_concurrency: int = 8
    timeout: float | None = 60.0
    deadline: float | None = None
    max_retries: int | None = None
    retry_min_seconds: float = 1.0
    retry_max_seconds: float = 60.0
    retry_exponential_base: float = 2.0
    on_retry: Callable[[Retry], None] | None = None
    quota: Quota | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    cache: bool | str | PathLike[str] | Cache | None = None
    cache_full_dimension: bool = False
    base_url: str | None = None
    api_version: str | None = None
    additional_headers: Mapping[str, str | SecretStr] | None = None
    client_args: Mapping[str, Any] | None = None
    fast_decode: bool = True
    client: genai.Client | None = None

    def __post_init__(self) -> None:
        check_numbers(self)
        check_combinations(self)
        self.api_key = find_key(self.api_key)
        if self.additional_headers is not None:
            headers = {
                name: value if isinstance(value, SecretStr) else SecretStr(value)
                for name, value in self.additional_headers.items()
            }
            for name, secret in headers.items():
                check_header(secret.get_secret_value(), f"the value of header {name!r}")
            self.additional_headers = headers
        backend = self._chosen_backend()
        elsewhere = self.base_url or self.client or backend.gateway
        self._row = find_model(self.model, any_name=bool(elsewhere))
        self._backend = located(
            backend,
            self._row,
            project=self.project,
            location=self.location,
            express=is_own(self.api_key),
        )
        if backend.name == "vertex" and not is_own(self.api_key):
            self.api_key = None  # the environment's: looked for again when it is needed
        self._purpose = parse_task_type(self.task_type)
        check_dimension(self._row, self.output_dimensionality)
        warn_of_status(self._row, backend.name)
        self._cache: GuardedCache | None = None
        if self.cache is not None and self.cache is not False:
            from gemini_embed.cache import cache_of  # noqa: PLC0415 - loads sqlite3

            self._cache = cache_of(self.cache)
        if self.cache_full_dimension and not (self._cache and self._row.nested):
            raise ConfigurationError(
                "cache_full_dimension needs a cache, and a model whose smaller vectors are the "
                "beginning of the full one"
            )
        self._service = (
            "a client of the caller's" if self.client else self.base_url or backend.gateway
        )
        self._quota = self.quota or Quota(self.requests_per_minute, self.tokens_per_minute)
        self._engine: Engine | None = None
        self._given: dict[str, Any] | None = None
        self._built = True

    def _chosen_backend(self) -> Backend:
        if self.client is not None:
            is_vertex = bool(getattr(self.client, "vertexai", False))
            return Backend("vertex" if is_vertex else "gemini", "client")
        return choose_backend(
            vertexai=self.vertexai,
            project=self.project,
            location=self.location,
            credentials=self.credentials,
        )

    def __setattr__(self, name: str, value: object) -> None:
        # A half-changed embedder would send to one model and be taken for another.
        if getattr(self, "_built", False) and not name.startswith("_"):
            raise AttributeError(
                f"{name} is fixed once an embedder is built; make another: "
                f"dataclasses.replace(embedder, {name}=...)"
            )
        super().__setattr__(name, value)

    @property
    def fingerprint(self) -> str:
        """All that shapes a vector but the text: see `gemini_embed.fingerprint`.

        Stable across processes and releases; for the embedder's own settings, not for what a
        single call asks for. Keep it beside an index, and compare with `check_fingerprint`.
        """
        dimension = self.output_dimensionality or self._row.dimension
        whole = self._row.normalized == "always" or dimension == self._row.dimension
        return fingerprint(
            self._row,
            dimension=dimension,
            purpose=self._purpose,
            task_prefix=self.task_prefix,
            normalized=whole
            or must_normalize(self.normalize, model=self._row, dimension=dimension),
            service=self._service,
        )

    def embed(
        self,
        texts: Iterable[str],
        *,
        role: Role,
        task_type: str | None = None,
        titles: Sequence[str | None] | None = None,
        output_dimensionality: int | None = None,
        batch_size: int | None = None,
        show_progress: bool = False,
        rate_limiter: Callable[[], Awaitable[None]] | None = None,
        as_lists: bool = False,
    ) -> EmbeddingResult:
        """Embed texts, as many requests at once as `max_concurrency` allows.

        Nothing is sent before every text is checked. An empty list sends nothing.

        Args:
            texts: The texts; each gets its own vector.
            role: Whether they are `"query"` or `"document"`.
            task_type: For this call, taken literally, whatever the role.
            titles: One per text, or None for a text without; for RETRIEVAL_DOCUMENT only,
                ignored with a warning elsewhere.
            output_dimensionality: For this call.
            batch_size: For this call.
            show_progress: Draw a progress bar (tqdm) on standard error.
            rate_limiter: Awaited before each request, repeated ones included.
            as_lists: Give the vectors as lists of plain floats too, made as the answers come.

        Returns:
            Vectors as a float32 array of shape (number of texts, dimension), in order.

        Raises:
            ConfigurationError: No key, or an option of this call that cannot work.
            InvalidInputError: A text that cannot be embedded; says which and why.
            RequestError: The service refused or could not be reached.
            BadResponseError: The service's answers were not the vectors asked for.
        """
        request = self._request(
            texts,
            role=role,
            task_type=task_type,
            titles=titles,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            show_progress=show_progress,
            rate_limiter=rate_limiter,
            as_lists=as_lists,
        )
        result: EmbeddingResult = loop.run(self._embed, request)
        warn_of_truncated(result.usage)
        return result

    async def aembed(
        self,
        texts: Iterable[str],
        *,
        role: Role,
        task_type: str | None = None,
        titles: Sequence[str | None] | None = None,
        output_dimensionality: int | None = None,
        batch_size: int | None = None,
        show_progress: bool = False,
        rate_limiter: Callable[[], Awaitable[None]] | None = None,
        as_lists: bool = False,
    ) -> EmbeddingResult:
        """Embed texts; the async twin of `embed`, for any event loop. Cancelling stops it."""
        request = self._request(
            texts,
            role=role,
            task_type=task_type,
            titles=titles,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            show_progress=show_progress,
            rate_limiter=rate_limiter,
            as_lists=as_lists,
        )
        result: EmbeddingResult = await loop.arun(self._embed, request)
        warn_of_truncated(result.usage)
        return result

    def _request(
        self,
        texts: Iterable[str],
        *,
        role: Role,
        task_type: str | None,
        titles: Sequence[str | None] | None,
        output_dimensionality: int | None,
        batch_size: int | None,
        show_progress: bool,
        rate_limiter: Callable[[], Awaitable[None]] | None,
        as_lists: bool,
    ) -> Request:
        """Check one call, and turn its texts into what is sent."""
        if role not in get_args(Role):
            raise ConfigurationError(f'role must be "query" or "document", not {role!r}')
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise ConfigurationError(
                f"batch_size must be a whole number from 1, not {batch_size!r}"
            )
        check_dimension(self._row, output_dimensionality)
        literal = parse_task_type(task_type)
        task = task_for(role, purpose=self._purpose, literal=literal)
        checked = check_texts(texts, on_blank=self.on_blank)
        named = check_titles(titles, len(checked))
        if task != TITLED and any(named):
            warn(f"titles are ignored: {task} takes none")
        route = route_of(self._row, self._backend.name, sdk_version=sdk_version())
        return Request(
            model=self._row,
            backend=self._backend,
            route=route,
            wires=[
                wire_text(
                    text, task=task, title=title, model=self._row, task_prefix=self.task_prefix
                )
                for text, title in zip(checked, named, strict=True)
            ],
            output_dimensionality=output_dimensionality or self.output_dimensionality,
            normalize=self.normalize,
            batch_size=min(batch_size or self.batch_size or TEXTS_PER_REQUEST, route.texts),
            show_progress=show_progress,
            rate_limiter=rate_limiter,
            role=role,
            max_retries=MAX_RETRIES[role] if self.max_retries is None else self.max_retries,
            deadline=self.deadline,
            began=time.monotonic(),
            cache=self._cache,
            service=self._service,
            full=self.cache_full_dimension,
            as_lists=as_lists,
        )

    async def _embed(self, request: Request) -> EmbeddingResult:
        """Runs on the I/O thread, where numpy and the SDK load at the first call."""
        with process.importing():
            from gemini_embed.engine import Engine, nothing  # noqa: PLC0415 - see the docstring
            from gemini_embed.transport import Transport, identify  # noqa: PLC0415 - likewise

        if not request.wires:
            return nothing(request)
        if request.deadline is not None:
            left = request.deadline - (time.monotonic() - request.began)
            request = replace(request, deadline=max(left, 0))
        if not self._has_engine():
            address = address_of(self, self._backend)
            identity = await identify(address)
        if not self._has_engine():  # others may have come first while credentials were looked for
            self._engine = Engine(
                Transport(address, identity),
                quota=self._quota,
                max_concurrency=self.max_concurrency,
                backoff=Backoff(
                    self.retry_min_seconds, self.retry_max_seconds, self.retry_exponential_base
                ),
                on_retry=self.on_retry,
            )
        assert self._engine is not None  # noqa: S101 - made above
        return await self._engine.embed(request)

    def _has_engine(self) -> bool:
        return self._engine is not None and self._engine.loop is loop.io_loop()

    def close(self) -> None:
        """Close the connections, once no call is under way; a later call opens new ones.

        Nobody has to: connections close when the embedder goes, or with the process. A `client`
        of the caller's is left open.
        """
        if self._engine is None or loop.has_ended():
            return
        if loop.is_io_thread():  # where a `__del__` may run
            loop.begin(self._close)
        else:
            loop.run(self._close)

    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""
        if self._engine is not None and not loop.has_ended():
            await loop.arun(self._close)

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and engine.loop is loop.io_loop():
            await engine.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        shown = {
            "model": self.model,
            "task_type": self.task_type,
            "output_dimensionality": self.output_dimensionality,
            "backend": str(self._backend),
            "base_url": self.base_url and re.sub(r"//[^/@]*@", "//", self.base_url),
        }
        given = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value is not None)
        return f"{type(self).__name__}({given})"

    def __copy__(self) -> GeminiEmbedder:
        return replace(self)

    def __deepcopy__(self, memo: object) -> GeminiEmbedder:
        return replace(self)  # options are shared: a client, a cache, a quota

    def __reduce__(self) -> tuple[Any, ...]:
        check_picklable(self.client)
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return _rebuild, (type(self), options)


def _rebuild(cls: type[GeminiEmbedder], options: dict[str, Any]) -> GeminiEmbedder:
    return cls(**options)
