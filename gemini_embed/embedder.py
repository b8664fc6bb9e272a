"""The public client: `GeminiEmbedder`, and what becomes of each of its calls."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import fields, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from gemini_embed.background import loop, process
from gemini_embed.background.threads import in_thread
from gemini_embed.batch.embedding import Batching
from gemini_embed.batch.run import BatchRun
from gemini_embed.calls.checked import Checked
from gemini_embed.calls.forecast import beginning, forecast
from gemini_embed.calls.policy import MAX_RETRIES, CallPolicy
from gemini_embed.connected import load
from gemini_embed.errors import GeminiEmbedError, ServiceUnavailableError
from gemini_embed.long_inputs import LongTexts
from gemini_embed.models import TEXTS_PER_REQUEST, check_dimension
from gemini_embed.observe.meter import Meter, meters_of
from gemini_embed.observe.progress import drawn
from gemini_embed.observe.tracing import Traces, traced
from gemini_embed.options import check_picklable, meant_by_first_release
from gemini_embed.options.checks import flag, one_of, optional, whole
from gemini_embed.prices import price_of
from gemini_embed.redaction import forgetful
from gemini_embed.service.access import access_of, account_of
from gemini_embed.streams import Streaming
from gemini_embed.tasks import Role, parse_task_type, task_for
from gemini_embed.usage import Usage, warn_of_truncated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import Unpack

    from gemini_embed.batch.jobs import Run
    from gemini_embed.calls.engine import Engine
    from gemini_embed.contents import Inputs, Unseen
    from gemini_embed.media import Item
    from gemini_embed.options import CallOptions
    from gemini_embed.pacing.quota import Quota
    from gemini_embed.results import EmbeddingResult, Estimate, ListedResult


class GeminiEmbedder(Batching, Streaming):
    """Embeds texts with Google's Gemini Embedding models.

    Building one needs no network, and no key yet. Any number of threads and event loops may use it
    at once; its limits hold for all of them together. It can be pickled (with its key in clear
    text), copied and used after a fork. A copy has the options, and shares the quota: a limit holds
    for both together. So does a pickle that is loaded in the same process, and what
    `dataclasses.replace` makes, unless it asks another model or service or has another limit. What
    was used is counted for each of them alone.

    Every option stands, with its default and its meaning, in `gemini_embed.options.Options`.

    Raises:
        ConfigurationError: Unknown model, task type or dimension, a value of another type, or
            options that contradict each other.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._meter = Meter()
        self._given: dict[str, Any] | None = None  # what an adapter made it of

    def embed(
        self,
        items: Iterable[Item],
        *,
        role: Role,
        task_type: str | None = None,
        titles: Sequence[str | None] | None = None,
        output_dimensionality: int | None = None,
        batch_size: int | None = None,
        show_progress: bool = False,
        rate_limiter: Callable[[], Awaitable[None]] | None = None,
        batch: bool | None = None,
    ) -> EmbeddingResult:
        """Embed texts and media, as many requests at once as `max_concurrency` allows.

        Nothing is sent before every item is checked. An empty list sends nothing.

        Args:
            items: What gets a vector each: a text; a `Media`, or what becomes one (bytes, a picture
                of Pillow, a `google.genai.types.Part`); or a list or tuple of several of these, one
                of them a medium at least, which is fused into one vector. A path in a string is a
                text.
            role: Whether they are `"query"` or `"document"`.
            task_type: For this call, taken literally, whatever the role.
            titles: One per text, or None for a text without; for RETRIEVAL_DOCUMENT only,
                ignored with a warning elsewhere.
            output_dimensionality: For this call.
            batch_size: For this call.
            show_progress: Draw a progress bar (tqdm) on standard error.
            rate_limiter: Awaited before each request, repeated ones included.
            batch: Go through the Batch API, at half the price, and wait for it: see `batch`.
                Default: for documents, as the option `batch_documents` says.

        Returns:
            Vectors as a float32 array of shape (number of items, dimension), in order.

        Raises:
            ConfigurationError: No key, or an option of this call that cannot work.
            InvalidInputError: A text or a medium that cannot be embedded; says which and why.
            RequestError: The service refused or could not be reached.
            BadResponseError: The service's answers were not the vectors asked for.
            BatchError: With `batch`: the run is not over by the `deadline`, or is not worked here.
        """
        call = self._checked(
            items,
            role=role,
            task_type=task_type,
            titles=titles,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            show_progress=show_progress,
            rate_limiter=rate_limiter,
            batch=batch,
            takes_media=True,
        )
        result: EmbeddingResult = self._run(call)
        return result

    async def aembed(self, items: Iterable[Item], **call: Unpack[CallOptions]) -> EmbeddingResult:
        """Embed texts and media; the async twin of `embed`, for any event loop.

        Cancelling stops it.
        """
        result: EmbeddingResult = await self._arun(self._checked(items, takes_media=True, **call))
        return result

    def batch(
        self, items: Iterable[Item], **call: Unpack[CallOptions]
    ) -> BatchRun[EmbeddingResult]:
        """Plan a run of the Batch API, which embeds at half the price; nothing is sent yet.

        Its `submit`, `wait` and `result` do the work. The vectors go into the cache under the keys
        of online calls, so that whatever embeds these items later costs nothing.

        Args:
            items: What gets a vector each, as for `embed`; every one is checked now, and files are
                read. What a URI points to is embedded anew by each run, unless `cache_uris`.
            **call: The options of `embed`.

        Raises:
            ConfigurationError: There is no cache in a file, or the service is Vertex AI; or an
                option that cannot work.
            InvalidInputError: A text or a medium that cannot be embedded; says which and why.
        """
        return BatchRun(self._begun(self._checked(items, takes_media=True, **call)))

    def batch_resume(self, run: str) -> BatchRun[EmbeddingResult]:
        """Return a run that is in the cache's file, of this process or an earlier one.

        It goes on with the model, dimension and other settings that it was made with. Of a run
        that is damaged, all methods but `clean` raise BatchDamagedError.

        Args:
            run: Its id: see `batches`.

        Raises:
            ConfigurationError: There is none, or it is of another service.
        """
        made, found = self._made_like(run)
        return BatchRun(made._going_on(run, found, made._like(found)))  # noqa: SLF001 - one like this

    def _like(self, run: Run | None) -> Checked:
        """Return a call of no texts with the settings of a run; of one that is damaged, any."""
        if run is None:
            return self._checked((), role="document")
        role, dimension = run.asked["role"], run.asked["dimension"]
        return self._checked((), role=role, output_dimensionality=dimension)

    def estimate(self, items: Iterable[Item], **call: Unpack[CallOptions]) -> Estimate:
        """Return what `embed` would take for the same arguments: requests, tokens, money, time.

        It sends nothing and needs no key. What the cache has is looked up, and the quota is that of
        the embedder as it is now, with what was sent and learned of it.

        Raises:
            ConfigurationError: An option of this call that cannot work.
            InvalidInputError: A text that cannot be embedded; says which and why.
        """
        inputs, ask, wanted, policy = self._checked(items, takes_media=True, **call)
        if inputs.unseen:
            inputs = inputs.unseen.settle(inputs.unseen.look())
        if inputs.doubts:
            inputs = inputs.doubts.decide(())
        access = access_of(self, self._backend, self._elsewhere)
        begin = partial(
            beginning,
            inputs,
            ask,
            used=wanted.dimension,
            quota=self._quota,
            cache=self._cache,
            account=account_of(access, None, self._service),
        )
        price = price_of(ask.model.name, ask.backend.name, self.prices)
        known, width = loop.run(begin), self.max_concurrency
        return forecast(known, ask, policy, price, texts=inputs.texts, width=width)

    def _run(self, call: Checked) -> Any:
        """Return the result in the form that the call wants."""
        if process.has_greenlets():
            load()  # what is imported may start processes, which gevent lets this thread only
        if call.policy.batch:
            desk = self._begun(call)
            with traced(desk.operation) as traces:
                return loop.run(desk.through, call.policy.deadline, traces)
        with traced(lambda: self._operation(call)) as traces:
            if unseen := call.inputs.unseen:
                call = call._replace(inputs=unseen.settle(unseen.look()))
            if doubts := call.inputs.doubts:
                call = call._replace(inputs=doubts.decide(loop.run(self._count, call)))
            result = loop.run(self._embed, call, traces)
        warn_of_truncated(result.usage, known=call.inputs.told_long)
        return result

    async def _arun(self, call: Checked) -> Any:
        if call.policy.batch:
            if unseen := call.inputs.unseen:
                call = call._replace(inputs=unseen.settle(await loop.arun(_looked, unseen)))
                await loop.arun(_hashed, call.inputs)
            desk = self._begun(call)
            with traced(desk.operation) as traces:
                return await loop.arun(desk.through, call.policy.deadline, traces)
        with traced(lambda: self._operation(call)) as traces:
            if unseen := call.inputs.unseen:
                call = call._replace(inputs=unseen.settle(await loop.arun(_looked, unseen)))
            if doubts := call.inputs.doubts:
                call = call._replace(inputs=doubts.decide(await loop.arun(self._count, call)))
            result = await loop.arun(self._embed, call, traces)
        warn_of_truncated(result.usage, known=call.inputs.told_long)
        return result

    def _checked(
        self,
        items: Iterable[Item],
        *,
        role: Role,
        task_type: str | None = None,
        titles: Sequence[str | None] | None = None,
        output_dimensionality: int | None = None,
        batch_size: int | None = None,
        show_progress: bool = False,
        rate_limiter: Callable[[], Awaitable[None]] | None = None,
        batch: bool | None = None,
        as_lists: bool = False,
        first: int = 0,
        takes_media: bool = False,
    ) -> Checked:
        """Check one call, whose places begin at `first`, and return it.

        The names stand here again, so that Python refuses any other: a TypedDict does not.
        """
        one_of(*get_args(Role))("role", role)
        batch_size = _whole("batch_size", batch_size)
        output_dimensionality = _whole("output_dimensionality", output_dimensionality)
        check_dimension(self._row, output_dimensionality)
        task = task_for(role, purpose=self._purpose, literal=parse_task_type(task_type))
        long = LongTexts(self._row, self.on_long, role, self.count_tokens)
        inputs = self._inputs(items, titles, task, long, first, takes_media=takes_media)
        by_default = self.batch_documents and role == "document"
        by_batch = by_default if batch is None else flag("batch", batch)
        given = output_dimensionality or self.output_dimensionality
        ask = self._ask(given, may_cut=long.may_be_cut)
        policy = CallPolicy(
            role=role,
            batch_size=min(batch_size or self.batch_size or TEXTS_PER_REQUEST, ask.route.texts),
            max_retries=MAX_RETRIES[role] if self.max_retries is None else self.max_retries,
            max_wait=self.max_wait,
            on_daily_quota=self.on_daily_quota,
            deadline=self.deadline,
            started_at=loop.now(),
            rate_limiter=rate_limiter,
            show_progress=show_progress,
            count=None if isinstance(self.count_tokens, str) else self.count_tokens,
            batch=by_batch,
        )
        return Checked(inputs, ask, self._wanted(given, as_lists=as_lists), policy)

    async def _embed(self, call: Checked, traces: Traces) -> EmbeddingResult | ListedResult:
        """Runs on the I/O thread, where numpy and the SDK load at the first call."""
        inputs, ask, wanted, policy = call
        is_shown = policy.show_progress and inputs.texts > 0
        with traces.within(), drawn(inputs.texts, wanted=is_shown) as bars:  # to load takes seconds
            load()
            from gemini_embed.calls.sink import sink_for  # noqa: PLC0415 - loads numpy

            sink = sink_for(inputs.texts, wanted, ask.model, inputs.pieces, inputs.first)
            if not inputs.texts:
                return sink.result(Usage())
            engine = await self._engine_in_time(inputs, policy)
            return await engine.embed(
                inputs,
                ask,
                sink,
                policy.begun(loop.now()),
                meters=[*meters_of(self._meter), *traces.meters],
                observers=[*bars, *traces.observers],
            )

    async def _count(self, call: Checked) -> list[int]:
        """Return how many tokens the texts have that may be too long; runs on the I/O thread."""
        inputs, ask, _, policy = call
        load()
        assert inputs.doubts is not None  # noqa: S101 - what is counted
        engine = await self._engine_in_time(inputs, policy)
        try:
            return await engine.count(inputs.doubts.contents, ask, policy.begun(loop.now()))
        except GeminiEmbedError as error:
            places = tuple(inputs.doubts.places[i] for i in error.indexes)
            raise error.with_context(
                indexes=places, partial={}, total=inputs.texts
            ) from error.__cause__

    async def _engine_in_time(self, inputs: Inputs, policy: CallPolicy) -> Engine:
        """Return the engine, once there are credentials."""
        if (engine := self._made_engine()) is not None:
            return engine
        try:
            async with asyncio.timeout(policy.seconds_left(loop.now())) as deadline:
                return await self._make_engine()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise ServiceUnavailableError(
                "the search for credentials had not ended",
                indexes=tuple(range(inputs.texts)),
                total=inputs.texts,
                deadline_passed=True,
            ) from None

    def __copy__(self) -> Self:
        return replace(self)

    def __deepcopy__(self, memo: object) -> Self:
        return copy(self)  # what options hold is shared: a client, a cache, a quota

    def __reduce__(self) -> tuple[Any, ...]:
        check_picklable(self.client)
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("cache", "credentials"):  # whoever reads it may be in another folder
            if isinstance(options[name], str | PathLike):
                options[name] = str(Path(options[name]).absolute())
        return _restored, (type(self), options)


async def _looked(unseen: Unseen) -> Any:
    """Look at files where nobody waits for a disk but this call."""
    return await in_thread(unseen.look)


async def _hashed(inputs: Inputs) -> None:
    """Hash all media likewise: each keeps its hash."""
    await in_thread(lambda: [content.key_bytes() for content in inputs.contents])


_whole = optional(whole(1))

T = TypeVar("T", bound=GeminiEmbedder)


@forgetful
def _restored(cls: type[T], options: dict[str, Any], quota: Quota | None = None) -> T:
    """Read a pickle; those of release 0.2 have the quota beside the options."""
    made = cls(**options)
    if quota is not None:
        made._shared = made._shared[0], quota
    return made


@forgetful
def _rebuild(cls: type[GeminiEmbedder], options: dict[str, Any]) -> GeminiEmbedder:
    """Read a pickle of release 0.1."""
    return cls(**options, behaves_like=meant_by_first_release(options["model"]))
