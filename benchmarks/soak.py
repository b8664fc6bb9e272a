"""`python -m benchmarks.soak`: whether a process that embeds all the time grows.

Embeds without a pause against a service that answers at once, and writes down the memory, the
descriptors and the threads of this process at the start and then twenty times.
The exit status is 1 if they grow in the second half: an embedder remembers what it sent in the
last minute, so in two minutes or more it has all it keeps by then.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contestants import Settings, load
from benchmarks.processes import Conversation
from benchmarks.texts import numbered
from benchmarks.worker import memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TEXTS = 2000
"""In one call, sync and async in turn."""

_READINGS = 20
_MIB = 2**20
_MOST_GROWTH = 1.0
"""MiB from the middle of the third quarter to that of the last: an allocator's coming and going."""


@dataclass(frozen=True)
class Reading:
    """This process at one moment.

    Attributes:
        seconds: Since the start.
        texts: Embedded until then.
        mib: Memory held.
        descriptors: Open files and sockets; -1 where the system does not tell.
        threads: Of the process.
        objects: That Python's collector tracks.
    """

    seconds: float
    texts: int
    mib: float
    descriptors: int
    threads: int
    objects: int


def main(argv: Sequence[str] | None = None) -> int:
    """Embed for a while; return 1 if the process grew, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (300)")
    parser.add_argument("--kind", default="core", choices=["core", "langchain", "llamaindex"])
    parser.add_argument("--dimension", type=int, default=128, help="numbers per vector (128)")
    options = parser.parse_args(argv)
    print(" seconds       texts      MiB  descriptors  threads  objects")
    readings = []
    for reading in soak(options.kind, options.seconds, options.dimension):
        readings.append(reading)
        print(
            f"{reading.seconds:8.0f}{reading.texts:12,}{reading.mib:9.1f}{reading.descriptors:13}"
            f"{reading.threads:9}{reading.objects:9,}",
            flush=True,
        )
    grown = growth(readings)
    for name, more in grown.items():
        print(f"{name}: {more:+.1f} from the third quarter to the last")
    return int(has_grown(grown))


def has_grown(grown: dict[str, float]) -> bool:
    """Tell whether it is more than the coming and going of an allocator."""
    return grown["MiB"] > _MOST_GROWTH or grown["descriptors"] > 0 or grown["threads"] > 0


def soak(kind: str, seconds: float, dimension: int) -> Iterator[Reading]:
    """Embed for so many seconds, and yield what the process holds, again and again."""
    build = load(kind)
    service = Conversation(sys.executable, "benchmarks.canned", "{}")
    with service as server, asyncio.Runner() as loop:
        contestant = build(Settings(base_url=server.read(60), dimension=dimension))
        began, texts = time.monotonic(), 0
        for step in range(_READINGS + 1):
            while time.monotonic() - began < seconds * step / _READINGS:
                contestant.documents(numbered(texts, _TEXTS))
                loop.run(contestant.adocuments(numbered(texts + _TEXTS, _TEXTS)))
                contestant.query(f"a query after {texts} texts")
                texts += 2 * _TEXTS + 1
            yield _read(time.monotonic() - began, texts)


def growth(readings: Sequence[Reading]) -> dict[str, float]:
    """Return how much more there is in the last quarter than in the one before, in the middle."""
    quarter = len(readings) // 4
    before, last = readings[-2 * quarter : -quarter], readings[-quarter:]
    return {
        label: statistics.median(getattr(reading, name) for reading in last)
        - statistics.median(getattr(reading, name) for reading in before)
        for label, name in (("MiB", "mib"), ("descriptors", "descriptors"), ("threads", "threads"))
    }


def _read(seconds: float, texts: int) -> Reading:
    gc.collect()
    return Reading(
        seconds=seconds,
        texts=texts,
        mib=memory("VmRSS") / _MIB,
        descriptors=_descriptors(),
        threads=threading.active_count(),
        objects=len(gc.get_objects()),
    )


def _descriptors() -> int:
    folder = Path("/dev/fd" if sys.platform == "darwin" else "/proc/self/fd")
    return len(os.listdir(folder)) if folder.exists() else -1  # noqa: PTH208 - names only


if __name__ == "__main__":
    raise SystemExit(main())
