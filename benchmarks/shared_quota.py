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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gemini_embed import GeminiEmbedder, Quota
from gemini_embed.standin import Standin

LIMIT, PERIOD, PROCESSES = 100, 10.0, 4
_SETTLING = 2 * PERIOD
"""Seconds at the beginning that are told apart."""

_BULK = 60
_BETWEEN_QUERIES = 4.0
_BETWEEN_KILLS = 10.0
_TIMEOUT = 5.0


def main() -> None:
    """Run one process of them, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared_quota", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--worker", nargs=2, metavar=("URL", "PATH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        _work(*given.worker)
    else:
        print(json.dumps(run(given.seconds, kill=given.kill), indent=1))


def run(seconds: float, *, kill: bool) -> dict[str, Any]:
    """Let all processes run for so long; return what it came to."""
    with TemporaryDirectory() as folder, Standin(requests=LIMIT, window=PERIOD) as server:
        command = [sys.executable, "-m", "benchmarks.shared_quota", "--worker", server.url]
        command.append(str(Path(folder) / "quota.sqlite3"))
        workers = [_started(command) for _ in range(PROCESSES)]
        waits: list[tuple[float, float]] = []
        readers = [threading.Thread(target=_read, args=(one, waits)) for one in workers]
        for reader in readers:
            reader.start()
        until = time.monotonic() + seconds
        chance = random.Random(1)  # noqa: S311 - which one is killed
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _BETWEEN_KILLS))
            if kill and time.monotonic() < until:
                place = chance.randrange(PROCESSES)
                workers[place].send_signal(signal.SIGKILL)
                workers[place] = _started(command)
                readers.append(threading.Thread(target=_read, args=(workers[place], waits)))
                readers[-1].start()
        for worker in workers:
            worker.kill()
        for reader in readers:
            reader.join()
        sent = [(one.at, len(one.body["requests"]), one.status) for one in server.log if one.body]
    return _told(sent, waits, until)


def _started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


def _read(worker: subprocess.Popen[str], waits: list[tuple[float, float]]) -> None:
    assert worker.stdout is not None  # noqa: S101 - it is a pipe
    for line in worker.stdout:
        with suppress(ValueError):  # half a line of a killed one
            began, seconds = map(float, line.split())
            waits.append((began, seconds))
    worker.wait()


def _told(
    sent: list[tuple[float, int, int]], waits: list[tuple[float, float]], until: float
) -> dict[str, Any]:
    begins = sent[0][0] + _SETTLING
    counted = [(at, texts) for at, texts, status in sent if status == 200]  # noqa: PLR2004 - HTTP's
    used = sum(texts for at, texts in counted if begins <= at < until)
    most = max(
        sum(texts for at, texts in counted if start <= at < start + PERIOD) for start, _ in counted
    )
    ordered = sorted(seconds for began, seconds in waits if began >= begins)
    return {
        "refused": [round(at - sent[0][0], 2) for at, _, status in sent if status == 429],  # noqa: PLR2004 - likewise
        "most in a window": most,
        "used": round(used / (LIMIT * (until - begins) / PERIOD), 4),
        "queries": len(ordered),
        "query p50": round(ordered[len(ordered) // 2], 2) if ordered else None,
        "query p99": round(ordered[int(0.99 * len(ordered))], 2) if ordered else None,
        "query longest": round(ordered[-1], 2) if ordered else None,
    }


def _work(url: str, path: str) -> None:
    """Send loads without end, and a query now and then; print how long each query took."""
    embedder = GeminiEmbedder(
        api_key="k",
        base_url=url,
        output_dimensionality=128,
        timeout=_TIMEOUT,
        quota=Quota(LIMIT, period=PERIOD, path=path),
    )
    threading.Thread(target=_ask, args=(embedder,), daemon=True).start()
    number = 0
    while True:
        texts = [f"text {number + i}" for i in range(_BULK)]
        embedder.embed(texts, role="document")
        number += _BULK


def _ask(embedder: GeminiEmbedder) -> None:
    time.sleep(random.uniform(0, _BETWEEN_QUERIES))  # noqa: S311 - not all at once
    while True:
        began = time.monotonic()
        embedder.embed(["a query"], role="query")
        print(began, time.monotonic() - began, flush=True)
        time.sleep(max(0.0, began + _BETWEEN_QUERIES - time.monotonic()))


if __name__ == "__main__":
    main()
