"""Objects of Cloud Storage, where it answers whatever it likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from service.cloud import Answer, said, told
from service.vertex import credentials

from gemini_embed import (
    BadResponseError,
    ConfigurationError,
    GeminiEmbedder,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.background import loop
from gemini_embed.service.buckets import storage_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.cloud import Cloud

    from gemini_embed.service.vertex_batches import VertexBatches

FILE = "gs://my-bucket/a folder/input ü.jsonl"
PIECES = [b"a" * 4096, b"b" * 4096, b"c" * 100]
SIZE = sum(map(len, PIECES))
WAYS: dict[str, dict[str, Any]] = {"aiohttp": {}, "httpx": {"client_args": {"headers": {"x": "y"}}}}


@pytest.fixture(params=WAYS)
def done(
    request: pytest.FixtureRequest, google: Cloud, tmp_path: Path
) -> Callable[[Callable[[VertexBatches], Any]], Any]:
    """Return what does something at the service, through either library."""

    def do(what: Callable[[VertexBatches], Any]) -> Any:
        made = GeminiEmbedder(
            project="p",
            location="us",
            credentials=credentials(),
            base_url=google.url,
            cache=tmp_path / "v.sqlite3",
            bucket="gs://my-bucket",
            timeout=2,
            **WAYS[request.param],
        )

        async def work() -> Any:
            service: Any = await made._batch_service()
            return await what(service)

        with made:
            return loop.run(work)

    return do


async def stored(service: VertexBatches) -> None:
    async def before_each() -> None:
        """Do nothing."""

    await service.upload(FILE, PIECES, SIZE, before_each)


async def lines(service: VertexBatches) -> list[bytes]:
    return [line async for line in service.lines("gs://my-bucket/results/", 1000)]


def of_uploads(google: Cloud, *answers: Answer | None) -> None:
    """Answer the pieces of an upload like this, in turn."""
    left = list(answers)
    google.rule = lambda sent: left.pop(0) if sent.method == "PUT" and left else None


def test_an_object_is_stored_under_any_name(google: Cloud, done: Any) -> None:
    """Piece by piece, with each byte once."""
    done(stored)

    assert google.objects == {FILE: b"".join(PIECES)}
    ranges = [one.headers["content-range"] for one in google.sent("PUT", "/upload/")]
    assert ranges == ["bytes 0-4095/8292", "bytes 4096-8191/8292", "bytes 8192-8291/8292"]


def test_an_object_that_is_there_stays_as_it_is(google: Cloud, done: Any) -> None:
    """No name is ever overwritten."""
    google.objects[FILE] = b"of somebody"

    with pytest.raises(RequestError, match="412"):
        done(stored)
    assert google.objects == {FILE: b"of somebody"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(308, b"", (("Range", "bytes=0-99999"),)),
        Answer(308, b"", (("Range", "bytes=5-10"),)),
        Answer(308, b"", (("Range", "all of it"),)),
        Answer(308, b""),
        Answer(200, b"{}"),
    ],
)
def test_a_piece_of_which_nobody_knows_what_is_stored(
    google: Cloud, done: Any, answer: Answer
) -> None:
    """No number of an answer is believed that cannot be; nothing is taken for whole too early."""
    of_uploads(google, answer)
    with pytest.raises(BadResponseError):
        done(stored)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (told(503, "later"), ServiceUnavailableError),
        (told(429, "slower"), QuotaExceededError),
        (Answer(0), ServiceUnavailableError),
        (Answer(307, b"", (("Location", "http://127.0.0.1:9/x"),)), RequestError),
        (Answer(308, b"", (("Location", "http://127.0.0.1:9/x"),)), RequestError),
    ],
)
def test_a_piece_that_is_refused(google: Cloud, done: Any, answer: Answer, error: Any) -> None:
    """The kind says whether it may pass; no redirect leads the token to another host."""
    of_uploads(google, None, answer, answer)  # aiohttp repeats a PUT, on another connection
    with pytest.raises(error):
        done(stored)
    assert FILE not in google.objects


def test_a_redirect_says_what_names_the_storage(google: Cloud, done: Any) -> None:
    """It is no option of ours: who reads of base_url would change where texts are embedded."""
    moved = Answer(307, b"", (("Location", "https://elsewhere.invalid/x"),))
    google.rule = lambda sent: moved if sent.path.startswith("/upload/") else None
    with pytest.raises(RequestError, match="give it as STORAGE_EMULATOR_HOST") as caught:
        done(stored)
    assert "base_url" not in str(caught.value)


@pytest.mark.parametrize("size", ["8291", "-1", 8292, None, "1e3"])
def test_an_object_of_another_size_is_not_taken_for_whole(
    google: Cloud, done: Any, size: Any
) -> None:
    """Before a job is made of it."""
    google.rule = lambda sent: (
        said({"size": size}) if "/storage/v1/b/my-bucket/o/" in sent.path else None
    )
    with pytest.raises(BadResponseError):
        done(stored)


def test_results_come_from_all_their_files(google: Cloud, done: Any) -> None:
    """However many pages their list has; not those of other names, or of another folder."""
    for number in range(5):
        name = f"gs://my-bucket/results/predictions.jsonl-{number}-of-5"
        google.objects[name] = b"%d\n%d" % (number, number)
    google.objects["gs://my-bucket/results/incremental_predictions.jsonl"] = b"no"
    google.objects["gs://my-bucket/results-of-others/predictions.jsonl"] = b"no"

    assert done(lines) == [b"%d" % (n // 2) for n in range(10)]


def test_results_that_are_not_there_are_an_error(done: Any) -> None:
    """An empty folder is not taken for results without rows: they are paid for."""
    with pytest.raises(BadResponseError, match="gs://my-bucket/results/"):
        done(lines)


@pytest.mark.parametrize(
    "page",
    [
        {"items": {}},
        {"items": [5]},
        {"items": [{"name": "results/predictions"}]},
        {"items": [{"name": "elsewhere/predictions", "size": "1"}]},
        {"items": [{"name": "results/predictions", "size": "x"}]},
        {"nextPageToken": "more"},
    ],
)
def test_a_list_that_cannot_be_is_an_error(
    google: Cloud, done: Any, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is believed."""
    monkeypatch.setattr("gemini_embed.service.requests._PAGES", 3)
    google.rule = lambda sent: said(page) if sent.path.endswith("/o") else None
    with pytest.raises(BadResponseError):
        done(lines)


def test_deleting_what_is_gone(google: Cloud, done: Any) -> None:
    """Nothing happens; a refusal is one, since the permission may be missing."""
    done(lambda service: service.delete_file(FILE, with_results=True))
    google.rule = lambda sent: told(403, "no") if sent.method == "DELETE" else None
    with pytest.raises(RequestError, match=r"storage\.objects\.delete"):
        done(lambda service: service.delete_file(FILE, with_results=False))


def test_a_job_of_somebody_else_loses_no_results(google: Cloud, done: Any) -> None:
    """What is deleted with a job is a folder of ours, or nothing."""
    name = "projects/p/locations/us/batchPredictionJobs/1"
    theirs = "gs://my-bucket/their/output/predictions.jsonl"
    google.objects[theirs] = b"theirs"
    destination = {"gcsDestination": {"outputUriPrefix": "gs://my-bucket/their/output/"}}
    google.jobs[name] = {"name": name, "outputConfig": destination}
    google._seen[name] = 9

    done(lambda service: service.delete(name))

    assert (google.jobs, list(google.objects)) == ({}, [theirs])
    done(lambda service: service.delete(name))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (None, "https://storage.googleapis.com"),
        ("", "https://storage.googleapis.com"),
        ("localhost:9199", "http://localhost:9199"),
        ("https://storage.example/", "https://storage.example"),
    ],
)
def test_where_cloud_storage_is(
    monkeypatch: pytest.MonkeyPatch, written: str | None, address: str
) -> None:
    """At Google, or where the variable says that Google's own clients read."""
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    if written is not None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", written)

    assert storage_address() == address


def test_an_address_of_cloud_storage_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "ftp://x")
    with pytest.raises(ConfigurationError, match="STORAGE_EMULATOR_HOST"):
        storage_address()


def test_plain_http_to_another_machine_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others can read the token."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://storage.example")
    with pytest.warns(UserWarning, match="plain http"):
        storage_address()
