"""`python -m benchmarks.ray_quota`: four workers of Ray on one quota, and what it comes to.

Run it in the environment of `make test-ray`. The workers share 100 texts in 10 seconds by the
actor of `gemini_embed.scale.ray.shared`; the stand-in has the same limit, and its own clock. Shown
are the refusals, the most in any window, how much of the quota was used from the third period on,
and how many rows have not their own vector. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import ray

from benchmarks.windows import SETTLING, Limit, sent_to, use_of
from gemini_embed import GeminiEmbedder, Quota
from gemini_embed.scale.ray import Embed, shared
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL, DIMENSION, WORKERS = "gemini-embedding-2", 128, 4


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_quota", description=__doc__)
    parser.add_argument("--periods", type=int, default=12, help="how many are counted (12)")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--limit", type=int, default=Limit().texts)
    parser.add_argument("--period", type=float, default=Limit().period)
    given = parser.parse_args()
    print(json.dumps(run(given.workers, Limit(given.limit, given.period), given.periods)))


def run(workers: int, limit: Limit, periods: int) -> dict[str, Any]:
    """Embed so many rows that the quota is used for that long; return what it came to."""
    rows = limit.texts * (SETTLING + periods + 1)
    with Standin(requests=limit.texts, window=limit.period) as server:
        ray.init(num_cpus=2, include_dashboard=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        embedder = GeminiEmbedder(
            api_key="k",
            base_url=server.url,
            output_dimensionality=DIMENSION,
            quota=Quota(limit.texts, period=limit.period),
        )
        dataset = ray.data.from_items([{"text": f"text {i}"} for i in range(rows)]).map_batches(
            Embed,
            fn_constructor_kwargs={"embedder": shared("measured", embedder)},
            batch_size=20,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=0.25,
        )
        found = {row["text"]: row["vector"] for row in dataset.take_all()}
        right = [np.array_equal(vector, _right(server, text)) for text, vector in found.items()]
        sent = sent_to(server)
    ray.shutdown()
    until = sent[0].at + (SETTLING + periods) * limit.period
    return {"wrong": rows - sum(right), **asdict(use_of(sent, limit, until))}


def _right(server: Standin, text: str) -> NDArray[np.float32]:
    as_sent = f"title: none | text: {text}"
    return np.array(server.vector(as_sent, model=MODEL, dimension=DIMENSION), np.float32)


if __name__ == "__main__":
    main()
