"""A running stand-in, and the plainest of clients."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from standin.messages import OLD, TOKEN, address

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture
def server() -> Iterator[Standin]:
    with Standin() as running:
        yield running


@pytest.fixture
def fetch() -> Fetch:
    """Send one request and return status, headers and body as they came."""

    def send(
        url: str,
        body: Any = None,
        key: str | None = "k",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        raw = body if isinstance(body, bytes) else json.dumps(body)
        sent = dict(headers or {}) | ({} if key is None else {"X-Goog-Api-Key": key})
        try:
            connection.request(method, target, None if method == "GET" else raw, sent)
            with connection.getresponse() as response:
                return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    return send


@pytest.fixture
def ask(
    fetch: Fetch,
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Ask for embeddings of texts; return status and parsed body.

    `extra` goes into every entry; `requests` replaces the entries.
    """

    def send(
        server: Standin,
        *texts: str,
        model: str = "gemini-embedding-001",
        version: str = "v1beta",
        requests: list[dict[str, Any]] | None = None,
        **extra: Any,
    ) -> tuple[int, dict[str, Any]]:
        if requests is None:
            requests = [
                {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **extra}
                for text in texts
            ]
        url = f"{server.url}/{version}/models/{model}:batchEmbedContents"
        status, _, raw = fetch(url, {"requests": requests})
        parsed: dict[str, Any] = json.loads(raw)
        return status, parsed

    return send


@pytest.fixture
def post(fetch: Fetch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Send one request to Vertex AI with an access token; return status and parsed body."""

    def send(
        server: Standin, method: str, body: Any, model: str = OLD, **where: str
    ) -> tuple[int, dict[str, Any]]:
        url = address(server, method, model, **where)
        status, _, raw = fetch(url, body, key=None, headers=TOKEN)
        parsed: dict[str, Any] = json.loads(raw)
        return status, parsed

    return send
