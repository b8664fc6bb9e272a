"""The batches of Vertex AI of the stand-in, where nothing goes wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from standin.batching import NEW, OLD, Clock
from standin.messages import OLDER
from standin.vertex_batching import BUCKET, VertexCaller, rows

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from standin.conftest import Fetch

TEXTS = [f"text {i}" for i in range(150)]


@pytest.mark.parametrize(("model", "location"), [(NEW, "eu"), (OLD, "europe-west4")])
def test_a_job(server: Standin, fetch: Fetch, model: str, location: str) -> None:
    """Every row comes back under its key, with its vector, in a folder that the job names."""
    caller = VertexCaller(server, fetch, location)
    job = caller.created(TEXTS, model)
    assert re.fullmatch(rf"projects/\d+/locations/{location}/batchPredictionJobs/\d+", job)
    ended = caller.get(job)
    assert ended["state"] == "JOB_STATE_SUCCEEDED"
    assert ended["completionStats"] == {"successfulCount": "150"}
    folder = ended["outputInfo"]["gcsOutputDirectory"]
    assert re.fullmatch(rf"{BUCKET}/out/prediction-model-[-\dT:.]+Z", folder)
    assert ended["createTime"] not in folder
    results = caller.results(job)
    assert [one["key"] for one in results] == TEXTS
    for text, one, sent in zip(TEXTS, results, rows(TEXTS), strict=True):
        expected = server.vector(text, model=model, dimension=64)
        assert one["response"]["embedding"]["values"] == expected
        assert (one["status"], one["request"]) == ("", sent["request"])
    tokens = results[0]["response"]
    if model == NEW:
        assert tokens["usageMetadata"]["promptTokenCount"] > 0
    else:
        assert int(tokens["tokenCount"]) > 0
    assert server.paid() == dict.fromkeys(TEXTS, 1)


def test_a_job_goes_on_by_the_clock(fetch: Fetch) -> None:
    """A job is pending, runs, and ends; what it writes is there when it has ended."""
    clock = Clock()
    with Standin(batch_seconds=100, clock=clock) as server:
        caller = VertexCaller(server, fetch)
        status, created = caller.create(caller.put(rows(TEXTS)))
        assert (status, created["state"]) == (200, "JOB_STATE_PENDING")
        job = created["name"]
        assert caller.state(job) == "PENDING"
        clock.now += 50
        running = caller.get(job)
        assert running["state"] == "JOB_STATE_RUNNING"
        assert running["completionStats"] == {"successfulCount": "75", "incompleteCount": "75"}
        assert "outputInfo" not in running
        assert (len(server.objects), server.paid()) == (1, {})
        clock.now += 50
        assert caller.get(caller.place)["batchPredictionJobs"] == [caller.get(job)]
        assert caller.state(job) == "SUCCEEDED"
        assert server.paid() == dict.fromkeys(TEXTS, 1)


def test_a_job_reads_its_rows_when_it_begins(fetch: Fetch) -> None:
    """To delete the input ends a job that has not begun, and does nothing to one that has."""
    clock = Clock()
    with Standin(batch_seconds=100, clock=clock) as server:
        caller = VertexCaller(server, fetch)
        begun = caller.created(["a"])
        clock.now += 10
        other = caller.create(caller.put(rows(["b"]), "other"))[1]["name"]
        for name in ("in%2Finput.jsonl", "other"):
            url = f"{server.url}/storage/v1/b/my-bucket/o/{name}"
            headers = {"Authorization": "Bearer t"}
            assert fetch(url, key=None, method="DELETE", headers=headers)[0] == 204
        clock.now += 90
        assert [one["key"] for one in caller.results(begun)] == ["a"]
        failed = caller.get(other)
        assert failed["state"] == "JOB_STATE_FAILED"
        assert "No such object" in failed["error"]["message"]
        assert server.paid() == {"a": 1}


def test_cancel_and_delete(fetch: Fetch) -> None:
    """What a cancelled job has done is there, and paid for; only what has ended is deleted."""
    clock = Clock()
    with Standin(batch_seconds=100, clock=clock) as server:
        caller = VertexCaller(server, fetch)
        waiting = caller.created(TEXTS)
        assert caller.ask(f"{waiting}:cancel", {}) == (200, {})
        assert "outputInfo" not in caller.get(waiting)
        running = caller.created(TEXTS)
        clock.now += 50
        assert caller.ask(running, method="DELETE")[0] == 400
        assert caller.ask(f"{running}:cancel", {}) == (200, {})
        cancelled = caller.get(running)
        assert cancelled["state"] == "JOB_STATE_CANCELLED"
        assert cancelled["error"]["code"] == 1
        assert cancelled["completionStats"] == {"successfulCount": "75", "incompleteCount": "75"}
        assert [one["key"] for one in caller.results(running)] == TEXTS[:75]
        assert server.paid() == dict.fromkeys(TEXTS[:75], 1)
        assert caller.ask(running, method="DELETE")[1]["done"]
        assert caller.ask(running, method="GET")[0] == 404
        assert [one["name"] for one in caller.get(caller.place)["batchPredictionJobs"]] == [waiting]


def test_a_list_is_of_one_place(server: Standin, fetch: Fetch) -> None:
    """All pages together name every job of a project and a location once, the newest first."""
    caller = VertexCaller(server, fetch)
    assert caller.get(caller.place) == {}
    jobs = [caller.created(TEXTS[:1]) for _ in range(5)]
    assert VertexCaller(server, fetch, "eu").names() == []
    seen, token = [], ""
    while True:
        page = caller.get(f"{caller.place}?pageSize=2&pageToken={token}")
        seen += [one["name"] for one in page["batchPredictionJobs"]]
        if not (token := page.get("nextPageToken", "")):
            break
    assert seen == jobs[::-1]


def test_rows_that_make_no_sense(server: Standin, fetch: Fetch) -> None:
    """One bad row is an error of its own, and the job succeeds."""
    caller = VertexCaller(server, fetch)
    lines = rows(["good", ""]) + rows(["large"], output_dimensionality=9999)
    job = caller.create(caller.put(lines))[1]["name"]
    good, empty, large = caller.results(job)
    assert good["status"] == ""
    assert "contains an empty Part" in empty["status"]
    assert "output_dimensionality" in large["status"]
    assert empty["response"] == large["response"] == {}
    assert caller.get(job)["completionStats"] == {"successfulCount": "1", "failedCount": "2"}
    assert server.paid() == {"good": 1}


def test_media_of_a_bucket(server: Standin, fetch: Fetch) -> None:
    """A row may name an object."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    server.place(f"{BUCKET}/a.png", png)
    part = {"fileData": {"fileUri": f"{BUCKET}/a.png", "mimeType": "image/png"}}
    caller = VertexCaller(server, fetch)
    job = caller.create(caller.put([{"key": "k", "request": {"content": {"parts": [part]}}}]))[1]
    (one,) = caller.results(job["name"])
    assert one["response"]["embedding"]["values"] == server.vector([png], model=NEW)


def test_refusals(server: Standin, fetch: Fetch) -> None:
    """What cannot become a job is refused, and no job comes of it."""
    caller = VertexCaller(server, fetch)
    good = caller.put(rows(["a"]))
    assert caller.create(good, "no-such-model")[0] == 404
    assert caller.create(good, OLD)[0] == 400  # not in this place
    assert VertexCaller(server, fetch, "europe-west4").create(good)[0] == 404
    assert VertexCaller(server, fetch, "us-central1").create(good, OLDER)[0] == 400
    assert caller.create("in.jsonl")[0] == 400
    assert caller.create(good, output="out")[0] == 400
    assert caller.ask(caller.place, {})[0] == 400
    assert caller.ask(f"{caller.place}/1", method="GET")[0] == 404
    assert server.jobs == []
    url = f"{server.url}/v1/{caller.place}"
    assert fetch(url, key="k", method="GET")[0] == 401
    for headers in ({}, {"Authorization": "Bearer invalid-token"}):
        assert fetch(url, key=None, method="GET", headers=headers)[0] == 401


def test_input_that_cannot_be_read(server: Standin, fetch: Fetch) -> None:
    """The job fails, and says why; no row of it is paid for."""
    caller = VertexCaller(server, fetch)
    for source in (
        f"{BUCKET}/none",
        "gs://closed-bucket/a",
        "gs://no-such-bucket/a",
        caller.put([]),
        caller.put(["no row"]),
    ):
        failed = caller.get(caller.create(source)[1]["name"])
        assert failed["state"] == "JOB_STATE_FAILED"
        assert failed["error"]["message"].startswith("Failed to import data. ")
    assert server.paid() == {}


def test_googles_own_client(server: Standin) -> None:
    """Google's SDK creates a job, looks at it, finds it in the list, and deletes it."""
    caller_rows: list[dict[str, Any]] = rows(TEXTS)
    source = VertexCaller(server, lambda *_: (0, {}, b"")).put(caller_rows)
    sdk = genai.Client(
        vertexai=True,
        project="my-project",
        location="us",
        credentials=Credentials(token="t"),  # type: ignore[no-untyped-call] # noqa: S106 - none
        http_options=types.HttpOptions(base_url=server.url),
    )
    try:
        config = types.CreateBatchJobConfig(display_name="d", dest=f"{BUCKET}/out")
        created = sdk.batches.create(model=NEW, src=source, config=config)
        name = server.jobs[0].name
        assert created.name == name
        ended = sdk.batches.get(name=name)
        assert ended.state == types.JobState.JOB_STATE_SUCCEEDED
        assert ended.completion_stats is not None
        assert ended.completion_stats.successful_count == 150
        assert [one.name for one in sdk.batches.list()] == [name]
        assert sdk.batches.delete(name=name).done
    finally:
        sdk.close()
