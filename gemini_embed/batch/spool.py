"""The spool: a file beside the cache that holds a run's texts, as they are uploaded, until the end.

Each line is a row of the service's input: its key, which is that of its vector in the cache, and
the request. Only its owner can read the file.
"""

from __future__ import annotations

import json
import os
from array import array
from glob import escape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gemini_embed.contents import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gemini_embed.models import BackendName

_PRIVATE = 0o600

_NESTED = "embed_content_config"
_NAMES: Mapping[BackendName, tuple[str, str, str]] = {
    "gemini": ("taskType", "title", "outputDimensionality"),
    "vertex": ("task_type", "title", "output_dimensionality"),
}
"""How rows name the options of a content. Of Vertex AI it is what Google's page on its batches
shows."""


def new_path(cache: Path, run: str) -> Path:
    """Return where a spool of a run is to lie; two processes that begin it have one each."""
    return cache.with_name(f"{cache.name}.batch-{run}-{uuid4().hex[:8]}.jsonl")


def write(path: Path, lines: Iterable[bytes]) -> array[int]:
    """Write a spool, and return where each line begins, and the end.

    Raises:
        OSError: It cannot be written; there is none then.
    """
    offsets = array("Q", [0])
    try:
        # Only its owner may read it, from the first byte on.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            for line in lines:
                file.write(line)
                offsets.append(offsets[-1] + len(line))
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return offsets


def line_of(key: str, content: Content, dimension: int | None, backend: BackendName) -> bytes:
    """Return the line of a content: a row of the service's input."""
    request = {
        "content": {"parts": [{"text": part} for part in content.parts]},
        **_options(content, dimension, backend),
    }
    return json.dumps({"key": key, "request": request}, ensure_ascii=False).encode() + b"\n"


def _options(content: Content, dimension: int | None, backend: BackendName) -> dict[str, Any]:
    """Return what stands beside a content in its row: on Vertex AI under one name, if at all."""
    values = (content.task_type, content.title, dimension)
    named = zip(_NAMES[backend], values, strict=True)
    held = {name: value for name, value in named if value is not None}
    return {_NESTED: held} if held and backend == "vertex" else held


def content_of(line: bytes) -> Content:
    """Return the content of a line."""
    request: dict[str, Any] = json.loads(line)["request"]
    parts = tuple(part["text"] for part in request["content"]["parts"])
    options: dict[str, Any] = request.get(_NESTED, request)
    task_type, title = options.get("taskType") or options.get("task_type"), options.get("title")
    letters = sum(map(len, parts)) + len(title or "")
    return Content(parts, task_type, title, letters)


def pieces(path: Path, start: int, end: int, size: int) -> Iterator[bytes]:
    """Yield the bytes between two places, in pieces of a size; the last may be shorter.

    Raises:
        OSError: The spool is gone, or shorter than that.
    """
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            piece = file.read(min(size, end - start))
            if not piece:
                raise OSError(f"{path} ends too early")
            start += len(piece)
            yield piece


def contents_at(path: Path, spans: Iterable[tuple[int, int]]) -> list[Content]:
    """Return the contents whose lines lie between pairs of places.

    Raises:
        OSError: The spool is gone.
    """
    with path.open("rb") as file:
        found = []
        for start, end in spans:
            file.seek(start)
            found.append(content_of(file.read(end - start)))
        return found


def delete_all(cache: Path, run: str) -> None:
    """Delete the spool of a run, and what others began that never went into the ledger."""
    for path in cache.parent.glob(f"{escape(cache.name)}.batch-{run}-*.jsonl"):
        path.unlink(missing_ok=True)
