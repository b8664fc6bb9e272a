"""The Files API of the stand-in."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]

BYTES = b"some bytes \x00\xff " * 1000
DAY = 24 * 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def begun(server: Standin, fetch: Fetch, size: int = len(BYTES), version: str = "v1beta") -> str:
    """Return the address that an upload goes to."""
    status, headers, _ = fetch(
        f"{server.url}/upload/{version}/files",
        {"file": {"displayName": "d", "mimeType": "image/png"}},
        headers={
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": "image/png",
        },
    )
    assert (status, headers["X-Goog-Upload-Status"]) == (200, "active")
    return headers["X-Goog-Upload-URL"]


def put(
    fetch: Fetch, url: str, piece: bytes, offset: int = 0, command: str = "upload, finalize"
) -> tuple[int, dict[str, str], Any]:
    """Send a piece, without a key: the address is the caller's alone."""
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    status, answered, raw = fetch(url, piece, key=None, headers=headers)
    return status, answered, json.loads(raw) if raw else None


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_a_file_in_one_piece(server: Standin, fetch: Fetch, version: str) -> None:
    """What was uploaded is described as Google describes a file, until it is deleted."""
    status, headers, answered = put(fetch, begun(server, fetch, version=version), BYTES)
    assert (status, headers["X-Goog-Upload-Status"]) == (200, "final")
    file = answered["file"]
    (stored,) = server.files
    assert stored.path is not None
    assert stored.path.read_bytes() == BYTES
    assert file["name"] == stored.name
    assert file["uri"] == f"{server.url}/{version}/{file['name']}"
    assert (file["displayName"], file["mimeType"], file["state"]) == ("d", "image/png", "ACTIVE")
    assert file["sizeBytes"] == str(len(BYTES))
    assert b64decode(file["sha256Hash"]).decode() == hashlib.sha256(BYTES).hexdigest()
    assert json.loads(fetch(file["uri"], method="GET")[2]) == file
    listed = fetch(f"{server.url}/{version}/files", method="GET")[2]
    assert json.loads(listed) == {"files": [file]}
    assert fetch(file["uri"], method="DELETE")[0] == 200
    assert not stored.path.exists()
    status, _, raw = fetch(file["uri"], method="GET")
    assert (status, json.loads(raw)["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert fetch(file["uri"], method="DELETE")[0] == 403


def test_a_file_in_pieces(server: Standin, fetch: Fetch) -> None:
    """An upload goes on where it was, and says where that is."""
    url = begun(server, fetch)
    half = len(BYTES) // 2
    assert put(fetch, url, BYTES[:half], command="upload")[1]["X-Goog-Upload-Status"] == "active"
    assert put(fetch, url, b"", command="query")[1]["X-Goog-Upload-Size-Received"] == str(half)
    assert put(fetch, url, BYTES[half:])[0] == 400  # it begins elsewhere
    assert put(fetch, url, BYTES[half:], half)[0] == 200
    (stored,) = server.files
    assert stored.path is not None
    assert stored.path.read_bytes() == BYTES


@pytest.mark.parametrize(("size", "sent"), [(3, 2), (2, 3)])
def test_a_file_of_another_size(server: Standin, fetch: Fetch, size: int, sent: int) -> None:
    """What is not as long as it was announced is refused."""
    assert put(fetch, begun(server, fetch, size), b"x" * sent)[0] == 400
    assert server.files == []


def test_refusals(server: Standin, fetch: Fetch) -> None:
    """A key is needed to begin; unknown uploads and commands, and downloads of one's own, fail."""
    begin = {"X-Goog-Upload-Command": "start"}
    for key, status in ((None, 403), ("invalid-key", 400)):
        assert fetch(f"{server.url}/upload/v1/files", {}, key=key, headers=begin)[0] == status
    url = begun(server, fetch)
    assert put(fetch, url.replace("upload_id=", "upload_id=x"), BYTES)[0] == 404
    assert put(fetch, url, BYTES, command="dance")[0] == 400
    put(fetch, url, BYTES)
    (stored,) = server.files
    assert fetch(f"{server.url}/v1/{stored.name}:download?alt=media", method="GET")[0] == 400
    assert fetch(f"{server.url}/v1/files?pageToken=-1", method="GET")[0] == 400


def test_pages(server: Standin, fetch: Fetch) -> None:
    """All pages together list every file once."""
    for _ in range(5):
        put(fetch, begun(server, fetch), BYTES)
    names, token = [], ""
    while True:
        url = f"{server.url}/v1/files?pageSize=2&pageToken={token}"
        page = json.loads(fetch(url, method="GET")[2])
        names += [file["name"] for file in page["files"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert names == [file.name for file in server.files]


def test_a_file_is_gone_after_two_days(fetch: Fetch) -> None:
    """A file expires by the stand-in's clock, after 48 hours."""
    clock = Clock()
    with Standin(clock=clock) as server:
        file = put(fetch, begun(server, fetch), BYTES)[2]["file"]
        clock.now += 2 * DAY - 1
        assert fetch(file["uri"], method="GET")[0] == 200
        clock.now += 1
        assert fetch(file["uri"], method="GET")[0] == 403
        assert server.files == []


def test_faults(server: Standin, fetch: Fetch) -> None:
    """Requests about files meet what is scripted for them, not what is for embeddings."""
    server.script.append("500")
    server.other_script.extend(["503", None, "reset"])
    assert fetch(f"{server.url}/v1/files", method="GET")[0] == 503
    url = begun(server, fetch)
    with pytest.raises(ConnectionError):
        put(fetch, url, BYTES)
    assert put(fetch, url, BYTES)[0] == 200
    assert [one.status for one in server.log] == [503, 200, 0, 200]
    assert [one.method for one in server.log] == ["GET", "POST", "POST", "POST"]
    assert len(server.script) == 1


def test_closing_removes_the_files(fetch: Fetch) -> None:
    """Nothing of an upload outlives the service."""
    with Standin() as server:
        put(fetch, begun(server, fetch), BYTES)
        begun(server, fetch)
        (stored,) = server.files
        assert stored.path is not None
        folder = stored.path.parent
        assert folder.is_dir()
    assert not folder.exists()


async def test_googles_own_client(server: Standin) -> None:
    """Google's SDK uploads, describes, lists and deletes a file, at once and awaited."""
    sdk = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url))
    config = types.UploadFileConfig(mime_type="image/png", display_name="d")
    try:
        one = sdk.files.upload(file=BytesIO(BYTES), config=config)
        other = await sdk.aio.files.upload(file=BytesIO(BYTES), config=config)
        for file in (one, other):
            assert (file.display_name, file.size_bytes) == ("d", len(BYTES))
            assert file.expiration_time is not None
            assert file.create_time is not None
            assert (file.expiration_time - file.create_time).total_seconds() == 2 * DAY
        assert [file.name for file in sdk.files.list()] == [one.name, other.name]
        assert one.name is not None
        sdk.files.delete(name=one.name)
        with pytest.raises(genai_errors.ClientError):
            sdk.files.get(name=one.name)
    finally:
        sdk.close()
        await sdk.aio.aclose()
