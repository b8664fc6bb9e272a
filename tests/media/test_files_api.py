"""What is too large for a request goes by way of the Files API, once, and is taken away again."""

from __future__ import annotations

import asyncio
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google import genai
from media.samples import mp4, png

from gemini_embed import GeminiEmbedder, InvalidInputError, Media
from gemini_embed.service.files import PIECE
from gemini_embed.service.uploads import Uploads
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

LARGE = 16_000_000
HTTPX = {"client_args": {"follow_redirects": True}}
TOO_LARGE = {
    "error": {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "Request payload size exceeds the limit: 4194304 bytes.",
    }
}


def embedded(server: Standin) -> list[Any]:
    """Return the parts of each content that was sent to be embedded."""
    bodies = [one.body for one in server.log if one.path.endswith("EmbedContents")]
    return [one["content"]["parts"] for body in bodies if body for one in body["requests"]]


@pytest.mark.parametrize("options", [{}, HTTPX], ids=["aiohttp", "httpx"])
def test_a_large_medium_is_stored_once(
    server: Standin, embedder: Maker, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Whatever calls it is in, and whether it is a file or bytes; the same bytes are one file."""
    (tmp_path / "a").write_bytes(png(1, size=LARGE))
    one, same = Media.from_path(tmp_path / "a"), Media.from_bytes(png(1, size=LARGE))
    with embedder(**options) as made:
        first = made.embed([one, ["a caption", same]], role="document").vectors
        again = made.embed([same], role="document").vectors
        (file,) = server.files
        assert file.size == LARGE
        assert file.mime_type == "image/png"
        uri = f"{server.url}/"
        assert all(
            "inline_data" not in str(parts) and uri in str(parts) for parts in embedded(server)
        )
    assert server.files == []
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], first[1])


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # of a caller's aiohttp
def test_a_callers_own_client_stores_them_too(server: Standin, embedder: Maker) -> None:
    """In pieces, one after the other, as every other way."""
    client = genai.Client(api_key="k", http_options={"base_url": server.url})
    with embedder(client=client, api_key=None, base_url=None) as made:
        made.embed([png(1, size=LARGE)], role="document")
        (file,) = server.files
        assert file.size == LARGE
    assert server.files == []
    sent = [one.headers.get("x-goog-upload-command") for one in server.log]
    assert sent.count("upload") == LARGE // PIECE
    assert sent.count("upload, finalize") == 1


def test_the_smaller_parts_of_a_large_item_stay_in_the_request(
    server: Standin, embedder: Maker
) -> None:
    """Only as many are stored as have to be, the largest first."""
    media = [Media.from_bytes(png(i, size=i * 3_000_000)) for i in (1, 2, 3)]
    with embedder() as made:
        made.embed([media], role="document")
        assert [file.size for file in server.files] == [9_000_000]
    (parts,) = embedded(server)
    assert [next(iter(part)) for part in parts] == ["inline_data", "inline_data", "file_data"]


def test_what_was_refused_for_its_size_is_stored(server: Standin, embedder: Maker) -> None:
    """A service that takes less than is known learns nothing of it twice."""
    server.script.append((400, json.dumps(TOO_LARGE), {}))
    with embedder() as made:
        made.embed([png(1, size=5_000_000)], role="document")
        assert [file.size for file in server.files] == [5_000_000]
    assert [next(iter(parts[0])) for parts in embedded(server)] == ["inline_data", "file_data"]


def test_a_file_is_kept_while_a_call_uses_it(server: Standin, embedder: Maker) -> None:
    """Closing waits for calls under way; files go with the connections."""
    made = embedder()
    closed: list[int] = []

    async def close() -> None:
        if not closed:
            closed.append(len(server.files))
            await made._close()

    made.embed([png(1, size=LARGE)], role="document", rate_limiter=close)
    assert closed == [1]
    assert server.files == []


def test_an_upload_that_fails_is_tried_again(server: Standin, embedder: Maker) -> None:
    """A 503 of the Files API is as one of the model."""
    down = json.dumps({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}})
    server.other_script.append((503, down, {}))
    with embedder() as made:
        result = made.embed([png(1, size=LARGE)], role="document")
        assert len(server.files) == 1
    assert result.usage.retries == 1


def test_a_quota_of_files_is_no_quota_of_embeddings(server: Standin, embedder: Maker) -> None:
    """A 429 of the Files API makes nothing else wait."""
    full = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Please retry in 1ms."}
    server.other_script.append((429, json.dumps({"error": full}), {}))
    with embedder() as made:
        result = made.embed([png(1, size=LARGE)], role="document")
    assert result.usage.retries == 1
    assert result.usage.waited_for_quota == 0


def test_a_file_that_changes_is_not_stored(
    server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """What lies with the service is what was checked."""
    paths = [tmp_path / name for name in "ab"]
    for i, path in enumerate(paths):
        path.write_bytes(png(i, size=LARGE))

    async def change() -> None:
        paths[1].write_bytes(png(7, size=LARGE + 1))

    made = embedder(max_concurrency=1)
    with pytest.raises(InvalidInputError) as caught:
        made.embed(map(Media.from_path, paths), role="document", batch_size=1, rate_limiter=change)
    assert len(server.files) == 1
    made.close()
    assert (caught.value.index, caught.value.reason) == (1, "changed")
    assert list(caught.value.partial) == [0]


FILM = mp4(3) + b"\0\0\0\x08free" + b"\0" * LARGE


class Clock:
    """The time of the stand-in, in which the waits of an embedder pass.

    Where `held` is given, it is set by the first wait, which never ends.
    """

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.held: threading.Event | None = None

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.held is not None:
            self.held.set()
            await asyncio.Event().wait()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    uploads = partial(Uploads, clock.sleep)
    monkeypatch.setattr("gemini_embed.service.transport.Uploads", uploads)
    return clock


def looks_at_films(server: Standin) -> int:
    """Return how often somebody asked how far a file is."""
    return sum(one.method == "GET" for one in server.log)


@pytest.mark.parametrize("options", [{}, HTTPX], ids=["aiohttp", "httpx"])
def test_a_film_is_waited_for(embedder: Maker, clock: Clock, options: dict[str, Any]) -> None:
    """A file is used when the service has prepared it, and waited for once."""
    begun = clock.now
    with (
        Standin(film_seconds=90, clock=clock) as server,
        embedder(base_url=server.url, **options) as made,
    ):
        first = made.embed(["a text", FILM], role="document").vectors
        assert 90 <= clock.now - begun <= 100
        looks = looks_at_films(server)
        assert 10 < looks < 20
        again = made.embed([FILM], role="document").vectors
        assert [file.mime_type for file in server.files] == ["video/mp4"]
        assert looks_at_films(server) == looks
    assert np.array_equal(first[1], again[0])


def test_a_look_that_fails_uploads_nothing_again(embedder: Maker, clock: Clock) -> None:
    """A 503 while a film is prepared is tried again by looking again."""
    down = json.dumps({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}})
    uploads = 1 + -(-len(FILM) // PIECE)
    with (
        Standin(film_seconds=5, clock=clock) as server,
        embedder(base_url=server.url) as made,
    ):
        server.other_script.extend([None] * uploads + [(503, down, {})])
        result = made.embed([FILM], role="document")
        assert len(server.files) == 1
        assert sum(one.path.startswith("/upload/") for one in server.log) == uploads
    assert result.usage.retries == 1


@pytest.mark.parametrize(
    ("film", "seconds", "told"),
    [
        (FILM, float("inf"), "still preparing the file 10 min after it was uploaded"),
        (mp4()[:24] + b"\0" * LARGE, 5, "could not read the file that was uploaded"),
    ],
    ids=["for ever", "failed"],
)
def test_a_film_that_is_never_ready_is_an_error_of_its_item(
    embedder: Maker, clock: Clock, film: bytes, seconds: float, told: str
) -> None:
    """It is uploaded once, and deleted; the others have their vectors."""
    with (
        Standin(film_seconds=seconds, clock=clock) as server,
        embedder(base_url=server.url) as made,
    ):
        with pytest.raises(InvalidInputError, match=told) as caught:
            made.embed(["before", film, "after"], role="document", batch_size=1)
        assert server.files == []
        starts = [one.headers.get("x-goog-upload-command") for one in server.log].count("start")
        assert starts == 1
    assert (caught.value.index, caught.value.reason) == (1, "not taken")
    assert sorted(caught.value.partial) == [0, 2]


async def test_a_film_whose_call_is_cancelled_is_deleted(embedder: Maker, clock: Clock) -> None:
    """What was uploaded is known from then on, whatever becomes of the wait."""
    clock.held = threading.Event()
    with (
        Standin(film_seconds=5, clock=clock) as server,
        embedder(base_url=server.url) as made,
    ):
        call = asyncio.create_task(made.aembed([FILM], role="document"))
        await asyncio.to_thread(clock.held.wait, 60)
        assert len(server.files) == 1
        call.cancel()
        await asyncio.wait([call])
        await made.aclose()
        assert server.files == []


def test_vertex_ai_has_cloud_storage_instead(embedder: Maker) -> None:
    """The error says so, before anything is sent."""
    made = embedder(vertexai=True, project="p", location="global")
    with pytest.raises(InvalidInputError, match="gs://") as caught:
        made.embed(["a", png(1, size=LARGE)], role="document")
    assert (caught.value.index, caught.value.reason) == (1, "too large")
