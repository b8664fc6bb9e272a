"""Whatever goes wrong with a run's jobs: each text gets its own vector, or an error names it."""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from batch.standing import (
    DIMENSION,
    SETTLE,
    SPEED,
    TEXTS,
    embedder,
    left_over,
    paid_twice,
    right,
    sent_online,
    standing,
)

import gemini_embed as ge
from gemini_embed.standin.batch_faults import JOB_FAULTS, OF_VERTEX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from gemini_embed.models import BackendName
    from gemini_embed.standin import JobFault, Scripted, Standin

SERVICES: list[BackendName] = ["gemini", "vertex"]

WITHOUT_VECTORS: set[JobFault] = {"failed", "rows-missing", "rows-failed", "rows-spoiled"}
"""After these some texts have no vector, and another job would not bring one."""


@pytest.fixture
def server() -> Iterator[Standin]:
    with standing() as running:
        yield running


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> BackendName:
    """Return each of the services by turns."""
    found: BackendName = request.param
    return found


def met_by(service: BackendName) -> set[JobFault]:
    """Return the faults that a job of a service can meet."""
    return set(JOB_FAULTS) - (OF_VERTEX if service == "gemini" else set())


def equal(vectors: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    return vectors.shape == expected.shape and bool(np.allclose(vectors, expected, atol=1e-6))


def test_nothing_goes_wrong(server: Standin, service: BackendName, tmp_path: Path) -> None:
    """A run costs one row for each text, nothing at full price, and leaves nothing behind."""
    with embedder(server, tmp_path, service) as mine:
        run = mine.batch(TEXTS, role="document")
        assert run.wait().state == "done"
        assert equal(run.result().vectors, right(server, TEXTS))
        run.clean()
        assert mine.batches() == []

    assert len(server.jobs) == 3
    assert all(job.deleted for job in server.jobs)
    assert server.paid() == {f"title: none | text: {text}": 1 for text in TEXTS}
    assert sent_online(server) == []
    assert left_over(server) == []
    assert list(tmp_path.glob("*.batch-*")) == []


@pytest.mark.parametrize(
    ("service", "fault"), [(one, fault) for one in SERVICES for fault in sorted(met_by(one))]
)
def test_each_fault_of_a_job(
    server: Standin, tmp_path: Path, service: BackendName, fault: JobFault
) -> None:
    """Each text has its vector in the end; only what no job brings is sent at full price, once."""
    server.batch_lag = SETTLE / 2
    server.job_script.append({fault})
    with embedder(server, tmp_path, service) as mine:
        run = mine.batch(TEXTS, role="document")
        status = run.wait()
        assert equal(run.result().vectors, right(server, TEXTS))

    assert (status.state, status.failed, status.duplicates) == ("done", 0, ())
    again = sent_online(server)
    assert len(again) == len(set(again)) < len(TEXTS)
    assert bool(again) == (fault in WITHOUT_VECTORS | {"partly"})
    assert paid_twice(server) == []
    assert left_over(server) == []


@pytest.mark.parametrize("fault", sorted(WITHOUT_VECTORS))
def test_no_full_price_where_it_is_not_wanted(
    server: Standin, service: BackendName, tmp_path: Path, fault: JobFault
) -> None:
    """With `batch_fallback="error"` the error names the texts, and holds all that was finished."""
    server.job_script.extend([(), {fault}])
    with embedder(server, tmp_path, service, batch_fallback="error") as mine:
        run = mine.batch(TEXTS, role="document")
        status = run.wait()
        with pytest.raises(ge.BatchFailedError) as caught:
            run.result()

    error = caught.value
    finished = [i for i in range(len(TEXTS)) if i not in error.indexes]
    assert error.run == run.id
    assert 0 < len(error.indexes) == status.failed < len(TEXTS)
    assert sorted(error.partial) == finished
    assert equal(np.array([error.partial[i] for i in finished]), right(server, TEXTS)[finished])
    assert sent_online(server) == []


def test_what_was_finished_is_in_the_cache(server: Standin, tmp_path: Path) -> None:
    """After a run that failed, embedding the same texts online pays for the missing ones alone."""
    server.job_script.append({"rows-failed"})
    with embedder(server, tmp_path, batch_fallback="error") as mine:
        run = mine.batch(TEXTS, role="document")
        run.wait()
        with pytest.raises(ge.BatchFailedError) as caught:
            run.result()
        result = mine.embed(TEXTS, role="document")

    assert equal(result.vectors, right(server, TEXTS))
    assert sent_online(server) == [TEXTS[i] for i in caught.value.indexes]


def test_a_job_that_was_never_heard_of_is_not_created_twice(
    server: Standin, tmp_path: Path
) -> None:
    """It is looked for; then its input is deleted, so that it cannot be created any more."""
    server.batch_lag = 4 * SETTLE
    server.job_script.append({"late"})
    with embedder(server, tmp_path) as mine:
        run = mine.batch(TEXTS, role="document")
        run.wait()
        assert equal(run.result().vectors, right(server, TEXTS))
        time.sleep(5 * SETTLE / SPEED)
        (status,) = mine.batches()

    assert len(server.jobs) == 3
    assert status.duplicates == ()
    assert paid_twice(server) == []
    names = [one.body["batch"]["displayName"] for one in server.log if "async" in one.path]
    assert len(names) == len(set(names)) == 4


def test_a_job_that_shows_up_too_late_is_cancelled_and_reported(
    server: Standin, service: BackendName, tmp_path: Path
) -> None:
    """Where the list lags for longer than the run looks, a second job takes the texts."""
    server.batch_lag = 6 * SETTLE
    server.job_script.append({"answer-lost", "unlisted"})
    with embedder(server, tmp_path, service) as mine:
        run = mine.batch(TEXTS[:20], role="document")
        run.submit()
        server.jobs[0].seconds = 1e6
        run.wait()
        assert equal(run.result().vectors, right(server, TEXTS[:20]))
        time.sleep(6 * SETTLE / SPEED)
        with pytest.warns(UserWarning, match="so late that another job"):
            (status,) = mine.batches()
        late, other = server.jobs
        assert status.duplicates == (late.name,)
        assert late.cancelled is not None
        assert mine.batches() == [status]
    assert other.cancelled is None
    assert sorted(server.paid()) == sorted(f"title: none | text: {text}" for text in TEXTS[:20])
    assert paid_twice(server) == []


def test_expired_jobs_are_halved_once_and_then_sent_online(
    server: Standin, service: BackendName, tmp_path: Path
) -> None:
    """Two smaller jobs take the texts of one that expired; what expires again is sent online."""
    server.job_script.extend([{"expired"}, {"expired"}])
    with embedder(server, tmp_path, service, batch_tokens=100_000) as mine:
        run = mine.batch(TEXTS, role="document")
        run.wait()
        assert equal(run.result().vectors, right(server, TEXTS))

    assert [job.rows for job in server.jobs] == [60, 30, 30]
    assert sorted(sent_online(server)) == sorted(TEXTS[:30])


def test_a_job_that_is_refused_again_and_again_is_made_smaller(
    server: Standin, tmp_path: Path
) -> None:
    """A 429 without a number may mean that the job is too large for what the key may enqueue."""
    for _ in range(3):
        server.job_script.append({"refused"})
    with embedder(server, tmp_path, batch_tokens=1_000) as mine:
        run = mine.batch(TEXTS, role="document")
        run.wait()
        assert equal(run.result().vectors, right(server, TEXTS))

    assert [job.rows for job in server.jobs] == [30, 30]
    assert sent_online(server) == []


def test_jobs_wait_for_room(tmp_path: Path) -> None:
    """No more tokens are enqueued than the key may have, though the embedder does not know it."""
    with standing(batch_tokens=400) as server, embedder(server, tmp_path) as mine:
        run = mine.batch(TEXTS * 2 + [f"more {i}" for i in range(60)], role="document")
        run.wait()
        assert run.result().vectors.shape[0] == 180
        assert sent_online(server) == []
        assert paid_twice(server) == []


def outcome(run: ge.BatchRun[ge.EmbeddingResult]) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """Return a vector for each text, zeros for those that have none, and which these are."""
    try:
        return run.result().vectors, ()
    except ge.BatchFailedError as error:
        there = {i: error.partial.get(i) for i in range(len(TEXTS)) if i not in error.indexes}
        vectors = [there.get(i, np.zeros(DIMENSION)) for i in range(len(TEXTS))]
        return np.array(vectors, np.float32), error.indexes


REQUESTS: dict[BackendName, int] = {"gemini": 6, "vertex": 9}
"""About how many requests a run of one job takes."""

TROUBLE: list[Scripted] = ["503", "reset", "500", "html", "not-json", "half"]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_with_each_request(
    server: Standin, service: BackendName, tmp_path: Path, trouble: Scripted
) -> None:
    """Uploads, looks, downloads and deletions are repeated; a creation is not repeated blindly."""
    for place in range(REQUESTS[service]):
        server.other_script.extend(itertools.repeat(None, place))
        server.other_script.append(trouble)
        texts = [f"{text}, trouble at {place}" for text in TEXTS[:20]]
        with embedder(server, tmp_path, service) as mine:
            run = mine.batch(texts, role="document")
            run.wait()
            assert equal(run.result().vectors, right(server, texts))
        server.other_script.clear()

    assert paid_twice(server) == []
    assert sent_online(server) == []
    assert left_over(server) == []


@pytest.mark.parametrize("fallback", ["online", "error"])
@pytest.mark.parametrize("seed", range(4))
def test_all_faults_mixed(tmp_path: Path, service: BackendName, seed: int, fallback: str) -> None:
    """Each text has its own vector, or the error names it and holds all the others."""
    rng = random.Random(seed)  # noqa: S311 - any moments
    shares: dict[JobFault, float] = dict.fromkeys(JOB_FAULTS, 0.15)
    # A job that comes late may be listed late as well: both times together are shorter than the run
    # looks for it.
    with standing(batch_faults=shares, batch_lag=SETTLE / 3, seed=seed) as server:
        for _ in range(12):
            server.other_script.extend(itertools.repeat(None, rng.randrange(8)))
            server.other_script.append(rng.choice(TROUBLE))
        with embedder(server, tmp_path, service, batch_fallback=fallback) as mine:
            run = mine.batch(TEXTS, role="document")
            status = run.wait()
            vectors, missing = outcome(run)
        expected = right(server, TEXTS)
        expected[list(missing)] = 0
        assert equal(vectors, expected)
        assert status.duplicates == ()
        assert not missing or fallback == "error"
        assert paid_twice(server) == []
        assert left_over(server) == []


KEY = "AIza-a-key-of-39-letters-that-is-secret"
FAILED = {"state": "BATCH_STATE_FAILED"}
SAID: dict[str, list[Scripted]] = {
    "job": [
        (200, {"name": "batches/a", "metadata": FAILED, "error": {"code": 7, "message": KEY}}, {})
    ],
    "row": [
        (
            200,
            {
                "name": "batches/a",
                "metadata": {
                    "state": "BATCH_STATE_SUCCEEDED",
                    "output": {
                        "inlinedResponses": {
                            "inlinedResponses": [
                                {"metadata": {"key": "x"}, "error": {"code": 7, "message": KEY}}
                            ]
                        }
                    },
                },
            },
            {},
        )
    ]
    * 8,
}


@pytest.mark.parametrize("what", SAID)
def test_no_key_is_shown_that_the_service_repeats(
    server: Standin, tmp_path: Path, what: str
) -> None:
    """Neither in the error nor in the status, and so not in the ledger."""
    server.other_script.extend([None, None, None, *SAID[what]])
    with embedder(server, tmp_path, api_key=KEY, batch_fallback="error") as mine:
        run = mine.batch(TEXTS[:1], role="document")
        status = run.wait()
        with pytest.raises(ge.BatchFailedError, match=r"\[secret\]") as caught:
            run.result()
    assert KEY not in f"{caught.value!r} {status!r}"
