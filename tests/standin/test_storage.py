"""Cloud Storage's JSON API of the stand-in."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from standin.messages import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from standin.conftest import Fetch

    from gemini_embed.standin import Standin

PIECE = 2**18


class Bucket:
    """A plain client of one bucket."""

    def __init__(self, server: Standin, fetch: Fetch, name: str = "my-bucket") -> None:
        self.root = f"{server.url}/storage/v1/b/{name}/o"
        self.uploads = f"{server.url}/upload/storage/v1/b/{name}/o"
        self._fetch = fetch

    def ask(
        self, url: str, body: Any = b"", method: str = "GET", headers: Mapping[str, str] = TOKEN
    ) -> tuple[int, dict[str, str], bytes]:
        return self._fetch(url, body, key=None, method=method, headers=headers)

    def put(self, name: str, data: bytes, query: str = "") -> tuple[int, Any]:
        url = f"{self.uploads}?uploadType=media&name={quote(name, safe='')}{query}"
        status, _, raw = self.ask(url, data, "POST")
        return status, json.loads(raw)

    def get(self, name: str, *, query: str = "", **headers: str) -> tuple[int, bytes]:
        url = f"{self.root}/{quote(name, safe='')}{query}"
        status, answered, raw = self.ask(url, headers={**TOKEN, **headers})
        packed = answered.get("Content-Encoding") == "gzip"
        return status, gzip.decompress(raw) if packed else raw

    def delete(self, name: str) -> int:
        return self.ask(f"{self.root}/{quote(name, safe='')}", method="DELETE")[0]

    def begin(self, name: str, query: str = "") -> tuple[int, str]:
        url = f"{self.uploads}?uploadType=resumable&name={quote(name, safe='')}{query}"
        status, headers, _ = self.ask(url, {"contentType": "application/jsonl"}, "POST")
        return status, headers.get("Location", "")

    def send(self, session: str, piece: bytes, place: str) -> tuple[int, str | None]:
        """Send a piece; return the status, and how much the service then has."""
        headers = {"Content-Range": f"bytes {place}"}
        status, answered, _ = self.ask(session, piece, "PUT", headers)
        return status, answered.get("Range")


@pytest.fixture
def bucket(server: Standin, fetch: Fetch) -> Bucket:
    return Bucket(server, fetch)


def reason(raw: bytes) -> str:
    (error,) = json.loads(raw)["error"]["errors"]
    assert error["domain"] == "global"
    said: str = error["reason"]
    return said


def test_an_object_from_its_upload_to_its_end(server: Standin, bucket: Bucket) -> None:
    """Its name may hold slashes; it is described, read, and gone once it is deleted."""
    status, stored = bucket.put("a folder/in.jsonl", b"some bytes")
    assert (status, stored["name"], stored["size"]) == (200, "a folder/in.jsonl", "10")
    (held,) = server.objects
    assert (held.uri, held.path.read_bytes()) == ("gs://my-bucket/a folder/in.jsonl", b"some bytes")
    status, raw = bucket.get("a folder/in.jsonl")
    assert (status, json.loads(raw)) == (200, stored)
    assert bucket.get("a folder/in.jsonl", query="?alt=media") == (200, b"some bytes")
    assert bucket.delete("a folder/in.jsonl") == 204
    assert server.objects == []
    assert bucket.delete("a folder/in.jsonl") == 404
    status, raw = bucket.get("a folder/in.jsonl", query="?alt=media")
    assert (status, reason(raw)) == (404, "notFound")


def test_a_resumable_upload(server: Standin, bucket: Bucket) -> None:
    """It comes in pieces, and the service says how much of it has come."""
    status, session = bucket.begin("in.jsonl", "&ifGenerationMatch=0")
    data = bytes(range(256)) * 2048 + b"end"
    size = len(data)
    assert (status, server.objects) == (200, [])
    assert bucket.send(session, b"", f"*/{size}") == (308, None)
    assert bucket.send(session, data[:PIECE], f"0-{PIECE - 1}/{size}") == (308, "bytes=0-262143")
    assert bucket.send(session, b"", f"*/{size}") == (308, "bytes=0-262143")
    # What the service has already may come again.
    assert bucket.send(session, data[100:], f"100-{size - 1}/{size}")[0] == 200
    assert server.objects[0].path.read_bytes() == data
    assert bucket.send(session, b"", f"*/{size}")[0] == 404


def test_pieces_are_kept_in_multiples(server: Standin, bucket: Bucket) -> None:
    """What is beyond a multiple of 256 KiB has to come again; a shorter piece is refused."""
    _, session = bucket.begin("in.jsonl")
    data = b"x" * (PIECE + 100)
    assert bucket.send(session, b"x" * 100, "0-99/*") == (400, None)
    assert bucket.send(session, data, f"0-{PIECE + 99}/*") == (308, "bytes=0-262143")
    assert bucket.send(session, b"y", f"{PIECE + 5}-{PIECE + 5}/*")[0] == 400
    assert bucket.send(session, b"end", f"{PIECE}-{PIECE + 2}/{PIECE + 3}")[0] == 200
    assert server.objects[0].path.read_bytes() == b"x" * PIECE + b"end"


def test_a_multipart_upload(server: Standin, bucket: Bucket) -> None:
    """The description comes first, and then the bytes."""
    body = (
        b'--sep\r\nContent-Type: application/json\r\n\r\n{"name":"a/b"}\r\n'
        b"--sep\r\nContent-Type: text/plain\r\n\r\nhello\r\n--sep--"
    )
    headers = {**TOKEN, "Content-Type": "multipart/related; boundary=sep"}
    status, _, raw = bucket.ask(f"{bucket.uploads}?uploadType=multipart", body, "POST", headers)
    stored = json.loads(raw)
    assert (status, stored["name"], stored["contentType"]) == (200, "a/b", "text/plain")
    assert server.objects[0].path.read_bytes() == b"hello"


def test_an_object_that_may_not_be_there(bucket: Bucket) -> None:
    """`ifGenerationMatch` keeps what is there, whichever way the other one comes."""
    generation = bucket.put("a", b"first")[1]["generation"]
    status, answered = bucket.put("a", b"second", "&ifGenerationMatch=0")
    assert (status, answered["error"]["errors"][0]["reason"]) == (412, "conditionNotMet")
    assert bucket.begin("a", "&ifGenerationMatch=0")[0] == 412
    assert bucket.put("a", b"third", f"&ifGenerationMatch={generation}")[0] == 200
    assert bucket.get("a", query="?alt=media") == (200, b"third")


def test_the_pages_of_a_list(bucket: Bucket) -> None:
    """All pages together name every object whose name begins so, in the order of the names."""
    for name in ("b/2", "a", "b/1", "b/3", "c"):
        bucket.put(name, b"")
    assert json.loads(bucket.ask(f"{bucket.root}?prefix=d")[2]) == {"kind": "storage#objects"}
    seen, token = [], ""
    while True:
        page = json.loads(bucket.ask(f"{bucket.root}?prefix=b/&maxResults=2&pageToken={token}")[2])
        seen += [one["name"] for one in page["items"]]
        if not (token := page.get("nextPageToken", "")):
            break
    assert seen == ["b/1", "b/2", "b/3"]


def test_a_download_in_parts(bucket: Bucket) -> None:
    """Some bytes of an object, or all of them packed."""
    bucket.put("a", b"0123456789" * 1000)
    assert bucket.get("a", query="?alt=media", Range="bytes=3-5") == (206, b"345")
    assert bucket.get("a", query="?alt=media", Range="bytes=9995-") == (206, b"56789")
    assert bucket.get("a", query="?alt=media", Range="bytes=10000-")[0] == 416
    packed = {"Accept-Encoding": "gzip"}
    assert bucket.get("a", query="?alt=media", **packed) == (200, b"0123456789" * 1000)


def test_who_may_not(server: Standin, fetch: Fetch, bucket: Bucket) -> None:
    """A token is needed, a key is none; one bucket is closed, and one is not there."""
    for headers, why in (
        ({}, "required"),
        ({"Authorization": "Bearer invalid-token"}, "authError"),
    ):
        status, _, raw = bucket.ask(bucket.root, headers=headers)
        assert (status, reason(raw)) == (401, why)
    assert fetch(bucket.root, key="k", method="GET")[0] == 401
    for name, status in (("closed-bucket", 403), ("no-such-bucket", 404)):
        other = Bucket(server, fetch, name)
        assert [other.put("a", b"")[0], other.begin("a")[0], other.delete("a")] == [status] * 3
        assert [other.ask(other.root)[0], other.get("a")[0]] == [status] * 2


def test_what_is_placed_is_an_object(server: Standin, bucket: Bucket) -> None:
    """A test may put it there, too."""
    server.place("gs://my-bucket/x/y.png", b"bytes")
    assert bucket.get("x/y.png", query="?alt=media") == (200, b"bytes")
