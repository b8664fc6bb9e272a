"""The stand-in as an object: its options, and the thread that its event loop runs on."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Literal, Self, get_args

from gemini_embed.errors import ConfigurationError
from gemini_embed.model_names import bare_name
from gemini_embed.models import MODELS
from gemini_embed.standin.batch_faults import JobFaults
from gemini_embed.standin.faults import FaultKind, Faults, Scripted
from gemini_embed.standin.model_quota import ModelQuota, QuotaLimits
from gemini_embed.standin.optional_imports import extra_needed
from gemini_embed.tasks import parse_task_type

if TYPE_CHECKING:
    from collections import Counter, deque
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import TracebackType

    from gemini_embed.contents import TaskType
    from gemini_embed.standin.batch_faults import JobFault
    from gemini_embed.standin.batch_jobs import Job
    from gemini_embed.standin.files import StoredFile
    from gemini_embed.standin.model_quota import TextQuota
    from gemini_embed.standin.request_log import Exchange
    from gemini_embed.standin.storage import StoredObject
    from gemini_embed.standin.vector_sources import VectorSource

LocalModel = Literal["hash", "minilm"]

LOCAL_MODELS: tuple[LocalModel, ...] = get_args(LocalModel)

_PATIENCE = 0.05  # seconds that requests under way have left when the service closes


class Standin:
    """A local service that speaks Google's embedding API; a context manager.

    It is the Gemini API, Vertex AI and Cloud Storage at one address: the path says which of them
    is asked. Any bucket exists, but `"no-such-bucket"`; `"closed-bucket"` is closed to everyone.
    Its vectors are NOT Google's: `minilm` has a small local model's, with meaning; `hash` has
    meaningless ones, at once. Both are the same in every run. Nothing sees or hears: of media
    `minilm` reads the text of a PDF and the description in a PNG, and takes others by a hash. Each
    content counts as one request of a quota, as Google counts.

    Args:
        model: Where vectors come from.
        latency: Seconds from a request to its answer, which making the vectors is part of; may be
            changed while running.
        requests: Texts per window, of each model; None for no limit, and 0 for no quota at all
            (`limit: 0`). On Vertex AI each project and location has a quota of its own, here and
            below.
        tokens: Tokens per window, of each model; estimated as the client does.
        window: Length of the sliding window, in seconds.
        requests_per_day: Texts of each model between two midnights, Pacific time.
        quota: What makes a quota that counts otherwise, for each model one; in place of all of
            these limits.
        faults: Share of embedding requests, from 0 to 1, that meet a fault.
        seed: Of the faults: the same seed draws the same ones.
        silent_quota: Whether a 429 gives the delay only, not which quota it was. Vertex AI
            never gives either.
        api_keys: The keys to accept; None for any but `"invalid-key"`. Vertex AI also takes an
            access token, any but `"invalid-token"`.
        vertex_001_instances: Texts that gemini-embedding-001 takes in one `predict` on Vertex
            AI: Google took one in 2025, and 250 a year later.
        port: To listen on; 0 for any free one.
        keep_log: Whether `log` is kept; a service that runs for days should not.
        batch_seconds: That a job of a batch API takes; may be changed while running.
        batch_faults: Share of these jobs, from 0 to 1, that meet a fault; each fault is drawn for
            itself.
        batch_lag: Seconds by which the list of jobs lags, and a late creation comes late, where
            that is the fault; may be changed while running.
        batch_tokens: Tokens of all jobs of the Gemini API that have not ended; what goes beyond
            is a 429. Vertex AI has no such limit.
        film_seconds: That the Files API prepares a film, until it can be used.
        clock: Seconds since the epoch, which say what day it is, how old files are, and how far
            jobs.

    Raises:
        ImportError: A package is missing; the text says what to install.
        ValueError: Impossible options.
    """

    def __init__(
        self,
        model: LocalModel = "hash",
        *,
        latency: float = 0.0,
        requests: int | None = None,
        tokens: int | None = None,
        window: float = 60.0,
        requests_per_day: int | None = None,
        quota: Callable[[], TextQuota] | None = None,
        faults: Mapping[FaultKind, float] | None = None,
        seed: int = 0,
        silent_quota: bool = False,
        api_keys: Collection[str] | None = None,
        vertex_001_instances: int = 250,
        port: int = 0,
        keep_log: bool = True,
        batch_seconds: float = 0.0,
        batch_faults: Mapping[JobFault, float] | None = None,
        batch_lag: float = 60.0,
        batch_tokens: int | None = None,
        film_seconds: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if vertex_001_instances < 1:
            raise ValueError(f"vertex_001_instances must be at least 1, not {vertex_001_instances}")
        with extra_needed():
            from gemini_embed.standin.app import App  # noqa: PLC0415  # needs the extra
        limits = QuotaLimits(
            requests=requests, tokens=tokens, window=window, requests_per_day=requests_per_day
        )
        self._source = _source(model)
        self._app = App(
            self._source,
            Faults(faults or {}, seed),
            quota or partial(ModelQuota, limits),
            latency=latency,
            silent_quota=silent_quota,
            api_keys=None if api_keys is None else frozenset(api_keys),
            vertex_001_instances=vertex_001_instances,
            keep_log=keep_log,
            job_faults=JobFaults(batch_faults or {}, seed),
            batch_seconds=batch_seconds,
            batch_lag=batch_lag,
            batch_tokens=batch_tokens,
            film_seconds=film_seconds,
            clock=clock,
        )
        self._clock = clock
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, to be given to a client of either service."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> list[Exchange]:
        """Every request so far, in the order of arrival."""
        return self._app.log.exchanges

    @property
    def script(self) -> deque[Scripted]:
        """What the next embedding requests meet, one entry each, before faults are drawn."""
        return self._app.script

    @property
    def other_script(self) -> deque[Scripted]:
        """What the next requests about files and jobs meet, one entry each."""
        return self._app.other_script

    @property
    def files(self) -> list[StoredFile]:
        """The uploaded files, and files of results, that are kept now; oldest first."""
        return self._app.files.kept()

    @property
    def objects(self) -> list[StoredObject]:
        """The objects that Cloud Storage keeps now, in the order of their addresses."""
        return self._app.objects.all()

    @property
    def jobs(self) -> list[Job]:
        """The jobs of either service's batch API, oldest first, deleted ones too."""
        return list(self._app.desk.jobs)

    @property
    def job_script(self) -> deque[Collection[JobFault]]:
        """What the next jobs meet, one entry of any number of faults each."""
        return self._app.desk.script

    def paid(self) -> Counter[str]:
        """Return the text of each row that jobs were paid for, as it was sent, and how often."""
        return self._app.desk.paid()

    @property
    def batch_seconds(self) -> float:
        """Seconds that the next job takes."""
        return self._app.desk.seconds

    @batch_seconds.setter
    def batch_seconds(self, seconds: float) -> None:
        self._app.desk.seconds = seconds

    @property
    def batch_lag(self) -> float:
        """Seconds by which the list of jobs lags, where it does."""
        return self._app.desk.lag

    @batch_lag.setter
    def batch_lag(self, seconds: float) -> None:
        self._app.desk.lag = seconds

    @property
    def latency(self) -> float:
        """Seconds before every answer."""
        return self._app.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._app.latency = seconds

    def vector(
        self,
        content: str | bytes | Sequence[str | bytes],
        task_type: str | None = None,
        model: str = "gemini-embedding-001",
        dimension: int | None = None,
        *,
        title: str | None = None,
    ) -> list[float]:
        """Return exactly the vector that either service answers for a content as it is sent.

        Args:
            content: A text, a medium's bytes, or the parts that are one content.
            task_type: As it is sent.
            model: The model.
            dimension: As it is sent.
            title: As it is sent.

        Raises:
            ConfigurationError: There is no such model.
            ValueError: Bytes of no kind that the services take.
        """
        from gemini_embed.standin.media import Medium  # noqa: PLC0415  # numpy is slow
        from gemini_embed.standin.vector_sources import WantedVector  # noqa: PLC0415  # likewise

        row = MODELS.get(bare_name(model))
        if row is None:
            raise ConfigurationError(f"unknown model {model!r}")
        task: TaskType | None = parse_task_type(task_type)
        written = (content,) if isinstance(content, (str, bytes)) else content
        parts = tuple(
            part if isinstance(part, str) else Medium.sniffed(bytes(part)) for part in written
        )
        wanted = WantedVector.of(row, parts, task, title, dimension)
        numbers: list[float] = json.loads(self._source.values(wanted))
        return numbers

    def place(self, uri: str, data: bytes) -> None:
        """Let requests find bytes at an address, `gs://` or `https://`: no other one is asked.

        At `gs://` they are an object of Cloud Storage.
        """
        self._app.place(uri, data)

    def release(self) -> None:
        """Answer the requests that hang now."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.release)

    def __enter__(self) -> Self:
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)),
            name="gemini-embed-standin",
            daemon=True,
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is None or self._stop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop = None

    async def _serve(self, started: Future[None]) -> None:
        from aiohttp import web  # noqa: PLC0415  # needs the extra

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._app.application(),
            access_log=None,
            handler_cancellation=True,  # a client that has gone does not hang for ever
            shutdown_timeout=_PATIENCE,
        )
        try:
            await runner.setup()
            assert runner.server is not None  # noqa: S101 - it is set up
            listening = await self._loop.create_server(runner.server, "127.0.0.1", self._port)
            self._port = listening.sockets[0].getsockname()[1]
            started.set_result(None)
            await self._stop.wait()
            await _close(listening)
        except (OSError, OverflowError) as error:
            started.set_exception(error)
        finally:
            await runner.cleanup()
            self._app.close()


async def _close(listening: asyncio.Server) -> None:
    """Take no more connections, once those that were just taken have begun.

    A connection that asyncio took in the moment in which its server closes never begins, and
    nobody closes it.
    """
    with suppress(NotImplementedError):  # on Windows, where a connection begins as it is taken
        asyncio.get_running_loop().remove_reader(listening.sockets[0])
    for _ in range(2):  # it is opened, and its protocol is told
        await asyncio.sleep(0)
    listening.close()


def _source(model: LocalModel) -> VectorSource:
    if model == "hash":
        from gemini_embed.standin.hashed import HashedVectors  # noqa: PLC0415  # numpy is slow

        return HashedVectors()
    if model == "minilm":
        from gemini_embed.standin.minilm import MiniLMVectors  # noqa: PLC0415  # needs the extra

        return MiniLMVectors()
    raise ValueError(f"unknown model {model!r}; known: {', '.join(LOCAL_MODELS)}")
