"""A server that embeds whatever it gets: each content its own vector, by its hash.

So a test can tell of every vector to which item it belongs, whatever order requests came in. It
counts tokens by kind as Google does, and can be told to fail, to be slow, or to refuse sizes.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    Fault = Callable[[int, list[Any]], tuple[int, dict[str, Any]] | None]

DIMENSION = 8
KINDS = {"image": "IMAGE", "audio": "AUDIO", "video": "VIDEO", "application": "DOCUMENT"}


def vector_of(parts: list[Any]) -> list[float]:
    """Return what the server makes of a content's parts, as they were sent."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    return [float(number) for number in np.frombuffer(digest[:DIMENSION], np.uint8) + 1.0]


def unit(parts: list[Any]) -> NDArray[np.float32]:
    return np.array(vector_of(parts), np.float32)


@dataclass
class Echo:
    """What the server got, and what it is told to do.

    Attributes:
        url: Its address.
        bodies: Of each request, in the order in which they came.
        sizes: Their lengths in bytes, as their headers say.
        fault: Returns the answer to a request instead of vectors; it gets the request's number.
        delay: Seconds before each answer.
    """

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    sizes: list[int | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    fault: Fault | None = None
    delay: float = 0.0
    keeps: bool = True

    @property
    def contents(self) -> list[list[list[Any]]]:
        """The parts of each content of each request."""
        return list(map(contents_of, self.bodies))


def contents_of(body: Any) -> list[list[Any]]:
    requests = body.get("requests", [body])
    return [one["content"]["parts"] for one in requests]


def inline(data: bytes, mime_type: str) -> dict[str, Any]:
    """Return a part as it is sent to the Gemini API."""
    import base64  # noqa: PLC0415

    return {"inline_data": {"mime_type": mime_type, "data": base64.b64encode(data).decode()}}


def _usage(contents: list[list[Any]]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for parts in contents:
        for part in parts:
            held = next(iter(part.values()))
            if isinstance(held, str):
                counts["TEXT"] = counts.get("TEXT", 0) + len(held.split())
            else:
                mime_type = held.get("mime_type") or held["mimeType"]
                kind = KINDS[mime_type.partition("/")[0]]
                counts[kind] = counts.get(kind, 0) + 258
    details = [{"modality": kind, "tokenCount": count} for kind, count in counts.items()]
    return {"promptTokenCount": sum(counts.values()), "promptTokenDetails": details}


@contextmanager
def echo() -> Generator[Echo]:
    """Serve on loopback."""
    told = Echo()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = self.headers["content-length"]
            raw = self.rfile.read(int(length))
            body = json.loads(raw)
            with lock:
                number = len(told.paths)
                told.paths.append(self.path)
                told.sizes.append(int(length))
                if told.keeps:
                    told.bodies.append(body)
            time.sleep(told.delay)
            contents = contents_of(body)
            answer = None if told.fault is None else told.fault(number, contents)
            status, shown = answer or (200, self._embedded(contents))
            data = json.dumps(shown).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _embedded(self, contents: list[list[Any]]) -> dict[str, Any]:
            values = [{"values": vector_of(parts)} for parts in contents]
            usage = {"usageMetadata": _usage(contents)}
            if self.path.endswith(":embedContent"):
                return {"embedding": values[0], **usage}
            return {"embeddings": values, **usage}

        def log_message(self, *_: Any, **__: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
