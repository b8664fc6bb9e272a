"""The HTTP side of the stand-in: identities, quotas, faults and latency around the answers.

`gemini` makes the Gemini API's, `vertex` Vertex AI's; the path of a request says which of
the two is asked. Everything here runs on the stand-in's own event loop, except making
vectors, which two worker threads do so that the loop stays free.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from gemini_embed.pacing.day import day_at
from gemini_embed.standin import (
    answers,
    gemini,
    gemini_errors,
    google_errors,
    parts,
    protojson,
    vertex,
    vertex_errors,
)
from gemini_embed.standin.answers import Answer
from gemini_embed.standin.batch_desk import BatchDesk
from gemini_embed.standin.callers import Callers
from gemini_embed.standin.faults import Faults, Scripted, spoil
from gemini_embed.standin.file_requests import FileRequests, continues_upload
from gemini_embed.standin.files import FileStore
from gemini_embed.standin.gemini_batches import GeminiBatches
from gemini_embed.standin.parts import Blob
from gemini_embed.standin.request_log import Exchange, RequestLog
from gemini_embed.standin.storage import Storage, parted
from gemini_embed.standin.storage_requests import StorageRequests, carries_bytes
from gemini_embed.standin.url import Target
from gemini_embed.standin.vector_sources import counts_of
from gemini_embed.standin.vertex_batches import VertexBatches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.models import BackendName
    from gemini_embed.standin.answers import AioHandler, Handler
    from gemini_embed.standin.batch_faults import JobFaults
    from gemini_embed.standin.model_quota import TextQuota
    from gemini_embed.standin.vector_sources import VectorSource, WantedVector

_MAX_BODY = 32 * 2**20
_VERTEX_PATH = (
    "/{version:v1|v1beta1}/{parent:(?:projects/[^/]+/locations/[^/]+/)?}"
    "publishers/google/models/{model:[^/:]+}:{method}"
)


_UPLOADED = re.compile(r"(^|/)files/[^/]+$")


class App:
    """Answers requests and remembers them."""

    def __init__(
        self,
        source: VectorSource,
        faults: Faults,
        quota: Callable[[], TextQuota],
        *,
        latency: float,
        silent_quota: bool,
        api_keys: frozenset[str] | None,
        vertex_001_instances: int,
        keep_log: bool,
        job_faults: JobFaults,
        batch_seconds: float,
        batch_lag: float,
        batch_tokens: int | None,
        film_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.latency = latency
        self.log = RequestLog(kept=keep_log)
        self.script: deque[Scripted] = deque()
        self.other_script: deque[Scripted] = deque()
        self.files = FileStore(clock, film_seconds)
        self.objects = Storage(clock, self.files.new_path)
        self._source = source
        self._faults = faults
        self._quota = quota
        self._clock = clock
        self._quotas: dict[str, TextQuota] = {}
        self._silent_quota = silent_quota
        self._callers = Callers(api_keys)
        self._placed: dict[str, bytes] = {}
        self._vertex = vertex.readers(self._fetch, instances_001=vertex_001_instances)
        self._gemini = gemini.readers(self._fetch)
        self._released = asyncio.Event()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="gemini-embed-standin")
        self._closed = threading.Event()
        self.desk = BatchDesk(
            faults=job_faults,
            seconds=batch_seconds,
            lag=batch_lag,
            clock=clock,
            workers=self._workers,
            keep=keep_log,
        )
        self._batch_tokens = batch_tokens

    def routes(self) -> list[web.RouteDef]:
        """Return every address that is served."""
        root = "/{version:v1|v1beta}/models"
        embed = self._served(self._embed)
        gemini_batches = GeminiBatches(
            desk=self.desk,
            files=self.files,
            source=self._source,
            reader=self._gemini["embedContent"],
            workers=self._workers,
            tokens=self._batch_tokens,
        )
        vertex_batches = VertexBatches(
            desk=self.desk,
            objects=self.objects,
            source=self._source,
            reader=self._vertex["embedContent"],
        )
        of_gemini = partial(self._served_beside, self._callers.check_gemini)
        of_vertex = partial(self._served_beside, self._callers.check_vertex)
        of_storage = partial(self._served_beside, self._callers.check_storage)
        return [
            *FileRequests(self.files, self._workers).routes(of_gemini),
            *gemini_batches.routes(of_gemini),
            *StorageRequests(self.objects).routes(of_storage),
            *vertex_batches.routes(of_vertex),
            web.post(root + "/{model:[^/:]+}:{method}", embed),
            web.get(root + "/{model:[^/:]+}", embed),
            web.get(root, embed),
            web.post(_VERTEX_PATH, embed),
        ]

    def place(self, uri: str, data: bytes) -> None:
        """Let requests find bytes at an address."""
        where = parted(uri)
        if where is None:
            self._placed[uri] = data
            return
        path = self.objects.new_path()
        path.write_bytes(data)
        self.objects.put(*where, "application/octet-stream", path)

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(self.routes())
        return app

    def release(self) -> None:
        """Let every request that hangs go on; the next one to hang hangs anew."""
        self._released.set()
        self._released = asyncio.Event()

    def close(self) -> None:
        """End the workers; no request may be under way."""
        self._closed.set()
        self._workers.shutdown(cancel_futures=True)
        self.files.close()

    def _served(self, handler: Handler) -> AioHandler:
        """Return a handler that sends what `handler` answers, and logs it."""
        return partial(self._handle, handler)

    def _served_beside(self, check: Callable[[web.Request], None], handler: Handler) -> AioHandler:
        """Return the same for what is not about embedding now: files, objects, and jobs.

        `check` refuses who may not ask for it.
        """
        return self._served(partial(self._beside, check, self.desk.after_what_is_due(handler)))

    async def _handle(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        arrived = time.monotonic()
        unread = continues_upload(request) or carries_bytes(request)
        raw = b"" if unread else await request.read()
        exchange = _exchange(request, raw, arrived)
        self.log.add(exchange)
        try:
            answer = await handler(request)
        except google_errors.GoogleError as error:
            answer = answers.refused(error)
        if self.latency:
            await asyncio.sleep(arrived + self.latency - time.monotonic())
        self.log.set_status(exchange, answer.status)
        return await answers.send(request, answer)

    async def _beside(
        self, check: Callable[[web.Request], None], handler: Handler, request: web.Request
    ) -> Answer:
        fault = self.other_script.popleft() if self.other_script else None
        if (instead := answers.instead(fault)) is not None:
            return instead
        if fault == "hang":
            await self._released.wait()
        check(request)
        answer = await handler(request)
        return replace(answer, sent="half") if fault == "half" else answer

    async def _embed(self, request: web.Request) -> Answer:
        arrived, raw = time.monotonic(), await request.read()
        target = Target.of(request.match_info)
        reader = (self._vertex if target.vertex else self._gemini).get(target.method)
        counts = target.method == "countTokens" and not target.vertex
        if reader is None and not counts:
            self._callers.check(request, target)
            return Answer(200, _description_of(target))
        fault = self.script.popleft() if self.script else self._faults.draw()
        if (instead := answers.instead(fault)) is not None:
            return instead
        if fault == "hang":
            await self._released.wait()
        self._callers.check(request, target)
        if reader is None:
            counted = gemini.count_tokens(target, protojson.parse(raw), self._fetch)
            return Answer(200, counted, sent="half" if fault == "half" else "whole")
        wanted = reader(target, protojson.parse(raw))
        self._charge(target, wanted, arrived)
        loop = asyncio.get_running_loop()
        arrays = spoil(await loop.run_in_executor(self._workers, self._vectors, wanted), fault)
        body = (vertex if target.vertex else gemini).answer(target, wanted, arrays)
        return Answer(200, body, sent="half" if fault == "half" else "whole")

    def _charge(self, target: Target, wanted: Sequence[WantedVector], now: float) -> None:
        if (quota := self._quotas.get(target.resource)) is None:
            quota = self._quotas[target.resource] = self._quota()
        today = day_at(self._clock()).number
        counts = counts_of(wanted) if quota.counts_tokens else []
        tokens = sum(count.tokens for count in counts)
        over = quota.take(len(wanted), tokens, now, today)
        if over is None:
            return
        if target.vertex or over.delay is None:
            raise vertex_errors.resource_exhausted()
        raise gemini_errors.quota_exceeded(
            over.violations, over.delay, target.model, silent=self._silent_quota
        )

    def _fetch(self, service: BackendName, uri: str) -> Blob:
        """Return what lies at an address; nothing outside of this process is asked for it.

        Raises:
            GoogleError: Nothing that the service can read.
        """
        if uri in self._placed:
            return Blob(self._placed[uri], None)
        if service == "vertex" and (where := parted(uri)) is not None:
            return self._object(*where)
        if service == "gemini" and _UPLOADED.search(uri):
            file = self.files.by_uri(uri)
            if file.path is not None:
                return Blob(file.path.read_bytes(), file.mime_type)
        raise parts.cannot_fetch(service, uri)

    def _object(self, bucket: str, name: str) -> Blob:
        """Return an object of Cloud Storage.

        Raises:
            GoogleError: There is none.
        """
        try:
            stored = self.objects.find(bucket, name)
        except google_errors.GoogleError:
            raise parts.cannot_fetch("vertex", f"gs://{bucket}/{name}") from None
        return Blob(stored.path.read_bytes(), None)

    def _vectors(self, wanted: Sequence[WantedVector]) -> list[bytes]:
        arrays = []
        for one in wanted:
            if self._closed.is_set():
                break  # nobody waits for the rest
            arrays.append(self._source.values(one) if one.has_values else b"")
        return arrays


def _exchange(request: web.Request, raw: bytes, arrived: float) -> Exchange:
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Exchange(arrived, request.path, headers, body, 0, request.method)


def _description_of(target: Target) -> bytes:
    """Return the answer to what asks for models.

    Raises:
        GoogleError: The request makes no sense, or there is no such thing.
    """
    if target.vertex:
        raise vertex_errors.no_method()
    if not target.method:
        return gemini.described(target) if target.model else gemini.model_list()
    raise gemini_errors.not_found(target.model, target.version, target.method)
