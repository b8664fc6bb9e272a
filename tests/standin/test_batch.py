"""The Batch API of the stand-in, where nothing goes wrong."""

from __future__ import annotations

import json
import warnings
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from google import genai
from google.genai import types
from standin.batching import NEW, OLD, Caller, Clock, row, rows

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from standin.batching import Fetch

TEXTS = [f"text {i}" for i in range(150)]


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("model", [NEW, OLD])
def test_a_job_of_a_file(server: Standin, fetch: Fetch, version: str, model: str) -> None:
    """Every row comes back under its key, with its vector, and tokens in the model's spelling."""
    caller = Caller(server, fetch, version)
    job = caller.created(TEXTS, model)
    ended = caller.get(job)
    assert ended["done"] is True
    assert ended["metadata"]["batchStats"] == {
        "requestCount": "150",
        "successfulRequestCount": "150",
    }
    name = ended["response"]["responsesFile"]
    assert ended["metadata"]["output"] == {"responsesFile": name}
    assert name == f"files/batch-{job.removeprefix('batches/')}"
    results = caller.download(name)
    assert [one["key"] for one in results] == TEXTS
    for text, one in zip(TEXTS, results, strict=True):
        expected = server.vector(text, model=model, dimension=64)
        assert one["response"]["embedding"]["values"] == expected
    tokens = results[0]["response"]
    if model == NEW:
        assert tokens["usageMetadata"]["promptTokenCount"] > 0
        assert "tokenCount" not in tokens
    else:
        assert int(tokens["tokenCount"]) > 0
        assert isinstance(tokens["tokenCount"], str)
    assert server.paid() == dict.fromkeys(TEXTS, 1)


def test_an_inline_job(server: Standin, fetch: Fetch) -> None:
    """An inline job answers with its vectors, twice, and each row's metadata as it was sent."""
    caller = Caller(server, fetch)
    requests = [
        {"request": one["request"], "metadata": {"key": one["key"]}} for one in rows(TEXTS[:3])
    ]
    status, created = caller.create({"requests": requests})
    assert (status, created["metadata"]["state"]) == (200, "BATCH_STATE_PENDING")
    ended = caller.get(created["name"])
    listed = ended["response"]["inlinedResponses"]["inlinedResponses"]
    assert ended["metadata"]["output"]["inlinedResponses"]["inlinedResponses"] == listed
    assert [one["metadata"]["key"] for one in listed] == TEXTS[:3]
    for text, one in zip(TEXTS, listed, strict=False):
        expected = server.vector(text, model=NEW, dimension=64)
        assert one["response"]["embedding"]["values"] == expected


def test_a_job_goes_on_by_the_clock(fetch: Fetch) -> None:
    """A job is pending, runs, and ends; the list keeps the counts of its first moment."""
    clock = Clock()
    with Standin(batch_seconds=100, clock=clock) as server:
        caller = Caller(server, fetch)
        job = caller.created(TEXTS)
        assert caller.get(job)["metadata"]["state"] == "BATCH_STATE_PENDING"
        assert "done" not in caller.get(job)
        clock.now += 50
        running = caller.get(job)["metadata"]
        assert running["state"] == "BATCH_STATE_RUNNING"
        assert running["batchStats"] == {
            "requestCount": "150",
            "pendingRequestCount": "75",
            "successfulRequestCount": "75",
        }
        assert server.paid() == {}
        clock.now += 50
        assert caller.state(job) == "SUCCEEDED"
        (listed,) = caller.get("batches")["operations"]
        assert listed["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
        assert listed["metadata"]["batchStats"] == {
            "requestCount": "150",
            "pendingRequestCount": "150",
        }
        assert "response" not in listed
        assert "output" not in listed["metadata"]


def test_a_job_expires_after_two_days(fetch: Fetch) -> None:
    """What has not ended in 48 hours ends without results, and costs nothing."""
    clock = Clock()
    with Standin(batch_seconds=1e6, clock=clock) as server:
        caller = Caller(server, fetch)
        job = caller.created(TEXTS)
        clock.now += 48 * 3600 - 1
        assert caller.state(job) == "RUNNING"
        clock.now += 1
        ended = caller.get(job)
        assert ended["metadata"]["state"] == "BATCH_STATE_EXPIRED"
        assert ended["done"] is True
        assert "response" not in ended
        assert server.paid() == {}


def test_the_input_may_be_deleted_under_way(fetch: Fetch) -> None:
    """A job has its rows once it is created."""
    clock = Clock()
    with Standin(batch_seconds=100, clock=clock) as server:
        caller = Caller(server, fetch)
        file = caller.upload(rows(TEXTS))
        job = caller.create(file)[1]["name"]
        caller.ask(file, method="DELETE")
        clock.now += 100
        assert [one["key"] for one in caller.results(job)] == TEXTS


def test_all_pages_of_the_list(server: Standin, fetch: Fetch) -> None:
    """All pages together name every job once, the newest first; a list of none is empty."""
    caller = Caller(server, fetch)
    assert caller.get("batches") == {}
    jobs = [caller.created(TEXTS[:1], name=f"n{i}") for i in range(5)]
    seen, token = [], ""
    while True:
        page = caller.get(f"batches?pageSize=2&pageToken={token}")
        seen += [one["name"] for one in page["operations"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert seen == jobs[::-1]


def test_cancel_and_delete(fetch: Fetch) -> None:
    """A cancelled job ends with an error and costs nothing; a deleted one goes on, unseen."""
    clock = Clock()
    with Standin(batch_seconds=100, clock=clock) as server:
        caller = Caller(server, fetch)
        cancelled, deleted, ended = (caller.created([text]) for text in "abc")
        assert caller.ask(f"{cancelled}:cancel", {}) == (200, {})
        operation = caller.get(cancelled)
        assert (operation["done"], operation["error"]["code"]) == (True, 1)
        assert operation["metadata"]["state"] == "BATCH_STATE_CANCELLED"
        assert caller.ask(deleted, method="DELETE") == (200, {})
        assert caller.ask(deleted, method="GET")[0] == 404
        assert deleted not in json.dumps(caller.get("batches"))
        clock.now += 100
        assert server.paid() == {"b": 1, "c": 1}
        assert caller.ask(f"{ended}:cancel", {}) == (200, {})
        assert caller.state(ended) == "SUCCEEDED"


def test_rows_that_make_no_sense(server: Standin, fetch: Fetch) -> None:
    """One bad row is an error of its own, and the job succeeds."""
    caller = Caller(server, fetch)
    lines = [row("good", "1"), row("", "2"), row("x", "3", outputDimensionality=9999)]
    job = caller.create(caller.upload(lines))[1]["name"]
    good, empty, large = caller.results(job)
    assert (good["key"], empty["key"], large["key"]) == ("1", "2", "3")
    assert empty["error"] == {
        "code": 3,
        "message": "EmbedContentRequest.content contains an empty Part.",
    }
    assert "output_dimensionality" in large["error"]["message"]
    stats = caller.get(job)["metadata"]["batchStats"]
    assert stats == {
        "requestCount": "3",
        "successfulRequestCount": "1",
        "failedRequestCount": "2",
    }
    assert server.paid() == {"good": 1}


def test_refusals(server: Standin, fetch: Fetch) -> None:
    """What cannot become a job is refused, and no job comes of it."""
    caller = Caller(server, fetch)
    good = caller.upload(rows(["a"]))
    assert caller.create(good, "no-such-model")[0] == 404
    assert caller.create("files/none")[0] == 403
    assert caller.create(caller.upload([]))[0] == 400
    assert caller.create(caller.upload(["no row"]))[0] == 400
    assert caller.ask(f"models/{NEW}:asyncBatchEmbedContent", {"batch": {}})[0] == 400
    assert caller.ask("batches/none", method="GET")[0] == 404
    results = caller.get(caller.created(["a"]))["response"]["responsesFile"]
    assert caller.create(results)[0] == 400
    assert len(server.jobs) == 1
    for key, status in ((None, 403), ("invalid-key", 400)):
        assert fetch(f"{server.url}/v1/batches", key=key, method="GET")[0] == status


def test_no_more_tokens_than_allowed(fetch: Fetch) -> None:
    """Jobs under way have room for so many tokens; when they end, others have."""
    clock = Clock()
    with Standin(batch_seconds=100, batch_tokens=100, clock=clock) as server:
        caller = Caller(server, fetch)
        caller.created(["word " * 60])
        status, refused = caller.create(caller.upload(rows(["word " * 60])))
        assert (status, refused["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        clock.now += 100
        caller.created(["word " * 60])


async def test_googles_own_client(server: Standin) -> None:
    """Google's SDK creates a job of a file, finds it, and downloads its results."""
    sdk = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url))
    raw = b"".join(json.dumps(one).encode() + b"\n" for one in rows(TEXTS))
    try:
        file = sdk.files.upload(
            file=BytesIO(raw), config=types.UploadFileConfig(mime_type="application/jsonl")
        )
        texts: list[types.ContentUnion] = ["a", "b"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK calls it experimental
            created = sdk.batches.create_embeddings(
                model=NEW,
                src=types.EmbeddingsBatchJobSource(file_name=file.name),
                config=types.CreateEmbeddingsBatchJobConfig(display_name="d"),
            )
            inline = await sdk.aio.batches.create_embeddings(
                model=NEW,
                src=types.EmbeddingsBatchJobSource(
                    inlined_requests=types.EmbedContentBatch(contents=texts)
                ),
            )
        assert (created.name, created.display_name) == (server.jobs[0].name, "d")
        assert created.name is not None
        assert inline.name is not None
        job = sdk.batches.get(name=created.name)
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED
        assert job.dest is not None
        assert job.dest.file_name is not None
        lines = sdk.files.download(file=job.dest.file_name).splitlines()
        assert [json.loads(line)["key"] for line in lines] == TEXTS
        ended = await sdk.aio.batches.get(name=inline.name)
        assert ended.dest is not None
        assert len(ended.dest.inlined_embed_content_responses or []) == 2
        sdk.batches.cancel(name=created.name)
        sdk.batches.delete(name=created.name)
    finally:
        sdk.close()
        await sdk.aio.aclose()
