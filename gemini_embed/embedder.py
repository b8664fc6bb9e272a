"""The public client: `GeminiEmbedder`, its options and its two methods."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from gemini_embed import loop, process
from gemini_embed.address import address_of, service_of
from gemini_embed.ask import Ask, Backend
from gemini_embed.backend import choose_backend, sdk_version, with_location
from gemini_embed.checks import one_of, optional, whole
from gemini_embed.credentials import find_key
from gemini_embed.errors import ConfigurationError, ServiceUnavailableError
from gemini_embed.fingerprint import fingerprint
from gemini_embed.inputs import check_texts, check_titles
from gemini_embed.models import (
    TEXTS_PER_REQUEST,
    check_dimension,
    find_model,
    must_normalize,
    route_of,
    warn_of_status,
)
from gemini_embed.notices import warn
from gemini_embed.observe.watch import RetryHook
from gemini_embed.options import Options, check_picklable, meant_by_first_release
from gemini_embed.policy import CallPolicy
from gemini_embed.quota import Quota
from gemini_embed.redaction import forgetful
from gemini_embed.results import Usage, Wanted, warn_of_truncated
from gemini_embed.retry import MAX_RETRIES, Backoff
from gemini_embed.service_address import (
    address_of_client,
    gateway_of,
    read_address,
    warn_of_plain_http,
)
from gemini_embed.tasks import TITLED, Role, content_for, parse_task_type, task_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from gemini_embed.ask import Service
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.contents import Content, TaskType
    from gemini_embed.engine import Engine
    from gemini_embed.results import EmbeddingResult
    from gemini_embed.service_address import ServiceAddress


class GeminiEmbedder(Options):
    """Embeds texts with Google's Gemini Embedding models.

    Building one touches no network and needs no key yet. It may be used from any number of
    threads and event loops at once; its limits hold for all of them together. It pickles
    (with its key in clear), copies, and survives a fork: only the options travel. A copy counts
    with the original what is sent, so that a limit holds for both together; so does a pickle that
    is loaded in the same process.

    Every option stands, with its default and its meaning, in `gemini_embed.options.Options`.

    Raises:
        ConfigurationError: Unknown model, task type or dimension, a value of another type, or
            options that contradict each other.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        backend = self._chosen_backend()
        self._elsewhere = self._find_address(backend)
        self._settled: Service | None = None
        self._row = find_model(
            self.model, behaves_like=self.behaves_like, elsewhere=self._is_elsewhere
        )
        key = find_key(self.api_key)
        self._backend = with_location(
            backend,
            self._row,
            project=self.project,
            location=self.location,
            express=key is not None and key.is_own,
        )
        if backend.name == "vertex" and key is not None and not key.is_own:
            self.api_key = None  # the environment's: looked for again when it is needed
        self._purpose: TaskType | None = parse_task_type(self.task_type)
        check_dimension(self._row, self.output_dimensionality)
        warn_of_status(self._row, backend.name)
        self._cache: GuardedCache | None = None
        if self.cache is not None and self.cache is not False:
            from gemini_embed.cache import cache_of  # noqa: PLC0415 - loads sqlite3

            self._cache = cache_of(self.cache)
            if self.client and not (self._elsewhere or self.service_name):
                raise ConfigurationError(
                    "cache needs service_name here: this client does not say which service it asks"
                )
        if self.cache_full_dimension and not (self._cache and self._row.nested):
            raise ConfigurationError(
                "cache_full_dimension needs a cache, and a model whose smaller vectors are the "
                "beginning of the full one"
            )
        self._quota = self.quota or Quota(self.requests_per_minute, self.tokens_per_minute)
        self._engine: Engine | None = None
        self._given: dict[str, Any] | None = None
        self._built = True

    def _find_address(self, backend: Backend) -> ServiceAddress | None:
        if self.client is not None:
            found = address_of_client(self.client)
        else:
            found = read_address(self.base_url, "base_url") or gateway_of(backend.name)
        if found is not None:
            warn_of_plain_http(found)
        return found

    @property
    def _is_elsewhere(self) -> bool:
        """Whether another service than Google's own is asked."""
        if self._elsewhere is None:
            return self.client is not None
        return not self._elsewhere.is_google

    @property
    def _service(self) -> Service:
        """The service, as keys and fingerprints name it: settled when it is first needed.

        An address that the environment names may still come until then, as a key may.
        """
        if self._settled is None:
            if self._elsewhere is None:
                self._elsewhere = self._find_address(self._backend)
            self._settled = service_of(self, self._row, self._elsewhere, self._backend.name)
        return self._settled

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
        return self._fingerprint(self._row.name, self._service.name)

    @property
    def former_fingerprints(self) -> tuple[str, ...]:
        """What release 0.1 called the same settings; `check_fingerprint` takes it, too."""
        return tuple(self._fingerprint(*former) for former in self._service.former)

    def _fingerprint(self, name: str, service: str | None) -> str:
        dimension = self.output_dimensionality or self._row.dimension
        whole = self._row.normalized == "always" or dimension == self._row.dimension
        return fingerprint(
            replace(self._row, name=name),
            dimension=dimension,
            purpose=self._purpose,
            task_prefix=self.task_prefix,
            normalized=whole
            or must_normalize(self.normalize, model=self._row, dimension=dimension),
            service=service,
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
        call = self._checked(
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
        if process.has_greenlets():
            _load()  # what is imported may start processes, which gevent lets this thread only
        result: EmbeddingResult = loop.run(self._embed, *call)
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
        call = self._checked(
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
        result: EmbeddingResult = await loop.arun(self._embed, *call)
        warn_of_truncated(result.usage)
        return result

    def _checked(
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
    ) -> tuple[list[Content], Ask, Wanted, CallPolicy]:
        """Check one call, and turn its texts into what is sent; return what the engine embeds."""
        one_of(*get_args(Role))("role", role)
        batch_size = _whole("batch_size", batch_size)
        output_dimensionality = _whole("output_dimensionality", output_dimensionality)
        check_dimension(self._row, output_dimensionality)
        literal = parse_task_type(task_type)
        task = task_for(role, purpose=self._purpose, literal=literal)
        checked = check_texts(texts, on_blank=self.on_blank, on_surrogate=self.on_surrogate)
        named = check_titles(titles, len(checked), on_surrogate=self.on_surrogate)
        if task != TITLED and any(named):
            warn(f"titles are ignored: {task} takes none")
        route = route_of(self._row, self._backend.name, sdk_version=sdk_version())
        contents = [
            content_for(text, task=task, title=title, model=self._row, task_prefix=self.task_prefix)
            for text, title in zip(checked, named, strict=True)
        ]
        given = output_dimensionality or self.output_dimensionality
        ask = Ask(
            model=self._row,
            backend=self._backend,
            service=self._service,
            route=route,
            output_dimensionality=None if self.cache_full_dimension else given,
        )
        dimension = given or self._row.dimension
        wanted = Wanted(
            dimension,
            normalize=must_normalize(self.normalize, model=self._row, dimension=dimension),
            as_lists=as_lists,
        )
        policy = CallPolicy(
            role=role,
            batch_size=min(batch_size or self.batch_size or TEXTS_PER_REQUEST, route.texts),
            max_retries=MAX_RETRIES[role] if self.max_retries is None else self.max_retries,
            max_wait=self.max_wait,
            deadline=self.deadline,
            started_at=loop.now(),
            rate_limiter=rate_limiter,
            show_progress=show_progress,
        )
        return contents, ask, wanted, policy

    async def _embed(
        self, contents: list[Content], ask: Ask, wanted: Wanted, policy: CallPolicy
    ) -> EmbeddingResult:
        """Runs on the I/O thread, where numpy and the SDK load at the first call."""
        _load()
        from gemini_embed.sink import sink_for  # noqa: PLC0415 - loads numpy

        if not contents:
            return sink_for(0, wanted, ask.model).result(Usage(0, None))
        try:
            async with asyncio.timeout(policy.seconds_left(loop.now())) as deadline:
                engine = await self._ready_engine()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise ServiceUnavailableError(
                "the search for credentials had not ended",
                indexes=tuple(range(len(contents))),
                total=len(contents),
                deadline_passed=True,
            ) from None
        rest = replace(policy, deadline=policy.seconds_left(loop.now()))
        return await engine.embed(contents, ask, wanted, rest)

    async def _ready_engine(self) -> Engine:
        from gemini_embed.engine import Engine  # noqa: PLC0415 - loads numpy
        from gemini_embed.identity import identify  # noqa: PLC0415 - loads google-auth
        from gemini_embed.transport import Transport  # noqa: PLC0415 - loads the SDK

        if not self._has_engine():
            address = address_of(self, self._backend, self._elsewhere)
            identity = await identify(address)
        if not self._has_engine():  # others may have come first while credentials were looked for
            self._engine = Engine(
                Transport(address, identity),
                quota=self._quota,
                max_concurrency=self.max_concurrency,
                backoff=Backoff(
                    self.retry_min_seconds, self.retry_max_seconds, self.retry_exponential_base
                ),
                cache=self._cache,
                observers=[] if self.on_retry is None else [RetryHook(self.on_retry)],
            )
        assert self._engine is not None  # noqa: S101 - made above
        return self._engine

    def _has_engine(self) -> bool:
        return self._engine is not None and self._engine.loop is asyncio.get_running_loop()

    def close(self) -> None:
        """Close the connections; a later call opens new ones.

        Calls under way keep theirs until they end, which is not waited for. Nobody has to close:
        connections close when the embedder goes, or with the process. A `client` of the caller's
        is left open.
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
        if engine is not None and engine.loop is asyncio.get_running_loop():
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
        shown = ", ".join(f"{name}={value!r}" for name, value in self.shown)
        return f"{type(self).__name__}({shown})"

    @property
    def shown(self) -> list[tuple[str, object]]:
        """What a repr shows: which model, for what, and which service."""
        elsewhere = self._elsewhere and self._elsewhere.normal
        values = {
            "model": self.model,
            "behaves_like": self.behaves_like,
            "task_type": self.task_type,
            "output_dimensionality": self.output_dimensionality,
            "backend": str(self._backend),
            "base_url": elsewhere,
        }
        return [(name, value) for name, value in values.items() if value is not None]

    def __copy__(self) -> Self:
        return _restored(type(self), self._options, self._quota)

    def __deepcopy__(self, memo: object) -> Self:
        return copy(self)  # what options hold is shared: a client, a cache, a quota

    def __reduce__(self) -> tuple[Any, ...]:
        check_picklable(self.client)
        return _restored, (type(self), self._options, self._quota)

    @property
    def _options(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _load() -> None:
    """Import what a call needs and takes long to load: numpy and the SDK."""
    with process.importing():
        import gemini_embed.engine  # noqa: PLC0415 - see above
        import gemini_embed.identity  # noqa: PLC0415 - likewise
        import gemini_embed.transport  # noqa: F401, PLC0415 - likewise


_whole = optional(whole(1))

T = TypeVar("T", bound=GeminiEmbedder)


@forgetful
def _restored(cls: type[T], options: dict[str, Any], quota: Quota | None = None) -> T:
    made = cls(**options)
    if quota is not None:
        made._quota = quota
    return made


@forgetful
def _rebuild(cls: type[GeminiEmbedder], options: dict[str, Any]) -> GeminiEmbedder:
    """Read a pickle of release 0.1."""
    return cls(**options, behaves_like=meant_by_first_release(options["model"]))
