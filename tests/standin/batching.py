"""What tests of the stand-in's Batch API send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.standin import Standin

    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]

NEW, OLD = "gemini-embedding-2", "gemini-embedding-001"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def row(text: str, key: str, **extra: Any) -> dict[str, Any]:
    request = {"content": {"parts": [{"text": text}]}, "outputDimensionality": 64, **extra}
    return {"key": key, "request": request}


def rows(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each text, whose key is the text."""
    return [row(text, text) for text in texts]


class Caller:
    """A plain client of the Batch API."""

    def __init__(self, server: Standin, fetch: Fetch, version: str = "v1beta") -> None:
        self.server = server
        self.root = f"{server.url}/{version}"
        self._fetch = fetch
        self._version = version

    def ask(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        status, _, raw = self._fetch(f"{self.root}/{path}", body, method=method)
        return status, json.loads(raw)

    def get(self, path: str) -> Any:
        status, answered = self.ask(path, method="GET")
        assert status == 200, answered
        return answered

    def upload(self, lines: Sequence[Any]) -> str:
        """Return the name of a file with these rows."""
        raw = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        url = f"{self.server.url}/upload/{self._version}/files"
        headers = self._fetch(url, {"file": {"mimeType": "jsonl"}}, headers=start)[1]
        last = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        body = self._fetch(headers["X-Goog-Upload-URL"], raw, headers=last)[2]
        name: str = json.loads(body)["file"]["name"]
        return name

    def create(self, source: Any, model: str = NEW, name: str = "d") -> tuple[int, Any]:
        """Create a job of a file, or of rows that go along."""
        given = {"file_name": source} if isinstance(source, str) else {"requests": source}
        body = {"batch": {"displayName": name, "inputConfig": given}}
        return self.ask(f"models/{model}:asyncBatchEmbedContent", body)

    def created(self, texts: Sequence[str], model: str = NEW, name: str = "d") -> str:
        """Return the name of a job that embeds these texts."""
        status, answered = self.create(self.upload(rows(texts)), model, name)
        assert status == 200, answered
        job: str = answered["name"]
        return job

    def state(self, job: str) -> str:
        state: str = self.get(job)["metadata"]["state"]
        return state.removeprefix("BATCH_STATE_")

    def download(self, name: str) -> list[Any]:
        """Return the rows of a file of results, in their order."""
        url = f"{self.root}/{name}:download?alt=media"
        status, _, raw = self._fetch(url, method="GET")
        assert status == 200
        return [json.loads(line) for line in raw.splitlines()]

    def results(self, job: str) -> list[Any]:
        return self.download(self.get(job)["response"]["responsesFile"])
