"""What can go wrong with a job of the stand-in's Vertex AI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from standin.batching import NEW, Clock
from standin.vertex_batching import VertexCaller, rows

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from standin.conftest import Fetch

    from gemini_embed.standin import JobFault

TEXTS = [f"text {i}" for i in range(30)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[Standin]:
    with Standin(batch_seconds=100, batch_lag=60, clock=clock) as running:
        yield running


@pytest.fixture
def caller(server: Standin, fetch: Fetch) -> VertexCaller:
    return VertexCaller(server, fetch)


def ended(caller: VertexCaller, clock: Clock, faults: Collection[JobFault]) -> str:
    """Return a job that has met these faults, and is over."""
    caller.server.job_script.append(faults)
    job = caller.created(TEXTS)
    clock.now += 100
    return job


def test_creations(server: Standin, caller: VertexCaller, clock: Clock) -> None:
    """It may be refused, or the answer be lost, or the job come late, or be listed late."""
    server.job_script.extend([{"refused"}, {"answer-lost"}, {"late"}, {"unlisted"}])
    source = caller.put(rows(TEXTS))
    assert caller.create(source)[0] == 429
    for name in ("lost", "late"):
        with pytest.raises(ConnectionError):
            caller.create(source, name=name)
    assert caller.create(source, name="unlisted")[0] == 200
    assert caller.names() == ["lost"]
    clock.now += 60
    assert sorted(caller.names()) == ["late", "lost", "unlisted"]


def test_a_late_creation_without_its_input(
    server: Standin, caller: VertexCaller, clock: Clock, fetch: Fetch
) -> None:
    """The job comes about all the same; it fails, and costs nothing."""
    server.job_script.append({"late"})
    with pytest.raises(ConnectionError):
        caller.create(caller.put(rows(TEXTS)))
    url = f"{server.url}/storage/v1/b/my-bucket/o/in%2Finput.jsonl"
    fetch(url, key=None, method="DELETE", headers={"Authorization": "Bearer t"})
    clock.now += 60
    (job,) = caller.get(caller.place)["batchPredictionJobs"]
    assert job["state"] == "JOB_STATE_PENDING"
    clock.now += 10
    assert caller.state(job["name"]) == "FAILED"
    assert server.paid() == {}


@pytest.mark.parametrize(("fault", "state"), [("failed", "FAILED"), ("expired", "EXPIRED")])
def test_no_results(
    server: Standin, caller: VertexCaller, clock: Clock, fault: JobFault, state: str
) -> None:
    """A job that comes to nothing has an error, and costs nothing."""
    job = caller.get(ended(caller, clock, {fault}))
    assert job["state"] == f"JOB_STATE_{state}"
    assert job["error"]["code"]
    assert "outputInfo" not in job
    assert server.paid() == {}


def test_partly(server: Standin, caller: VertexCaller, clock: Clock) -> None:
    """Some rows are not in the results, and were not paid for."""
    job = ended(caller, clock, {"partly"})
    told = caller.get(job)
    assert told["state"] == "JOB_STATE_PARTIALLY_SUCCEEDED"
    assert told["completionStats"] == {"successfulCount": "27", "failedCount": "3"}
    there = [one["key"] for one in caller.results(job)]
    assert (len(there), server.paid()) == (27, dict.fromkeys(there, 1))


def test_paused(server: Standin, caller: VertexCaller, clock: Clock) -> None:
    """A job stands still for a while, and goes on."""
    server.job_script.append({"paused"})
    job = caller.created(TEXTS)
    states = []
    for seconds in (30, 20, 20, 30):
        clock.now += seconds
        states.append(caller.state(job))
    assert states == ["RUNNING", "PAUSED", "RUNNING", "SUCCEEDED"]


def test_results_in_several_files(caller: VertexCaller, clock: Clock) -> None:
    """They hold every row once, one of them none; what was done halfway is there once more."""
    files = caller.files(ended(caller, clock, {"sharded", "rows-shuffled"}))
    halfway = files.pop("incremental_predictions.jsonl")
    assert list(files) == [f"predictions.jsonl-0000{i}-of-00003" for i in range(3)]
    assert [len(lines) for lines in files.values()] == [15, 0, 15]
    keys = [line["key"] for lines in files.values() for line in lines]
    assert sorted(keys) == sorted(TEXTS)
    assert keys != TEXTS
    assert [line["key"] for line in halfway] == keys[:15]


def test_rows_are_missing_wrong_or_failed(caller: VertexCaller, clock: Clock) -> None:
    """The faults of rows are those of the Gemini API."""
    assert len(caller.results(ended(caller, clock, {"rows-missing"}))) == 27
    failed = caller.results(ended(caller, clock, {"rows-failed"}))
    assert [one["response"] for one in failed if one["status"]] == [{}] * 3
    spoiled = caller.results(ended(caller, clock, {"rows-spoiled"}))
    vectors = [one["response"]["embedding"].get("values", []) for one in spoiled]
    assert sum(len(vector) != 64 or any(map(math.isnan, vector)) for vector in vectors) == 3


def test_full_dimension(server: Standin, caller: VertexCaller, clock: Clock) -> None:
    """Each vector has all numbers of the model, whatever was asked for."""
    job = ended(caller, clock, {"full-dimension"})
    for text, one in zip(TEXTS, caller.results(job), strict=True):
        assert one["response"]["embedding"]["values"] == server.vector(text, model=NEW)
