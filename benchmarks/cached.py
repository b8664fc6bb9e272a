"""The section about the cache: runs with all texts known, with none, and the size of the file."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import Server
from benchmarks.results import Section, Table
from benchmarks.texts import MODEL, numbered
from gemini_embed import GeminiEmbedder
from gemini_embed.cache import SQLiteCache, cache_keys
from gemini_embed.contents import Content

if TYPE_CHECKING:
    from benchmarks.field import Bench

_LATENCY = 0.1
_DIMENSIONS = (768, 3072)


def cache(bench: Bench) -> Section:
    """What the cache costs, what it saves, and how large its file is."""
    texts = numbered(0, bench.sizes.memory_texts)
    section = Section(
        "Cache",
        f"The core, {len(texts):,} texts; the service takes {_LATENCY * 1000:g} ms. Runs with an "
        f"empty cache and without one take turns; median of {bench.sizes.repeats}. Then all texts "
        "again, all of them known; hashing, which is part of that, also by itself.",
    )
    rows = []
    with Server(latency=_LATENCY) as server, tempfile.TemporaryDirectory() as folder:
        for dimension in _DIMENSIONS:
            cold = texts if dimension == _DIMENSIONS[0] else texts[: len(texts) // 4]
            without, filling, known, sizes = [], [], [], []
            for turn in range(bench.sizes.repeats):
                path = Path(folder) / f"{dimension}-{turn}"
                without.append(_seconds(server.url, cold, dimension, None))
                filling.append(_seconds(server.url, cold, dimension, path))
                known.append(_seconds(server.url, cold, dimension, path))
                sizes.append(_size(path) / (len(cold) * dimension * 4))
            overhead = statistics.median(filling) / statistics.median(without) - 1
            rate = len(cold) / statistics.median(known)
            rows.append(
                (
                    str(dimension),
                    f"{len(cold) / statistics.median(without):,.0f}",
                    f"{overhead:+.1%}",
                    f"{rate:,.0f}",
                    f"{len(cold) / _hashing(cold, dimension):,.0f}",
                    f"{max(sizes):.3f}",
                )
            )
            section.figures[f"cache-size-{dimension}"] = max(sizes)
            if dimension == _DIMENSIONS[0]:
                section.figures |= {"cache-rate": rate, "cache-overhead": 100 * overhead}
    columns = (
        "dimensions",
        "without, texts/s",
        "filling costs",
        "all known, texts/s",
        "hashing alone, texts/s",
        "file over float32",
    )
    section.tables.append(Table("", columns, rows))
    return section


def _seconds(url: str, texts: list[str], dimension: int, path: Path | None) -> float:
    embedder = GeminiEmbedder(
        model=MODEL, api_key="any", base_url=url, output_dimensionality=dimension, cache=path
    )
    embedder.embed(["warm up"], role="query")
    gc.collect()  # which of the runs would have to do it is chance
    began = time.perf_counter()
    embedder.embed(texts, role="document")
    return time.perf_counter() - began


def _hashing(texts: list[str], dimension: int) -> float:
    began = time.perf_counter()
    contents = (Content.of(text, "RETRIEVAL_DOCUMENT") for text in texts)
    cache_keys(contents, model=MODEL, dimension=dimension, service=None)
    return time.perf_counter() - began


def _size(path: Path) -> int:
    """Return the file's size after a checkpoint."""
    cache = SQLiteCache(path)
    cache.stats()
    cache.close()
    return path.stat().st_size
