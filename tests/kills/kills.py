"""Kills processes that work a run of a batch API, and looks at what comes of it.

    PYTHONPATH=tests python -m kills.kills --kills 100 --seed 1 --service vertex

Each round is a run of 5,000 texts in four parts. Its process is killed at a random moment, and a
new one goes on, until one comes to the end. Each text then has its own vector, no row was paid
for twice, and nothing is left over: no run in the ledger, no text in a file here or at the service.
Where the list of jobs lags for longer than the run looks for a job, there may be another job of
the same rows: it is found, cancelled and reported. Ends with 1 where it is not so.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from kills import worker

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Collection

    from gemini_embed.models import BackendName
    from gemini_embed.standin import Job, JobFault

_TOO_LONG = 120.0
"""Seconds after which a process is taken to hang."""

_KILLS_OF_A_ROUND = 5
_REQUESTS = 32
"""About how many a run sends that nothing befalls."""

_JOB_TAKES = 25.0
_SHORT_LAG, _LONG_LAG = worker.SETTLE / 2, worker.SETTLE * 10
_FAULTS: list[Collection[JobFault]] = [
    (),
    {"answer-lost"},
    {"late"},
    {"unlisted"},
    {"answer-lost", "unlisted"},
    {"answer-lost", "rows-shuffled"},
]
_FAULTS_OF_VERTEX: list[Collection[JobFault]] = [
    {"paused"},
    {"sharded", "answer-lost"},
    {"full-dimension"},
]
_FAULTS_OF_A_LAG: list[Collection[JobFault]] = [(), {"late"}, {"answer-lost", "unlisted"}]


@dataclass
class Outcome:
    """What all rounds came to."""

    kills: int = 0
    rounds: int = 0
    jobs: int = 0
    duplicates: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.rounds} rounds, {self.jobs} jobs, "
            f"{self.duplicates} duplicates found, {len(self.faults)} faults"
        )


class _Clock:
    """The time of the service, which passes as fast as that of the runs."""

    def __init__(self) -> None:
        self._began = time.time()

    def __call__(self) -> float:
        return self._began + (time.time() - self._began) * worker.SPEED


@dataclass
class _Round:
    """One run, killed and resumed until it is over."""

    server: Standin
    service: BackendName
    clock: _Clock
    folder: Path
    number: int
    rng: random.Random
    kills: int = 0
    before: list[Job] = field(default_factory=list)

    def play(self, most: int) -> None:
        """Kill it up to so many times."""
        self.before = self.server.jobs
        self.server.log.clear()
        lags_long = self.rng.random() < 0.25
        self.server.batch_lag = _LONG_LAG if lags_long else _SHORT_LAG
        usual = _FAULTS + (_FAULTS_OF_VERTEX if self.service == "vertex" else [])
        faults = self.rng.choices(_FAULTS_OF_A_LAG if lags_long else usual, k=worker.PARTS)
        self.server.job_script.clear()
        self.server.job_script.extend(faults)
        for _ in range(most):
            with self._process() as process:
                if self._kill(process):
                    self.kills += 1
                else:
                    return
        with self._process() as process:
            process.wait(_TOO_LONG)

    def _process(self) -> subprocess.Popen[bytes]:
        server = self.server
        given = [self.folder, self.number, server.url, server.batch_lag, self.service]
        command = [sys.executable, worker.__file__, *map(str, given)]
        with (self.folder / "errors").open("ab") as errors:
            return subprocess.Popen(command, stderr=errors)  # noqa: S603 - our own program

    def _kill(self, process: subprocess.Popen[bytes]) -> bool:
        """Kill a process around one of its next requests; tell whether it was still there."""
        sent = len(self.server.log) + self.rng.randrange(1, _REQUESTS)
        deadline = time.monotonic() + _TOO_LONG
        while len(self.server.log) < sent and process.poll() is None:
            if time.monotonic() > deadline:
                break
            time.sleep(0.0005)
        time.sleep(self.rng.choice([0, 0.002, 0.01, 0.05]) * self.rng.random())
        if process.poll() is not None:
            return False
        process.kill()
        process.wait(_TOO_LONG)
        return True

    @property
    def jobs(self) -> list[Job]:
        """The jobs of this round."""
        return [job for job in self.server.jobs if job not in self.before]

    def faults(self) -> list[str]:
        """Return what is not as it must be."""
        try:
            said = json.loads((self.folder / "said.json").read_text())
        except FileNotFoundError:
            return ["no process came to the end: " + (self.folder / "errors").read_text()[-2000:]]
        found = [] if said["state"] == "done" else [f"the run is {said['state']}"]
        found += self._wrong_vectors()
        found += self._paid_twice(said["duplicates"])
        found += self._left_over()
        return found

    def _wrong_vectors(self) -> list[str]:
        vectors = np.load(self.folder / "vectors.npy")
        as_sent = [f"title: none | text: {text}" for text in worker.texts_of(self.number)]
        of = {"model": "gemini-embedding-2", "dimension": worker.DIMENSION}
        right = np.array([self.server.vector(text, **of) for text in as_sent], np.float32)  # type: ignore[arg-type]
        if vectors.shape != right.shape:
            return [f"vectors of shape {vectors.shape}"]
        wrong = int((np.abs(vectors - right).max(axis=1) > 1e-6).sum())
        return [f"{wrong} texts have another vector"] if wrong else []

    def _paid_twice(self, reported: list[str]) -> list[str]:
        """Return what was paid for and should not have been, but for reported duplicates."""
        now, found = self.clock(), []
        wanted = [job for job in self.jobs if job.name not in reported]
        paid = sum((job.paid(now) for job in wanted), Counter[str]())
        again = sum(count - 1 for count in paid.values() if count > 1)
        if again:
            found.append(f"{again} rows were paid for again, and nobody said so")
        if len(paid) != worker.TEXTS:
            found.append(f"{len(paid)} of {worker.TEXTS} rows came from jobs")
        late = [job for job in self.jobs if job.name in reported]
        if late and self.server.batch_lag < worker.SETTLE:
            found.append(f"{len(late)} jobs are there twice, though the list did not lag for long")
        found += [f"{job.name} still runs" for job in late if now < job.ends]
        paths = [one.path for one in self.server.log]
        online = [path for path in paths if path.endswith((":batchEmbedContents", ":embedContent"))]
        return found + ([f"{len(online)} requests were sent online"] if online else [])

    def _left_over(self) -> list[str]:
        found = [f"{path.name} is left" for path in self.folder.glob("*.batch-*")]
        uploaded = [file.name for file in self.server.files if file.path is not None]
        stored = [one.uri for one in self.server.objects]
        found += [f"{name} is left at the service" for name in uploaded + stored]
        with closing(sqlite3.connect(self.folder / "vectors.sqlite3")) as connection:
            (runs,) = connection.execute("SELECT count(*) FROM batch_runs").fetchone()
            jobs = [json.loads(job) for (job,) in connection.execute("SELECT job FROM batch_jobs")]
        # The names of jobs that may still show up are kept for some days, and no more of them.
        left = [job for job in jobs if job["state"] != "abandoned" or job["late"] or job["file"]]
        return found + ([f"{runs} runs and {left} are left in the ledger"] if runs or left else [])


def run(*, kills: int, seed: int, service: BackendName = "gemini") -> Outcome:
    """Play rounds until there were so many kills."""
    outcome = Outcome()
    rng = random.Random(seed)
    clock = _Clock()
    with Standin(clock=clock, batch_seconds=_JOB_TAKES) as server:
        while outcome.kills < kills:
            outcome.rounds += 1
            with tempfile.TemporaryDirectory() as folder:
                played = _Round(server, service, clock, Path(folder), outcome.rounds, rng)
                played.play(min(_KILLS_OF_A_ROUND, kills - outcome.kills))
                faults = played.faults()
                said = Path(folder, "said.json")
                if said.exists():
                    outcome.duplicates += len(json.loads(said.read_text())["duplicates"])
            outcome.kills += played.kills
            outcome.jobs += len(played.jobs)
            outcome.faults += [f"seed {seed}, round {outcome.rounds}: {fault}" for fault in faults]
    return outcome


def main() -> None:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--service", choices=["gemini", "vertex"], default="gemini")
    given = options.parse_args()
    outcome = run(kills=given.kills, seed=given.seed, service=given.service)
    lines = [*outcome.faults[:5], f"kills, {given.service}, seed {given.seed}: {outcome}", ""]
    sys.stdout.write("\n".join(lines))
    sys.exit(bool(outcome.faults))


if __name__ == "__main__":
    main()
