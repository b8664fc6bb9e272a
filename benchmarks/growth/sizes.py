"""Time and memory of one load, by its size."""

from __future__ import annotations

import sys
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.contestants import Settings
from benchmarks.processes import Broken, Conversation, Worker
from benchmarks.results import Section, Table

if TYPE_CHECKING:
    from benchmarks.growth.amounts import Amounts

_WAYS = {
    "core": "embed",
    "stream": "embed_stream",
    "langchain": "LangChain, embed_documents",
    "llamaindex": "LlamaIndex, get_text_embedding_batch",
}
_ADAPTERS = {"langchain", "llamaindex"}

_WARM_UP = 100
_PATIENCE = 120.0
_SLOWEST = 100
"""Texts a second."""

_MANY = 100_000
"""Texts; a larger load is run once."""

_MEGABYTE = 1e6

_HOW = (
    "Texts of ten words, {dimension} dimensions, gemini-embedding-001, 100 texts a request, "
    "defaults. The service answers at once, in a process of its own on the same cores. Each run is "
    "in a fresh process, after a first call: what it has in memory then is at rest, the texts "
    "included, if they are a list; `embed_stream` makes them as it goes. Memory is the highest "
    "above that. {runs} of up to 100,000 texts, one of more."
)


class _Run(NamedTuple):
    seconds: float
    cpu: float
    above_rest: float
    returned: float


def sizes(amounts: Amounts) -> Section:
    """Return what loads of each size took."""
    section = Section("Size of a load", _how(amounts))
    rows, seconds = [], {}
    with Conversation(sys.executable, "benchmarks.canned", "{}") as server:
        url = server.read(_PATIENCE)
        for kind, way in _WAYS.items():
            for count in amounts.texts:
                if kind in _ADAPTERS and count > amounts.adapters:
                    continue
                found = _measured(kind, url, amounts, count)
                seconds[kind, count] = found.seconds
                rows.append((way, *_cells(count, found)))
                if kind == "stream":
                    most = max(section.figures.get("stream-memory", 0.0), found.above_rest)
                    section.figures["stream-memory"] = most
    heads = ("", "texts", "s", "texts/s", "CPU ms/text", "MB above rest", "MB of vectors")
    section.tables.append(Table("", heads, rows))
    for kind, name in (("core", "embed"), ("stream", "embed_stream")):
        if {(kind, 100_000), (kind, 1_000_000)} <= seconds.keys():
            section.figures[name] = seconds[kind, 1_000_000] / seconds[kind, 100_000]
    return section


def _how(amounts: Amounts) -> str:
    runs = "One run" if amounts.runs == 1 else f"The middle of {amounts.runs} runs"
    return _HOW.format(dimension=amounts.dimension, runs=runs)


def _cells(count: int, found: _Run) -> tuple[str, ...]:
    return (
        f"{count:,}",
        f"{found.seconds:,.1f}",
        f"{count / found.seconds:,.0f}",
        f"{1000 * found.cpu / count:.3f}",
        f"{found.above_rest:,.0f}",
        f"{found.returned:,.0f}",
    )


def _measured(kind: str, url: str, amounts: Amounts, count: int) -> _Run:
    runs = amounts.runs if count <= _MANY else 1
    found = [_run(kind, url, amounts.dimension, count) for _ in range(runs)]
    return _Run(*(median(values) for values in zip(*found, strict=True)))


def _run(kind: str, url: str, dimension: int, count: int) -> _Run:
    settings = asdict(Settings(base_url=url, dimension=dimension))
    job = {"op": "embed", "mode": "sync", "settings": settings, "start": 0, "count": _WARM_UP}
    with Worker(kind) as worker:
        worker.ask(job, _PATIENCE)
        asked = job | {"start": _WARM_UP, "count": count}
        answer: dict[str, Any] = worker.ask(asked, _PATIENCE + count / _SLOWEST)
    if answer["error"] is not None or answer["vectors"] != count:
        raise Broken(f"{kind}: {answer['vectors']} vectors, {answer['error']}")
    return _Run(
        answer["seconds"],
        answer["cpu"],
        (answer["peak"] - answer["before"]) / _MEGABYTE,
        answer["returned"] / _MEGABYTE,
    )
