"""`python -m benchmarks.quotas.real`: loads over HTTP, on the real clock, at such services.

Each row is one call, without an error if all is well, of an embedder that knows nothing of the
limit. The stand-in counts as the service does, and every vector is compared with its own. Rows
run at the same time, since they mostly wait. Prints Markdown.
"""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from benchmarks.environments import machine
from benchmarks.quotas.scenarios import BATCH, ServiceKind
from benchmarks.quotas.services import counter_of, violation
from benchmarks.report import table_lines
from benchmarks.results import Table
from gemini_embed import GeminiEmbedder, GeminiEmbedError
from gemini_embed.standin import Standin
from gemini_embed.standin.model_quota import OverQuota

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.quotas.counters import Counter

Told = Literal["named", "delay", "nothing"]
"""What a refusal tells: limit and delay, the delay only, or nothing."""

LIMIT, PERIOD = 300, 5.0
MINUTE = 60.0
LATENCY = 0.05
AMOUNTS = (1500, 4500)
KINDS: tuple[ServiceKind, ...] = (
    "sliding",
    "fixed",
    "bucket",
    "bucket-tenth",
    "bucket-small",
    "gcra-one",
    "gcra-small",
)
_MODEL, _DIMENSION = "gemini-embedding-2", 128
_LEAST = 5
"""Texts that the ideal client waits for: the smallest bucket holds no more."""


_COLUMNS = ("", "share of the ideal", "seconds", "refused requests", "refused texts", "outcome")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A load at a service.

    Attributes:
        kind: How the service counts.
        told: What its refusals tell.
        amount: Texts.
        limit: Texts in a period.
        period: Seconds.
        batch: Texts in a request at most.
    """

    kind: ServiceKind
    told: Told
    amount: int
    limit: int = LIMIT
    period: float = PERIOD
    batch: int = BATCH

    @property
    def name(self) -> str:
        """What it is told from others by."""
        return f"{self.amount:,} texts, {self.kind}, told={self.told}"

    def counter(self) -> Counter:
        """Return what counts, with nothing counted yet."""
        return counter_of(self.kind, self.limit, self.period)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What became of a row.

    Attributes:
        seconds: Until the call ended.
        ideal: Seconds that the best client needs, which knows all, at no distance.
        requests: That were sent.
        refused: Requests that were refused.
        refused_texts: Texts in them.
        right: Texts that got their own vector.
        error: What the call ended in, if in an error.
    """

    seconds: float
    ideal: float
    requests: int
    refused: int
    refused_texts: int
    right: int
    error: str | None


class Counted:
    """A quota for the stand-in that counts as a service does; its clock begins with a request.

    What it names is what it counts: the texts of its window, or, where it has none, of a minute.
    """

    counts_tokens = False

    def __init__(self, row: Row) -> None:
        self._counter, self._told = row.counter(), row.told
        has_window = row.kind in ("sliding", "fixed")
        self._named = row.limit if has_window else MINUTE * self._counter.rate
        self._began: float | None = None
        self.requests = self.refused = self.refused_texts = 0

    def take(self, texts: int, tokens: int, now: float, today: int = 0) -> OverQuota | None:  # noqa: ARG002 - the protocol's
        """Count a batch and return None, or leave it uncounted and return why."""
        self._began = now if self._began is None else self._began
        self.requests += 1
        if self._counter.room(now - self._began) >= texts:
            self._counter.take(texts, now - self._began)
            return None
        self.refused += 1
        self.refused_texts += texts
        delay = self._counter.delay(texts, now - self._began)
        known = [violation("RequestsPerMinute", self._named)]
        return OverQuota(known, None if self._told == "nothing" else delay)


def ideal_seconds(row: Row) -> float:
    """Return when the best client's last request leaves."""
    counter, now, left = row.counter(), 0.0, row.amount
    while True:
        texts = int(min(counter.room(now), row.batch, left))
        if texts:
            counter.take(texts, now)
            left -= texts
        if not left:
            return now
        now += counter.delay(min(_LEAST, left), now)


def measure(row: Row) -> Found:
    """Run one row: it takes its time."""
    quota = Counted(row)
    texts = [f"text {number} of a load" for number in range(row.amount)]
    with Standin(
        latency=LATENCY, quota=lambda: quota, silent_quota=row.told == "delay", keep_log=False
    ) as service:
        embedder = GeminiEmbedder(
            model=_MODEL,
            api_key="k",
            base_url=service.url,
            output_dimensionality=_DIMENSION,
            batch_size=row.batch,
        )
        began, error = time.monotonic(), None
        try:
            vectors = dict(enumerate(embedder.embed(texts, role="document").vectors))
        except GeminiEmbedError as failed:
            error, vectors = type(failed).__name__, dict(failed.partial)
        seconds = time.monotonic() - began
        embedder.close()
        right = sum(
            np.array_equal(vector, _vector(service, texts[index]))
            for index, vector in vectors.items()
        )
    return Found(
        seconds=seconds,
        ideal=ideal_seconds(row),
        requests=quota.requests,
        refused=quota.refused,
        refused_texts=quota.refused_texts,
        right=right,
        error=error,
    )


def _vector(service: Standin, text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    numbers = service.vector(f"title: none | text: {text}", model=_MODEL, dimension=_DIMENSION)
    return np.array(numbers, np.float32)


def report(rows: Sequence[Row], found: Sequence[Found], at_once: int) -> str:
    """Return the figures of all rows, and how they came about, as Markdown."""
    how = (
        f"{dt.datetime.now(dt.UTC).date()}. {machine()}. The service takes {LIMIT} texts in "
        f"{PERIOD:g} s and {1000 * LATENCY:g} ms for a request; the client knows nothing of the "
        f"limit. {at_once} rows at a time, each in a process with a stand-in of its own; one run. "
        "The ideal client knows all, and is at no distance."
    )
    return "\n".join(("# Quotas over HTTP", "", how, "", *table_lines(_table(rows, found))))


def _table(rows: Sequence[Row], found: Sequence[Found]) -> Table:
    lines = [(row.name, *_cells(row, one)) for row, one in zip(rows, found, strict=True)]
    return Table("", _COLUMNS, lines)


def _cells(row: Row, found: Found) -> tuple[str, ...]:
    share = 0.0 if found.error else found.ideal / found.seconds
    outcome = found.error or ("done" if found.right == row.amount else "WRONG VECTORS")
    return (
        f"{share:.3f}",
        f"{found.seconds:.1f}",
        f"{found.refused} of {found.requests}",
        f"{found.refused_texts:,}",
        outcome,
    )


def _warm_up() -> None:
    """Import what is imported late, before the clock runs; in a process that runs rows."""
    logging.getLogger("gemini_embed").disabled = True  # each row waits, and says so
    measure(Row(kind="bucket", told="delay", amount=1))


def _told(row: Row) -> Found:
    """Run one row, and tell on standard error that it is done."""
    found = measure(row)
    print(row.name, *_cells(row, found), sep="  ", file=sys.stderr)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows; return the exit status: 0 if every text got its own vector."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quotas.real", description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--at-once", type=int, default=7, help="rows that run at the same time")
    options = parser.parse_args(argv)
    every = [
        Row(kind=kind, told=told, amount=amount)
        for amount in AMOUNTS
        for told in get_args(Told)
        for kind in KINDS
    ]
    rows = [row for row in every if options.only in row.name]
    with ProcessPoolExecutor(options.at_once, initializer=_warm_up) as pool:
        found = list(pool.map(_told, rows))
    print(report(rows, found, options.at_once))
    return int(any(one.right < row.amount for row, one in zip(rows, found, strict=True)))


if __name__ == "__main__":
    raise SystemExit(main())
