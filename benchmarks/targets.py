"""The figures that the project has promised itself, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Target:
    """One figure and its bound.

    Attributes:
        what: In words.
        is_at: Whether the figure must be at least or at most the bound.
        bound: The bound.
        unit: Printed behind the number.
    """

    what: str
    is_at: Literal["least", "most"]
    bound: float
    unit: str = "x"

    def met(self, value: float) -> bool:
        """Say whether a measured value is good enough."""
        return value >= self.bound if self.is_at == "least" else value <= self.bound


TARGETS = {
    "langchain-sync": Target(
        "LangChain sync, 300 ms: throughput over the official one's", "least", 7
    ),
    "langchain-async": Target(
        "LangChain async, 300 ms: throughput over the official one's", "least", 7
    ),
    "llamaindex-sync": Target(
        "LlamaIndex sync, 300 ms: throughput over the official one's", "least", 6
    ),
    "llamaindex-async": Target(
        "LlamaIndex async, 30 at once, 300 ms: throughput over the official one's, unbounded",
        "least",
        1.5,
    ),
    "zero-core": Target("core, 0 ms: throughput over the bare SDK's", "least", 0.9),
    "zero-langchain": Target("LangChain, 0 ms: throughput over the bare SDK's", "least", 0.9),
    "zero-llamaindex": Target("LlamaIndex, 0 ms: throughput over the bare SDK's", "least", 0.9),
    "cpu-core": Target("core: processor time a text over the bare SDK's", "most", 0.45),
    "cpu-langchain": Target("LangChain: processor time a text over the bare SDK's", "most", 0.65),
    "cpu-llamaindex": Target("LlamaIndex: processor time a text over the bare SDK's", "most", 0.65),
    "stall-core": Target("core: longest stall of the caller's loop", "most", 20, " ms"),
    "stall-langchain": Target("LangChain: longest stall of the caller's loop", "most", 60, " ms"),
    "stall-llamaindex": Target("LlamaIndex: longest stall of the caller's loop", "most", 60, " ms"),
    "query": Target("single query: p50 above the bare SDK's", "most", 1.0, " ms"),
    "memory": Target(
        "20,000 texts at 768: peak over 1.2 times what is returned + 150 MB", "most", 1.0
    ),
    "memory-fast": Target(
        "peak memory over the one without the fast decoder, the worst of all", "most", 1.0
    ),
    "unknown-quota-time": Target("unknown quota: time over the ideal", "most", 1.1),
    "unknown-quota-refused": Target(
        "unknown quota: refused requests in a window after the first", "most", 3, ""
    ),
    "known-quota-time": Target("known quota: time over the ideal", "most", 1.05),
    "known-quota-refused": Target("known quota: refused requests", "most", 0, ""),
    "quotas": Target("bench of services: rows that miss their goal", "most", 0, ""),
    "storm": Target("fault storm: texts without their own vector", "most", 0, ""),
    "cache-rate": Target("cache: 20,000 known texts at 768, texts/s", "least", 50_000, " /s"),
    "cache-overhead": Target("cache: filling it at 100 ms, of the time", "most", 5, " %"),
    "cache-size-768": Target("cache: file over float32 bytes, 768", "most", 1.15),
    "cache-size-3072": Target("cache: file over float32 bytes, 3072", "most", 1.15),
    "traced": Target(
        "OpenTelemetry on: processor time a call above that without", "most", 0.2, " ms"
    ),
    "import": Target("import of an adapter above its framework's base class", "most", 0.2, " s"),
    "first-call": Target("first call: stall of a running loop", "most", 250, " ms"),
}
