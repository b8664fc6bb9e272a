"""`python -m benchmarks.worker KIND`: one contestant in a process of its own.

Reads a job as a line of JSON, answers with a line of JSON, until its input ends. So the
processor time and the memory it measures are the contestant's own.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.contestants import Contestant, Settings, load
from benchmarks.texts import numbered, one_by_one

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_TOOLS = ("rich", "trio")
"""What our tools for developing bring, and the HTTP libraries load where it is there, a tenth of a
second long. The environment of the official integrations has none of it, and few users have."""

_BEAT = 0.001
_SETTLED = 0.02
_BYTES_OF_A_FLOAT = 32 + 8  # what its 24 bytes take of the heap, and the pointer in its list


class Worker:
    """Does the jobs for one contestant; keeps one event loop, as a service would."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._runner = asyncio.Runner()
        self._build: Callable[[Settings], Contestant] | None = None
        self._built: dict[str, Contestant] = {}
        self._jobs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "embed": self.embed,
            "queries": self.queries,
            "first-call": self.first_call,
        }

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job; a failure is part of the result."""
        try:
            return self._jobs[job["op"]](job)
        except Exception as error:  # noqa: BLE001 - whatever a contestant raises is a result
            return {"error": named(error)}

    def embed(self, job: dict[str, Any]) -> dict[str, Any]:
        """Embed texts once; measure time, processor time, memory and, if asked, stalls."""
        contestant = self._contestant(job["settings"])
        source = one_by_one if self._kind == "stream" else numbered
        texts: Any = source(job["start"], job["count"])
        is_async, stall, error = job["mode"] == "async", 0.0, None
        vectors: Any = None
        gc.collect()
        before, cpu, began = memory("VmRSS"), time.process_time(), time.perf_counter()
        try:
            if is_async and job.get("heartbeat"):
                vectors, stall = self._runner.run(beside_heartbeat(contestant.adocuments(texts)))
            elif is_async:
                vectors = self._runner.run(contestant.adocuments(texts))
            else:
                vectors = contestant.documents(texts)
        except Exception as raised:  # noqa: BLE001 - a result too
            error = named(raised)
        result = {
            "seconds": time.perf_counter() - began,
            "cpu": time.process_time() - cpu,
            "stall": stall,
            "before": before,
            "peak": memory("VmHWM"),
            "vectors": None if vectors is None else len(vectors),
            "returned": size_of(vectors),
            "error": error,
        }
        if job.get("save") and error is None:
            save(vectors, Path(job["save"]))
        return result

    def queries(self, job: dict[str, Any]) -> dict[str, Any]:
        """Embed single queries, one after the other; return the seconds of each."""
        contestant = self._contestant(job["settings"])
        texts = numbered(job["start"], job["count"])
        if job["mode"] == "async":
            return {"latencies": self._runner.run(_aqueries(contestant, texts)), "error": None}
        latencies = []
        for text in texts:
            began = time.perf_counter()
            contestant.query(text)
            latencies.append(time.perf_counter() - began)
        return {"latencies": latencies, "error": None}

    def first_call(self, job: dict[str, Any]) -> dict[str, Any]:
        """Build the contestant and embed a query, in a loop that runs; its module is imported."""
        began = time.perf_counter()
        build = load(self._kind)
        imported = time.perf_counter() - began
        settings = Settings(**job["settings"])

        async def first() -> float:
            began = time.perf_counter()
            await build(settings).aquery("the first of all texts")
            return time.perf_counter() - began

        call, stall = self._runner.run(beside_heartbeat(first()))
        return {"import": imported, "call": call, "stall": stall, "error": None}

    def _contestant(self, settings: dict[str, Any]) -> Contestant:
        key = json.dumps(settings, sort_keys=True)
        if key not in self._built:
            if self._build is None:
                self._build = load(self._kind)
            self._built[key] = self._build(Settings(**settings))
        return self._built[key]


async def beside_heartbeat(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Await work; return also the longest time that a 1 ms heartbeat was held up meanwhile."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_BEAT)
            now = time.perf_counter()
            longest = max(longest, now - last - _BEAT)
            last = now

    heartbeat = asyncio.create_task(beat())
    await asyncio.sleep(_SETTLED)
    try:
        result = await work
        await asyncio.sleep(_SETTLED)  # lets the heartbeat see the end of a stall
    finally:
        heartbeat.cancel()
    return result, longest


async def _aqueries(contestant: Contestant, texts: list[str]) -> list[float]:
    latencies = []
    for text in texts:
        began = time.perf_counter()
        await contestant.aquery(text)
        latencies.append(time.perf_counter() - began)
    return latencies


def memory(name: str) -> int:
    """Return a figure of this process in bytes: `VmRSS` now, `VmHWM` the highest so far.

    Linux counts the parent's memory into a child's `ru_maxrss`, so /proc is asked first.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def size_of(vectors: Any) -> int:
    """Return the bytes of what was returned: a numpy array's, or those of lists of floats."""
    if vectors is None:
        return 0
    if hasattr(vectors, "nbytes"):
        return int(vectors.nbytes)
    return sum(len(vector) for vector in vectors) * _BYTES_OF_A_FLOAT


def save(vectors: Any, path: Path) -> None:
    """Keep the vectors for the one who checks them."""
    numpy: Any = importlib.import_module("numpy")
    with path.open("wb") as file:
        numpy.save(file, numpy.asarray(vectors, dtype="float32"))


def named(error: BaseException) -> str:
    """Return the kind of an error, with the HTTP status if it tells one; never its text."""
    causes = (error, error.__cause__)
    codes = (getattr(one, name, None) for one in causes for name in ("status", "code"))
    status = next((code for code in codes if isinstance(code, int)), None)
    return type(error).__name__ + (f" ({status})" if status is not None else "")


def main() -> None:
    """Answer jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a contestant prints must not mix with the answers
    sys.modules |= dict.fromkeys(_TOOLS)  # type: ignore[arg-type] # as if they were not there
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        answers.write(json.dumps(worker.do(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
