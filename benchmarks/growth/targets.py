"""What growth is held to."""

from __future__ import annotations

from benchmarks.targets import Target

TARGETS = {
    "embed": Target("`embed`: time of 1,000,000 texts over that of 100,000", "most", 11),
    "embed_stream": Target("`embed_stream`: likewise", "most", 11),
    "stream-memory": Target("`embed_stream`: memory above rest, at any length", "most", 150, " MB"),
    "shared-used": Target("processes on one quota: of it used, the least", "least", 95, " %"),
    "shared-refused": Target("processes on one quota: refused requests", "most", 0, ""),
    "shared-p99": Target("processes on one quota: p99 of a query, the longest", "most", 5, " s"),
    "ray-used": Target("workers of Ray on one quota: of it used, the least", "least", 95, " %"),
    "ray-refused": Target("workers of Ray on one quota: refused requests", "most", 0, ""),
    "ray-wrong": Target("workers of Ray: rows without their own vector", "most", 0, ""),
    "day-used": Target("simulated day: of the minutes' quota used, if told", "least", 95, " %"),
}
