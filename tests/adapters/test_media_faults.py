"""Media through faults, answers out of order and quotas: each item has its own vector."""

from __future__ import annotations

import random
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from llama_index.core.schema import ImageNode, MediaResource, Node, TextNode
from media.samples import mp4, pdf, png, wav

from gemini_embed import Media
from gemini_embed.standin import Scripted, Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding, MediaHashes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 500
DIMENSION = 128
OPTIONS = {
    "output_dimensionality": DIMENSION,
    "max_retries": 50,
    "retry_min_seconds": 0.001,
    "retry_max_seconds": 0.002,
}
SHARES = {"text": 8, "picture": 8, "both": 3, "sound": 1, "film": 1, "page": 1}
REFUSED = {"code": 429, "message": "Slower.", "status": "RESOURCE_EXHAUSTED"}
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.05s"}
PREFIX = "title: none | text: "


@pytest.fixture
def harsh() -> Iterator[Standin]:
    """Return a stand-in that errs, has a quota, and answers early requests late."""
    faults = dict.fromkeys(
        ("503", "500", "reset", "half", "not-json", "short", "empty", "nan", "wrong-dimension"),
        0.03,
    )
    refusal: Scripted = (429, {"error": {**REFUSED, "details": [DELAY]}}, {})
    over = Event()
    with Standin(faults=faults, requests=100, window=0.25, seed=7) as standin:  # type: ignore[arg-type] # names of faults
        standin.script.extend([None, None, refusal, *[None] * 5, refusal])

        def vary() -> None:
            drawn = random.Random(7)  # noqa: S311 - guards nothing
            while not over.wait(0.002):
                standin.latency = drawn.choice((0, 0, 0.01, 0.02))

        varying = Thread(target=vary)
        varying.start()
        yield standin
        over.set()
        varying.join()


def contents() -> list[Any]:
    """Return what is sent of each item: mixed, and some of it twice."""
    drawn = random.Random(3)  # noqa: S311 - guards nothing
    kinds = drawn.choices(
        ["text", "picture", "both", "sound", "film", "page"], [8, 8, 3, 1, 1, 1], k=COUNT
    )
    made: list[Any] = []
    for number, kind in enumerate(kinds):
        match kind:
            case "text":
                made.append(f"text {number}")
            case "picture":
                made.append(png(number, size=drawn.choice((0, 2_000, 60_000))))
            case "both":
                made.append([f"caption {number}", png(number)])
            case "sound":
                made.append(wav(0.1, number))
            case "film":
                made.append(mp4(number / 10 + 0.1))
            case _:
                made.append(pdf(1, number))
    made[-20:] = made[:20]
    return made


def expected(server: Standin, sent: list[Any]) -> list[list[float]]:
    as_sent = [PREFIX + one if isinstance(one, str) else one for one in sent]
    vectors = [server.vector(one, None, "gemini-embedding-2", DIMENSION) for one in as_sent]
    return [[float(number) for number in np.array(one, np.float32)] for one in vectors]


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_langchain(harsh: Standin, way: str) -> None:
    """500 texts, pictures, sounds, films and pages: every vector belongs to its item."""
    sent = contents()
    items = [[one[0], Media.from_bytes(one[1])] if isinstance(one, list) else one for one in sent]
    with GeminiEmbeddings(google_api_key="a-key", base_url=harsh.url, **OPTIONS) as made:  # type: ignore[arg-type] # mixed
        vectors = made.embed_media(items) if way == "sync" else await made.aembed_media(items)

    assert vectors == expected(harsh, sent)
    assert {0, 429, 500, 503} & {exchange.status for exchange in harsh.log} > {429}


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_llamaindex(harsh: Standin, tmp_path: Path, way: str) -> None:
    """The same as nodes, on disk and in memory: every vector belongs to its node."""
    sent = contents()
    nodes = MediaHashes()([_node(one, tmp_path / str(i)) for i, one in enumerate(sent)])
    with GeminiEmbedding(api_key="a-key", base_url=harsh.url, **OPTIONS) as made:  # type: ignore[arg-type] # mixed
        embedded = made(nodes) if way == "sync" else await made.acall(nodes)

    assert [node.embedding for node in embedded] == expected(harsh, sent)


def _node(content: Any, path: Path) -> Any:
    if isinstance(content, str):
        return TextNode(text=content)
    text, data = content if isinstance(content, list) else ("", content)
    path.write_bytes(data)
    if data.startswith(b"\x89PNG"):
        return ImageNode(image_path=str(path), text=text)
    return Node(video_resource=MediaResource(data=data))
