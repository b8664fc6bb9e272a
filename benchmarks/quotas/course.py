"""One row of the bench of services: a load through the real flow, on a virtual clock."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.quotas import virtual_time
from benchmarks.quotas.client import Client
from benchmarks.quotas.ideal import amount_of
from benchmarks.quotas.scenarios import PERIOD, TOKENS, Scenario
from benchmarks.quotas.services import Service, error_of
from benchmarks.quotas.virtual_time import now
from gemini_embed.errors import GeminiEmbedError, InternalError
from gemini_embed.service.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.errors import RequestError
    from gemini_embed.observe.events import Retry

LONGEST = 20
"""Times the ideal after which a row counts as never ending."""

_SPARE_REQUESTS = 5000
"""Requests beyond one for each text, likewise."""

_QUERIES_FOR = 3600.0
"""Seconds of queries where there is nothing else."""

_ASKS = 100
"""Who asks queries, in their texts: a number that no process has."""

_BEFORE_SECOND = 86_400.0
"""Seconds between a load that failed and the second run of what is left of it: a day."""


class Sent(NamedTuple):
    """One request as the service met it."""

    at: float
    who: int
    role: str
    texts: int
    accepted: bool
    told: float | None = None


@dataclass
class Course:
    """What happened.

    Attributes:
        scenario: The row.
        hours: Of the ideal load.
        amount: Texts of the load, of all processes together.
        taken: Seconds until the load had its vectors, infinite if never.
        sent: Every request, in the order in which they came to the service.
        others: What somebody else took, and when.
        waits: When each query was asked and how long it waited; infinite for one that failed.
        errors: What the load ended in, by process.
        done: When each process had its vectors.
        left: Texts that a second run had to ask for.
        cut: Whether it was cut off because it would never end.
        faults: What is wrong with the project or with a vector.
    """

    scenario: Scenario
    hours: float
    amount: int
    taken: float = float("inf")
    sent: list[Sent] = field(default_factory=list)
    others: list[tuple[float, int]] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)
    left: int = 0
    cut: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def paid(self) -> int:
        """Texts of documents that the service counted, in both runs."""
        return sum(one.texts for one in self.sent if one.accepted and one.role == "document")


def run(
    scenario: Scenario, hours: float, *, seed: int = 1, trace: Callable[[str], None] | None = None
) -> Course:
    """Run one row in virtual time."""
    random.seed(f"{scenario.name} {seed}")  # tenacity's waits
    course = Course(scenario, hours, amount_of(scenario, hours * 3600))
    virtual_time.run(_Row(course, seed, trace).run())
    return course


class _Line:
    """The way from one client to the service."""

    def __init__(self, row: _Row, who: int) -> None:
        self._row, self._who = row, who

    async def send(self, batch: Batch, _: Ask) -> Answer:
        """Go there, be counted, and come back."""
        row, scenario = self._row, self._row.course.scenario
        there, back = row.ways()
        texts = batch.texts
        tokens = round(batch.tokens * scenario.tokens)
        await asyncio.sleep(there)
        refused = row.service.offer(now(), len(texts), tokens)
        error = None if refused is None else error_of(refused, scenario)
        row.note(self._who, _role_of(texts[0]), len(texts), error)
        await asyncio.sleep(back)
        if error is not None:
            raise error
        return Answer([_vector(text) for text in texts], tokens if scenario.reports else None)

    async def aclose(self) -> None:
        """Nothing is open."""


class _Row:
    def __init__(self, course: Course, seed: int, trace: Callable[[str], None] | None) -> None:
        self.course = course
        scenario = course.scenario
        self._load_seconds = course.hours * 3600
        self.service = Service(scenario, self._load_seconds, seed=seed)
        self._rng = random.Random(f"ways {seed}")  # noqa: S311 - repeatable on purpose
        self._trace = trace
        self._clients: list[Client] = []
        self._believed: dict[int, dict[str, float]] = {}
        self._over = asyncio.Event()

    async def run(self) -> None:
        course, scenario = self.course, self.course.scenario
        self._clients = [self._client(who) for who in range(scenario.processes)]
        longest = LONGEST * max(self._load_seconds, 600.0)
        work = asyncio.ensure_future(self._work())
        over = asyncio.ensure_future(self._over.wait())
        await asyncio.wait((work, over), timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        course.cut = not work.done()
        for task in (work, over):
            task.cancel()
        await asyncio.gather(over, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await work
        course.others = self.service.taken_by_others

    async def _work(self) -> None:
        scenario = self.course.scenario
        parts = []
        if scenario.load != "documents":
            parts.append(asyncio.ensure_future(self._ask()))
        if scenario.load != "queries":
            share = self.course.amount // scenario.processes
            async with asyncio.TaskGroup() as group:
                for who in range(scenario.processes):
                    group.create_task(self._embed(who, share))
            for asking in parts:
                asking.cancel()
            if len(self.course.done) == scenario.processes:
                self.course.taken = max(self.course.done.values())
        await asyncio.gather(*parts, return_exceptions=self.course.scenario.load == "both")
        if scenario.load == "queries":
            self.course.taken = now()

    async def _embed(self, who: int, amount: int) -> None:
        wanted = [_text(number, who, self.course.scenario) for number in range(amount)]
        try:
            _check(await self._clients[who].embed(wanted, "document"), wanted)
        except (AssertionError, InternalError) as error:
            self.course.faults.append(f"{type(error).__name__}: {error}")
        except GeminiEmbedError as error:
            self.course.errors[who] = type(error).__name__
            self._say(who, f"the load ends: {error}"[:300])
            rest = [text for i, text in enumerate(wanted) if i not in error.partial]
            await self._second(who, rest)
        else:
            self.course.done[who] = now()

    async def _second(self, who: int, rest: Sequence[str]) -> None:
        """Embed what is left, a day later and until it is done: as a cache would have it."""
        self.course.left += len(rest)
        await asyncio.sleep(_BEFORE_SECOND)
        try:
            _check(await self._clients[who].embed(rest, "document"), rest)
        except (AssertionError, InternalError) as error:
            self.course.faults.append(f"{type(error).__name__}: {error}")
        except GeminiEmbedError as error:
            self._say(who, f"the second run ends: {error}"[:300])

    async def _ask(self) -> None:
        """Ask queries at random, one a second."""
        until = _QUERIES_FOR if self.course.scenario.load == "queries" else 1.5 * self._load_seconds
        until = min(until, 1.5 * self._load_seconds)
        async with asyncio.TaskGroup() as group:
            for number in count():
                await asyncio.sleep(self._rng.expovariate(1.0))
                if now() > until:
                    break
                group.create_task(self._query(number))

    async def _query(self, number: int) -> None:
        wanted = [_text(number, _ASKS, self.course.scenario)]
        began, waited = now(), float("inf")
        client = self._clients[number % len(self._clients)]
        try:
            _check(await client.embed(wanted, "query"), wanted)
            waited = now() - began
        except (AssertionError, InternalError) as error:
            self.course.faults.append(f"{type(error).__name__}: {error}")
        except GeminiEmbedError as error:
            self._say(number % len(self._clients), f"a query fails: {error}"[:200])
        except asyncio.CancelledError:
            waited = now() - began
            raise
        finally:
            self.course.waits.append((began, waited))

    def _client(self, who: int) -> Client:
        scenario = self.course.scenario
        requests = tokens = None
        if scenario.claimed and scenario.counts != "tokens":
            requests = round(scenario.claimed * scenario.limit)
        if scenario.claimed and scenario.counts_tokens:
            tokens = round(scenario.claimed * self.service.tokens_limit)
        return Client(
            _Line(self, who),
            requests=requests,
            tokens=tokens,
            period=PERIOD,
            name=f"{scenario.name} {who} {id(self)}",
            on_retry=lambda retry: self._say_retry(who, retry),
        )

    def ways(self) -> tuple[float, float]:
        """Return how long the way there takes, and that back: nearly the same."""
        scenario = self.course.scenario
        least = 0.05 if scenario.uneven else 0.9 * scenario.latency
        most = max(least, scenario.latency * (1.0 if scenario.uneven else 1.1))
        return self._rng.uniform(least, most) / 2, self._rng.uniform(least, most) / 2

    def note(self, who: int, role: str, texts: int, error: RequestError | None) -> None:
        """Write down what the service said, and end it all if this goes on for ever."""
        told = None if error is None else error.retry_after
        self.course.sent.append(Sent(now(), who, role, texts, error is None, told))
        if len(self.course.sent) - len(self.course.waits) > self.course.amount + _SPARE_REQUESTS:
            self._over.set()
        if self._trace is not None:
            said = "accepted" if error is None else _said(error)
            self._say(who, f"{role} of {texts}: {said}{self._news_of(who)}")

    def _news_of(self, who: int) -> str:
        """Return what the client believes otherwise than when it was last asked."""
        state = self._clients[who].state()
        known, self._believed[who] = self._believed.get(who, {}), state
        news = [f"{name}={value:g}" for name, value in state.items() if known.get(name) != value]
        news += [f"{name} gone" for name in known if name not in state]
        return f" | {' '.join(news)}" if news else ""

    def _say_retry(self, who: int, retry: Retry) -> None:
        self._say(who, f"{'all wait' if retry.quota else 'waits'} {retry.wait:.3f} s")

    def _say(self, who: int, what: str) -> None:
        if self._trace is not None:
            self._trace(f"{now():10.3f}  p{who}  {what}")


def _said(error: RequestError) -> str:
    """Return what a refusal tells."""
    delay = "" if error.retry_after is None else f", retry in {error.retry_after:.3f} s"
    named = getattr(error, "quota_value", None)
    return f"REFUSED {error.status}{delay}" + ("" if named is None else f", limit {named}")


def _text(number: int, who: int, scenario: Scenario) -> str:
    """Return a text that tells its vector; where tokens count, of about 8, 11 or 14."""
    text = f"{number} {who} "
    if not scenario.counts_tokens and scenario.tokens == 1:
        return text
    return text.ljust(int(TOKENS) + 3 * (number % 3 - 1), "1")  # a digit is a token, and so is " "


def _role_of(text: str) -> str:
    return "query" if text.split(" ", 2)[1] == str(_ASKS) else "document"


def _vector(text: str) -> tuple[float, float]:
    number, who, *_ = text.split(" ", 2)
    return float(number), float(who) + 1


def _check(vectors: NDArray[np.float32], texts: Sequence[str]) -> None:
    expected = np.array([_vector(text) for text in texts], np.float32).reshape(-1, 2)
    assert (vectors == expected).all(), "a text has another's vector"  # noqa: S101 - the row fails
