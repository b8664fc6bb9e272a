"""What an embedder has of the Batch API: its runs, made and found again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gemini_embed.background import loop, process
from gemini_embed.batch.clock import Clock
from gemini_embed.batch.progress import Bar
from gemini_embed.connected import Connected, load
from gemini_embed.contents import Inputs
from gemini_embed.errors import BatchDamagedError, ConfigurationError
from gemini_embed.observe.logs import OF_RUNS, logs
from gemini_embed.observe.meter import Metered, meters_of
from gemini_embed.observe.tracing import Operation
from gemini_embed.observe.watch import Watch, hooks
from gemini_embed.prices import price_of
from gemini_embed.service.access import access_of
from gemini_embed.service.reach import check_before, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from gemini_embed.batch.desk import Office, RunDesk
    from gemini_embed.batch.jobs import Run
    from gemini_embed.batch.planning import Planner
    from gemini_embed.batch.site import Service
    from gemini_embed.batch.status import BatchStatus
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.calls.checked import Checked
    from gemini_embed.observe.watch import Observer
    from gemini_embed.service.access import Access


_SHAPING = (
    *("model", "behaves_like", "service_name", "output_dimensionality"),
    *("normalize", "cache_full_dimension", "bucket"),
)
"""The options of an embedder that say, beside its texts, what vectors a run has, and where its
files go."""

_PLACING = ("vertexai", "project", "location")
"""Those that say where jobs are. A run goes on there, unless the caller says otherwise."""


class Batching(Connected, Metered):
    """An embedder's runs of the Batch API."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._clock = Clock()
        if self.bucket is not None and self._backend.name != "vertex":
            raise ConfigurationError("bucket belongs to Vertex AI: the Gemini API reads none")
        if self.batch_documents:
            self._check_batch()

    def batches(self) -> list[BatchStatus]:
        """Return how all runs in the cache's file stand, the oldest first.

        It asks the service only where a job was given up that may still show up: such a job is
        cancelled then, and reported with a warning.

        Raises:
            ConfigurationError: There is no cache in a file.
        """
        return loop.run(self._office().statuses)

    async def abatches(self) -> list[BatchStatus]:
        """Return how all runs stand; the async twin of `batches`."""
        return await loop.arun(self._office().statuses)

    def _begun(self, call: Checked) -> RunDesk[Any]:
        """Return what works the run of a checked call; nothing is sent or written yet."""
        from gemini_embed.batch import planning  # noqa: PLC0415 - loads numpy
        from gemini_embed.batch.parts import MOST_TOKENS  # noqa: PLC0415 - likewise
        from gemini_embed.batch.places import Places  # noqa: PLC0415 - likewise

        self._check_batch()
        inputs, ask, wanted, policy = call
        if inputs.unseen:
            inputs = inputs.unseen.settle(inputs.unseen.look())
        if inputs.doubts:
            inputs = inputs.doubts.decide(())  # those in doubt go online, where they are counted
        office = self._office()
        asked = self._asked(call)
        contents, number, keys = planning.numbered(inputs, ask)
        places = Places.of(inputs, number, keys)
        planner = planning.Planner(
            office.cache,
            office.ledger,
            inputs=inputs,
            contents=contents,
            ask=ask,
            asked=asked,
            options=self._remembered(),
            places=places,
            used=wanted.dimension,
            limits=planning.Limits(
                fallback=self.batch_fallback,
                settle=self.batch_settle,
                most_tokens=self.batch_tokens or MOST_TOKENS[ask.backend.name],
            ),
            count=policy.count,
        )
        run = planning.id_of(places, asked)
        return self._desk(run, call._replace(inputs=inputs), office, planner)

    def _asked(self, call: Checked) -> dict[str, Any]:
        """Return all that a run of a call depends on but its texts, as JSON holds it."""
        from gemini_embed.batch import planning  # noqa: PLC0415 - loads numpy

        return planning.settings(call.ask, call.wanted, call.policy) | place_of(self._batch_access)

    def _remembered(self) -> dict[str, Any]:
        """Return the options with which a run goes on."""
        held = {name: getattr(self, name) for name in _SHAPING}
        place = place_of(self._batch_access)
        return held | ({"vertexai": True, **place} if place else {})

    @property
    def _batch_access(self) -> Access:
        return access_of(self, self._backend, self._elsewhere)

    def _made_like(self, run: str) -> tuple[Self, Run | None]:
        """Return an embedder with the settings of a run of the ledger, and the run.

        Of one that is damaged, return this one and None: all that it needs is to be cleaned.

        Raises:
            ConfigurationError: There is none.
        """
        office = self._office()
        try:
            found = office.ledger.run(run)
        except BatchDamagedError:
            return self, None
        if found is None:
            raise ConfigurationError(f"there is no batch run {run!r} in {office.cache.path}")
        options = dict(found.options)
        for name in _PLACING:
            if self.client is not None or getattr(self, name) is not None:
                options.pop(name, None)
        made = replace(self, **options)
        made._meter, made._clock = self._meter, self._clock  # noqa: SLF001 - one like this
        return made, found

    def _going_on(self, run: str, found: Run | None, call: Checked) -> RunDesk[Any]:
        """Return what works a run of the ledger; `call` is one of no texts with its settings.

        Raises:
            ConfigurationError: It is of another service.
        """
        held, asked = {} if found is None else found.asked, self._asked(call)
        if found and (wrong := [name for name in asked if held.get(name) != asked[name]]):
            shown = ", ".join(f"{name} {held.get(name)!r}" for name in wrong)
            raise ConfigurationError(f"batch run {run} was made elsewhere: {shown}")
        texts = 0 if found is None else found.texts
        return self._desk(run, call, self._office(), None, texts=texts)

    def _desk(
        self,
        run: str,
        call: Checked,
        office: Office,
        planner: Planner | None,
        texts: int | None = None,
    ) -> RunDesk[Any]:
        from gemini_embed.batch.desk import RunDesk  # noqa: PLC0415 - loads numpy

        _, ask, wanted, policy = call
        bars = [Bar] if policy.show_progress else []

        def watch(total: int, observers: Sequence[Observer]) -> Watch:
            seen = [*logs(OF_RUNS), *(bar(total) for bar in bars), *observers]
            return Watch([*seen, *hooks(self.on_retry, self.on_progress)])

        # Not of the call itself, which holds the texts.
        operation = partial(
            self._operation,
            call._replace(inputs=Inputs.whole(())),
            texts=call.inputs.texts if texts is None else texts,
            run=run,
        )

        policy = replace(policy, deadline=None)
        return RunDesk(
            office,
            run,
            operation,
            ask=ask,
            wanted=wanted,
            policy=policy,
            watch=watch,
            planner=planner,
        )

    def _operation(self, call: Checked, *, texts: int | None = None, run: str = "") -> Operation:
        """Return what a trace says of a call from its beginning.

        Args:
            call: The call.
            texts: How many it has, if not those in it.
            run: The run of the Batch API that it works on.
        """
        inputs, ask, wanted, _ = call
        where = urlsplit(self._address or "")
        return Operation(
            model=ask.service.sent_model,
            backend=ask.backend.name,
            texts=inputs.texts if texts is None else texts,
            dimension=wanted.dimension,
            address=where.hostname,
            run=run,
            port=where.port or {"http": 80, "https": 443}.get(where.scheme),
        )

    def _office(self) -> Office:
        _load()
        from gemini_embed.batch.desk import Office  # noqa: PLC0415 - loads numpy
        from gemini_embed.batch.ledger import Ledger  # noqa: PLC0415 - with sqlite3

        cache = self._batch_file()
        return Office(
            cache=cache,
            ledger=Ledger(cache),
            clock=self._clock,
            engine=self._ready_engine,
            service=self._batch_service,
            there={"backend": self._backend.name, **place_of(self._batch_access)},
            meters=partial(meters_of, self._meter),
            price=price_of(self._row.name, self._backend.name, self.prices),
            fast=self.fast_decode,
        )

    def _check_batch(self) -> None:
        """Refuse now what cannot work.

        Raises:
            ConfigurationError: There is no cache in a file, or the service lacks something.
        """
        self._batch_file()
        if self._backend.name == "vertex":
            check_before(self, self._batch_access, self._row)

    def _batch_file(self) -> SQLiteCache:
        """Return the cache, whose file has the ledger.

        Raises:
            ConfigurationError: There is no such file.
        """
        found = None if self._cache is None else self._cache.file
        if found is None:
            raise ConfigurationError(
                "the Batch API needs a cache in a file, which holds what is under way and gets "
                'the vectors: give cache=True, or cache="vectors.sqlite3"'
            )
        return found

    async def _batch_service(self) -> Service:
        from gemini_embed.service.batches import Batches  # noqa: PLC0415 - loads the SDK
        from gemini_embed.service.vertex_batches import VertexBatches  # noqa: PLC0415 - likewise

        await self._ready_engine()
        if self._backend.name == "vertex":
            return VertexBatches(self._transport, self.timeout, model=self._row, bucket=self.bucket)
        return Batches(self._transport, self.timeout)


@cache
def _load() -> None:
    """Import, once, what a run needs beside what every call does: numpy and sqlite3 among it."""
    if process.has_greenlets():
        load()  # what is imported may start processes, which gevent lets this thread only
    with process.importing():
        import gemini_embed.batch.desk  # noqa: PLC0415 - see above
        import gemini_embed.batch.ledger  # noqa: PLC0415 - likewise
        import gemini_embed.batch.planning  # noqa: F401, PLC0415 - likewise
