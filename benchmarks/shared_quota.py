"""`python -m benchmarks.shared_quota`: several processes on one quota, and what it comes to.

Each of four processes sends bulk loads and queries; they share 100 texts in 10 seconds by a file.
The stand-in has the same limit, and its own clock. Shown are the refusals, how much of the quota
was used from the third period on, and how long queries took. With `--kill`, one process is killed
by SIGKILL every ten seconds, and another starts in its place.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.environments import ROOT, clean_environment
from benchmarks.windows import Limit, Use, sent_to, use_of
from gemini_embed import GeminiEmbedder, Quota
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Sequence

PROCESSES = 4
_BULK = 60
_BETWEEN_KILLS = 10.0
_TIMEOUT = 5.0
_PAUSE = 0.01


def main() -> None:
    """Run one process of them, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared_quota", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        _work(*json.loads(given.worker))
    else:
        use = run(given.processes, Limit(), given.seconds, kill=given.kill)
        print(json.dumps(asdict(use), indent=1))


def run(processes: int, limit: Limit, seconds: float, *, kill: bool = False) -> Use:
    """Let so many processes run for so long after the first request; return what it came to."""
    with (
        TemporaryDirectory() as folder,
        Standin(requests=limit.texts, window=limit.period) as server,
    ):
        about = server.url, str(Path(folder, "quota.sqlite3")), limit, processes
        crew = _Crew(json.dumps(about), processes)
        while not server.log:
            time.sleep(_PAUSE)
        until = server.log[0].at + seconds
        chance = random.Random(1)  # noqa: S311 - which one is killed
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _BETWEEN_KILLS))
            if kill and time.monotonic() < until:
                crew.replace(chance.randrange(processes))
        crew.end()
        return use_of(sent_to(server), limit, until, crew.waits)


class _Crew:
    """The processes, and what each query of theirs waited: when it was asked, and how long."""

    def __init__(self, about: str, processes: int) -> None:
        self.waits: list[tuple[float, float]] = []
        self._command = [sys.executable, "-m", "benchmarks.shared_quota", "--worker", about]
        self._readers: list[threading.Thread] = []
        self._workers = [self._start() for _ in range(processes)]

    def replace(self, place: int) -> None:
        """Kill one, and start another in its place."""
        self._workers[place].send_signal(signal.SIGKILL)
        self._workers[place] = self._start()

    def end(self) -> None:
        """Kill all, and read to the end what they said."""
        for worker in self._workers:
            worker.kill()
        for reader in self._readers:
            reader.join()

    def _start(self) -> subprocess.Popen[str]:
        worker = subprocess.Popen(  # noqa: S603 - our own
            self._command,
            cwd=ROOT,
            env=clean_environment() | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._readers.append(threading.Thread(target=self._read, args=(worker,)))
        self._readers[-1].start()
        return worker

    def _read(self, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None  # noqa: S101 - it is a pipe
        with worker:
            for line in worker.stdout:
                with suppress(ValueError):  # half a line of a killed one
                    began, seconds = map(float, line.split())
                    self.waits.append((began, seconds))


def _work(url: str, path: str, limit: Sequence[float], processes: int) -> None:
    """Send loads without end, and a query now and then; print how long each query took."""
    texts, period = limit
    embedder = GeminiEmbedder(
        api_key="k",
        base_url=url,
        output_dimensionality=128,
        timeout=_TIMEOUT,
        quota=Quota(int(texts), period=period, path=path),
    )
    between = processes * period / 10  # of all together, ten in a period
    threading.Thread(target=_ask, args=(embedder, between), daemon=True).start()
    number = 0
    while True:
        load = [f"text {number + i}" for i in range(_BULK)]
        embedder.embed(load, role="document")
        number += _BULK


def _ask(embedder: GeminiEmbedder, between: float) -> None:
    time.sleep(random.uniform(0, between))  # noqa: S311 - not all at once
    while True:
        began = time.monotonic()
        embedder.embed(["a query"], role="query")
        print(began, time.monotonic() - began, flush=True)
        time.sleep(max(0.0, began + between - time.monotonic()))


if __name__ == "__main__":
    main()
