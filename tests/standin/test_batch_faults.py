"""What can go wrong with a job of the stand-in's Batch API."""

from __future__ import annotations

import http.client
import math
from typing import TYPE_CHECKING

import pytest
from standin.batching import NEW, Caller, Clock, rows

from gemini_embed.standin import Standin
from gemini_embed.standin.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standin.batching import Fetch

TEXTS = [f"text {i}" for i in range(30)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[Standin]:
    with Standin(batch_seconds=100, batch_lag=60, clock=clock) as running:
        yield running


@pytest.fixture
def caller(server: Standin, fetch: Fetch) -> Caller:
    return Caller(server, fetch)


def names(caller: Caller) -> list[str]:
    return [one["metadata"]["displayName"] for one in caller.get("batches").get("operations", [])]


def test_refused(server: Standin, caller: Caller) -> None:
    """429 without a number or a delay, and no job; the next try may succeed."""
    server.job_script.append({"refused"})
    file = caller.upload(rows(TEXTS))
    status, refused = caller.create(file)
    assert status == 429
    assert {one["@type"].rpartition(".")[2] for one in refused["error"]["details"]} == {"Help"}
    assert server.jobs == []
    assert caller.create(file)[0] == 200


def test_the_answer_is_lost(server: Standin, caller: Caller) -> None:
    """The caller hears nothing, and the job is there."""
    server.job_script.append({"answer-lost"})
    file = caller.upload(rows(TEXTS))
    with pytest.raises(ConnectionError):
        caller.create(file, name="mine")
    assert names(caller) == ["mine"]


def test_the_list_lags(server: Standin, caller: Caller, clock: Clock) -> None:
    """A job is not in the list at first, though it can be asked for."""
    server.job_script.append({"unlisted"})
    job = caller.created(TEXTS, name="mine")
    assert names(caller) == []
    assert caller.state(job) == "PENDING"
    clock.now += 60
    assert names(caller) == ["mine"]


def test_a_late_creation(server: Standin, caller: Caller, clock: Clock) -> None:
    """A job that nobody heard of is created later on."""
    server.job_script.append({"late"})
    with pytest.raises(ConnectionError):
        caller.create(caller.upload(rows(TEXTS)), name="mine")
    clock.now += 59
    assert names(caller) == []
    clock.now += 1
    assert names(caller) == ["mine"]
    assert server.jobs[0].created == clock.now


def test_a_late_creation_without_its_file(server: Standin, caller: Caller, clock: Clock) -> None:
    """Who deletes the input file prevents a job that has not been created yet."""
    server.job_script.append({"late"})
    file = caller.upload(rows(TEXTS))
    with pytest.raises(ConnectionError):
        caller.create(file)
    caller.ask(file, method="DELETE")
    clock.now += 1000
    assert names(caller) == []
    assert server.jobs == []


def test_slow(server: Standin, caller: Caller, clock: Clock) -> None:
    """Ten times as long."""
    server.job_script.append({"slow"})
    job = caller.created(TEXTS)
    clock.now += 999
    assert caller.state(job) == "RUNNING"
    clock.now += 1
    assert caller.state(job) == "SUCCEEDED"


@pytest.mark.parametrize("fault", ["expired", "failed"])
def test_no_results(server: Standin, caller: Caller, clock: Clock, fault: str) -> None:
    """A job that comes to nothing has an error in the place of results, and costs nothing."""
    server.job_script.append({"expired"} if fault == "expired" else {"failed"})
    job = caller.created(TEXTS)
    clock.now += 100
    ended = caller.get(job)
    assert ended["metadata"]["state"] == f"BATCH_STATE_{fault.upper()}"
    assert ended["done"] is True
    assert ended["error"]["message"]
    assert "response" not in ended
    assert server.paid() == {}


def test_rows_are_missing(server: Standin, caller: Caller, clock: Clock) -> None:
    """The results lack rows that were paid for, and the counts tell nothing of it."""
    server.job_script.append({"rows-missing"})
    job = caller.created(TEXTS)
    clock.now += 100
    there = [one["key"] for one in caller.results(job)]
    assert len(there) == 27
    assert there == [text for text in TEXTS if text in there]
    assert caller.get(job)["metadata"]["batchStats"]["successfulRequestCount"] == "30"
    assert server.paid() == dict.fromkeys(TEXTS, 1)


def test_rows_are_out_of_order(server: Standin, caller: Caller, clock: Clock) -> None:
    """The results are there, in another order, which is the same in every download."""
    server.job_script.append({"rows-shuffled"})
    job = caller.created(TEXTS)
    clock.now += 100
    results = caller.results(job)
    assert [one["key"] for one in results] != TEXTS
    assert sorted(one["key"] for one in results) == sorted(TEXTS)
    for one in results:
        expected = server.vector(one["key"], model=NEW, dimension=64)
        assert one["response"]["embedding"]["values"] == expected
    assert caller.results(job) == results


def test_rows_have_errors(server: Standin, caller: Caller, clock: Clock) -> None:
    """Some rows hold an error, and are not paid for."""
    server.job_script.append({"rows-failed"})
    job = caller.created(TEXTS)
    clock.now += 100
    results = caller.results(job)
    failed = [one["key"] for one in results if "error" in one]
    assert len(failed) == 3
    assert [one["key"] for one in results] == TEXTS
    assert server.paid() == {text: 1 for text in TEXTS if text not in failed}
    assert caller.get(job)["metadata"]["batchStats"]["failedRequestCount"] == "3"


def test_rows_are_spoiled(server: Standin, caller: Caller, clock: Clock) -> None:
    """Some vectors are none: no numbers, a NaN, or one number too few."""
    server.job_script.append({"rows-spoiled"})
    job = caller.created(TEXTS * 5)
    clock.now += 100
    vectors = [one["response"]["embedding"].get("values") for one in caller.results(job)]
    bad = [one for one in vectors if one is None or len(one) != 64 or any(map(math.isnan, one))]
    assert len(bad) == 15
    assert None in bad
    assert len({type(one) for one in bad}) == 2


def test_several_at_once(server: Standin, caller: Caller, clock: Clock) -> None:
    """A job may meet several faults: nobody hears of it, it is not listed, and it is slow."""
    server.job_script.append({"answer-lost", "unlisted", "slow", "rows-missing", "rows-shuffled"})
    with pytest.raises(ConnectionError):
        caller.create(caller.upload(rows(TEXTS)))
    (job,) = server.jobs
    assert names(caller) == []
    clock.now += 1000
    assert names(caller) == ["d"]
    assert len(caller.results(job.name)) == 27


def test_shares_of_faults(fetch: Fetch) -> None:
    """Faults are drawn for each job, the same ones in every run with the same seed."""

    def drawn(seed: int) -> list[frozenset[str]]:
        with Standin(batch_faults={"failed": 0.5, "slow": 0.5}, seed=seed) as server:
            caller = Caller(server, fetch)
            for _ in range(12):
                caller.created(["a"])
            return [frozenset(job.faults) for job in server.jobs]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {frozenset[str](), frozenset({"failed", "slow"})} <= set(drawn(1) + drawn(2))


def test_a_download_that_breaks(server: Standin, caller: Caller, clock: Clock) -> None:
    """A download may break halfway, and be repeated."""
    job = caller.created(TEXTS)
    clock.now += 100
    name = caller.get(job)["response"]["responsesFile"]
    server.other_script.append("half")
    with pytest.raises(http.client.IncompleteRead):
        caller.download(name)
    assert [one["key"] for one in caller.download(name)] == TEXTS


def test_unknown_faults() -> None:
    """A fault that does not exist, or a share that cannot be, is an error at once."""
    with pytest.raises(ValueError, match="unknown fault"):
        Standin(batch_faults={"nap": 1})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        Standin(batch_faults={"slow": 2})


def test_command_line_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of a job is not one of a request."""
    with pytest.raises(SystemExit):
        main(["--model", "hash", "--batch-fault", "503=1"])
    assert "is not KIND=SHARE" in capsys.readouterr().err
