"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything; the defaults are those of a plain run.

    Attributes:
        repeats: Runs, of which the median counts.
        texts: For throughput and stalls.
        latencies: Of the service, for throughput, in seconds; 0 and 0.3 have targets.
        queries: In one run.
        memory_texts: For peak memory.
        memory_dimensions: The first one has the target.
        quota_texts: For the unknown quota.
        quota_window: Its window, in seconds.
        storm_texts: For the fault storm.
        service_hours: Of ideal time, for each row of the bench of services.
        service_pairs: Combinations in that, beside single values.
        known_quota: Whether the known quota is measured, which takes two minutes.
    """

    repeats: int = 5
    texts: int = 2000
    latencies: tuple[float, ...] = (0.0, 0.1, 0.3)
    queries: int = 100
    memory_texts: int = 20_000
    memory_dimensions: tuple[int, ...] = (768, 3072)
    quota_texts: int = 3000
    quota_window: float = 5.0
    storm_texts: int = 5000
    service_hours: float = 4.0
    service_pairs: int = 300
    known_quota: bool = False


PLAIN = Sizes()
FULL = Sizes(texts=3000, queries=300, known_quota=True)
QUICK = Sizes(
    repeats=1,
    texts=600,
    latencies=(0.0, 0.3),
    queries=30,
    memory_texts=2000,
    memory_dimensions=(768,),
    quota_texts=900,
    quota_window=2.0,
    storm_texts=1000,
    service_hours=0.2,
    service_pairs=0,
)
