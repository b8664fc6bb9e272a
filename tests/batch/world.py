"""A service and a machine in which hours pass at once, and a process can be killed at any step.

The ledger is the real one, in a database in memory; what counts as a step is each transaction and
each request, before its effect and after it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

import numpy as np

from gemini_embed.batch import spool
from gemini_embed.batch.clock import Clock
from gemini_embed.batch.jobs import Run, planned
from gemini_embed.batch.ledger import Ledger
from gemini_embed.batch.lines import row_of
from gemini_embed.batch.places import Places
from gemini_embed.batch.site import Site
from gemini_embed.cache.keys import cache_keys
from gemini_embed.cache.values import opened, sealed
from gemini_embed.contents import Content, Inputs
from gemini_embed.errors import QuotaExceededError, RequestError, ServiceUnavailableError
from gemini_embed.media import Media
from gemini_embed.media.composition import seen_again
from gemini_embed.media.contents import MediaContent
from gemini_embed.models import MODELS, NEWEST
from gemini_embed.service.jobs import ServerJob

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterable,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from gemini_embed.batch.site import Service
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.media.contents import Medium

DIMENSION = 4
RUN = "a-run"

Creation = Literal["made", "lost", "never", "late", "refused"]
Ending = Literal["succeeded", "expired", "failed", "partly"]


class Killed(BaseException):
    """The process is gone."""


def vector(text: str) -> list[float]:
    """Return the one vector of a text."""
    return [1.0 + ord(letter) for letter in f"{text:>{DIMENSION}}"[-DIMENSION:]]


@dataclass
class HeldJob:
    name: str
    display_name: str
    rows: Sequence[Mapping[str, Any]]
    created: float
    ending: Ending
    seconds: float
    cancelled: float | None = None

    def state(self, now: float) -> str:
        if self.cancelled is not None:
            return "cancelled"
        if now < self.created + self.seconds:
            return "running"
        return "succeeded" if self.ending == "partly" else self.ending


@dataclass
class World:
    """All that is outside of the process, and the step at which it is killed.

    Attributes:
        creations: What becomes of each request to create a job; afterwards all go well.
        endings: How each job ends, in the order of their creation; afterwards they succeed.
        lag: Seconds by which the list of jobs is behind.
        late: Seconds after which a late creation is carried out.
        kills: The steps at which the process is killed.
    """

    creations: list[Creation] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    lag: float = 0.0
    late: float = 100.0
    seconds: float = 400.0
    kills: set[int] = field(default_factory=set)
    now: float = 1e9
    step: int = 0
    is_dead: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    jobs: list[HeldJob] = field(default_factory=list)
    to_come: list[tuple[float, str, str]] = field(default_factory=list)
    online: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    timeout: float = 60.0

    def pass_step(self) -> None:
        if self.is_dead:
            raise Killed
        self.step += 1
        if self.step in self.kills:
            self.is_dead = True
            raise Killed

    def request(self, name: str) -> None:
        self.requests[name] += 1
        self.pass_step()
        self.now += 1
        self._come()

    def _come(self) -> None:
        due = [one for one in self.to_come if one[0] <= self.now]
        self.to_come = [one for one in self.to_come if one[0] > self.now]
        for at, display_name, file in due:
            if file in self.files:
                self._make(display_name, file, at)

    def _make(self, display_name: str, file: str, at: float) -> str:
        rows = [json.loads(line) for line in self.files[file].splitlines()]
        parts = [part for row in rows for part in row["request"]["content"]["parts"]]
        named = [part["file_data"]["file_uri"] for part in parts if "file_data" in part]
        assert all(uri.removeprefix("https://service/") in self.files for uri in named)
        ending = self.endings.pop(0) if self.endings else "succeeded"
        name = f"batches/{len(self.jobs)}"
        self.jobs.append(HeldJob(name, display_name, rows, at, ending, self.seconds))
        return name

    def new_file(self) -> str:
        return f"files/{uuid4().hex}"

    async def upload(
        self,
        name: str,
        pieces: Iterable[bytes],
        size: int,
        before_each: Callable[[], Awaitable[None]],
        mime_type: str = "application/jsonl",
    ) -> str:
        await before_each()
        self.request("upload")
        held = b"".join(pieces)
        assert len(held) == size
        assert name not in self.files
        self.files[name] = held
        self.pass_step()
        assert mime_type in {"application/jsonl", "image/png"}
        return f"https://service/{name}"

    async def create(self, model: str, display_name: str, file: str) -> str:
        assert model == "m"
        self.request("create")
        what = self.creations.pop(0) if self.creations else "made"
        if what == "refused":
            raise QuotaExceededError("429", status=429)
        if file not in self.files:
            raise RequestError("no such file", status=404)
        if what == "late":
            self.to_come.append((self.now + self.late, display_name, file))
        if what in {"never", "late"}:
            self.now += self.timeout - 1
            raise ServiceUnavailableError("no answer")
        name = self._make(display_name, file, self.now)
        self.pass_step()
        if what == "lost":
            raise ServiceUnavailableError("the connection failed")
        return name

    async def get(self, job: str) -> ServerJob:
        self.request("get")
        found = next(one for one in self.jobs if one.name == job)
        return self._shown(found, whole=True)

    async def list(self) -> list[ServerJob]:
        self.request("list")
        return [self._shown(one) for one in self.jobs if one.created + self.lag <= self.now]

    def _shown(self, job: HeldJob, *, whole: bool = False) -> ServerJob:
        state: Any = job.state(self.now)
        results = f"files/results-{job.name[8:]}" if whole and state == "succeeded" else ""
        return ServerJob(
            name=job.name,
            display_name=job.display_name,
            state=state,
            results=results,
            code=13 if state == "failed" else 0,
        )

    async def cancel(self, job: str) -> None:
        self.request("cancel")
        found = next(one for one in self.jobs if one.name == job)
        if found.state(self.now) != "running":
            raise RequestError("it is over", status=400)
        found.cancelled = self.now
        self.pass_step()

    async def delete(self, job: str) -> None:
        raise AssertionError(f"{job} is kept until somebody cleans up")

    async def delete_file(self, name: str, *, with_results: bool) -> None:  # noqa: ARG002 - unused
        self.request("delete_file")
        self.files.pop(name, None)
        self.pass_step()

    def without_secrets(self, text: str) -> str:
        return text

    async def lines(self, file: str, longest: int) -> AsyncIterator[bytes]:
        self.request("download")
        assert longest > 0
        job = self.jobs[int(file.removeprefix("files/results-"))]
        for number, row in enumerate(reversed(job.rows)):
            if job.ending == "partly" and number % 3 == 0:
                continue
            part, *_ = row["request"]["content"]["parts"]
            made = {"embedding": {"values": vector(part["text"])}, "tokenCount": "2"}
            self.pass_step()
            yield json.dumps({"response": made, "key": row["key"]}).encode()

    def paid(self) -> Counter[str]:
        """Return how often each row was embedded by a job that came to an end."""
        over = [job for job in self.jobs if job.state(self.now) == "succeeded"]
        return Counter(row["key"] for job in over for row in job.rows)


class MemoryFile:
    """What a run needs of a cache's file, in memory."""

    max_bytes = 10**9

    def __init__(self, world: World, folder: Path) -> None:
        self.path = folder / "v.sqlite3"
        self.values: dict[str, bytes] = {}
        self._world = world
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        self._world.pass_step()
        yield self._connection
        self._world.pass_step()

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        self._world.pass_step()
        self.values.update(pairs)

    def drop_many(self, keys: Sequence[str]) -> None:
        self._world.pass_step()
        for key in keys:
            self.values.pop(key, None)

    def vector(self, key: str) -> list[float] | None:
        value = self.values.get(key)
        found = opened([key], [value], dimension=DIMENSION).block
        return found[0].tolist() if len(found) else None


class WorldClock(Clock):
    """The clock of a world."""

    world: World

    def now(self) -> float:
        return self.world.now

    async def sleep(self, seconds: float) -> None:
        self.world.pass_step()
        assert 0 <= seconds < float("inf")
        self.world.now += seconds
        await asyncio.sleep(0)

    def lasting(self, seconds: float) -> float:
        return seconds


def clock_of(world: World) -> WorldClock:
    clock = WorldClock()
    object.__setattr__(clock, "world", world)
    return clock


def _medium(data: bytes) -> Medium:
    return seen_again(Media.from_bytes(data), model=MODELS[NEWEST], backend="gemini")


class Machine:
    """A folder with a run in it, which one process after another works."""

    def __init__(
        self,
        world: World,
        folder: Path,
        texts: Sequence[str],
        *,
        parts: int,
        settle: float = 600.0,
        media: Sequence[bytes] = (),
        **run: Any,
    ) -> None:
        self.world = world
        self.file = MemoryFile(world, folder)
        self.texts = texts
        contents = [Content.of(text) for text in texts]
        if media:  # beside each text, in turn
            media_of = [_medium(media[place % len(media)]) for place in range(len(texts))]
            pairs = zip(texts, media_of, strict=True)
            contents = [MediaContent.fused([text, medium]) for text, medium in pairs]
        self.keys = cache_keys(contents, model="m", dimension=DIMENSION, service=None)
        rows = list(range(len(texts)))
        path = spool.new_path(self.file.path, RUN)
        keeper = spool.Keeper(path)
        lines = [
            row_of(key, content, None, "gemini", keeper)
            for key, content in zip(self.keys, contents, strict=True)
        ]
        offsets, seals = spool.write(path, lines)
        keys = bytes.fromhex("".join(self.keys))
        number = {content: i for i, content in enumerate(contents)}
        places = Places.of(Inputs.whole(contents), number, keys)
        places = Places(
            places.keys,
            places.contents,
            places.owners,
            places.weights,
            np.array(rows, np.uint32),
            np.array(offsets, np.uint64),
            np.array(seals, np.uint64),
        )
        cuts = np.linspace(0, len(texts), parts + 1).astype(int).tolist()
        jobs = [planned(a, b, b - a) for a, b in pairwise(cuts) if b > a]
        asked = {
            "model": "m",
            "backend": "gemini",
            "sent_model": "m",
            "sent_dimension": DIMENSION,
            "dimension": DIMENSION,
            "role": "document",
        }
        given: dict[str, Any] = {
            "id": RUN,
            "created": world.now,
            "asked": asked,
            "options": {},
            "spool": path.name,
            "texts": len(texts),
            "rows": len(texts),
            "cached": 0,
            "fallback": "online",
            "settle": settle,
            "most_tokens": 10**6,
            "kept": keeper.digests,
        }
        Ledger(cast("SQLiteCache", self.file)).begin(Run(**given | run), jobs, places.as_bytes())

    def site(self) -> Site:
        """Return what a new process has."""
        self.world.is_dead = False
        world = cast("Service", self.world)

        async def service() -> Service:
            return world

        async def online(
            contents: Sequence[Content], *, uncut: bool
        ) -> tuple[Sequence[int], str, Mapping[str, int]]:
            assert not uncut
            for content in contents:
                self.world.pass_step()
                (key,) = cache_keys([content], model="m", dimension=DIMENSION, service=None)
                if key in self.file.values:
                    continue
                self.world.online[key] += 1
                block = np.array([vector(content.text)], np.float32)
                self.file.set_many([(key, sealed([key], block)[0])])
            return (), "", {"requests": 1}

        return Site(
            ledger=Ledger(cast("SQLiteCache", self.file)),
            cache=cast("SQLiteCache", self.file),
            model=MODELS[NEWEST],
            clock=clock_of(self.world),
            service=service,
            online=online,
            seen=lambda *_: None,
            waits=lambda _: None,
            collected=lambda _: None,
        )

    def vectors(self) -> list[list[float] | None]:
        return [self.file.vector(key) for key in self.keys]
