"""`python -m benchmarks.ray_quota`: four workers of Ray on one quota, and what it comes to.

Run it in the environment of `make test-ray`. The workers share 100 texts in 10 seconds by the
actor of `gemini_embed.scale.ray.shared`; the stand-in has the same limit, and its own clock. Shown
are the refusals, the most in any window, how much of the quota was used from the third period on,
and how many rows have their own vector.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import ray

from gemini_embed import GeminiEmbedder, Quota
from gemini_embed.scale.ray import Embed, shared
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL = "gemini-embedding-2"
LIMIT, PERIOD, WORKERS, DIMENSION = 100, 10.0, 4, 128
_SETTLING = 2
"""Periods at the beginning that are told apart."""

_OK, _REFUSED = 200, 429


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_quota", description=__doc__)
    parser.add_argument("--periods", type=int, default=12, help="how many are counted (12)")
    print(json.dumps(run(parser.parse_args().periods), indent=1))


def run(periods: int) -> dict[str, Any]:
    """Embed so many rows that the quota is used for that long; return what it came to."""
    rows = LIMIT * (_SETTLING + periods + 1)
    with Standin(requests=LIMIT, window=PERIOD) as server:
        ray.init(num_cpus=2, include_dashboard=False)
        embedder = GeminiEmbedder(
            api_key="k",
            base_url=server.url,
            output_dimensionality=DIMENSION,
            quota=Quota(LIMIT, period=PERIOD),
        )
        dataset = ray.data.from_items([{"text": f"text {i}"} for i in range(rows)]).map_batches(
            Embed,
            fn_constructor_kwargs={"embedder": shared("measured", embedder)},
            batch_size=20,
            compute=ray.data.ActorPoolStrategy(size=WORKERS),
            num_cpus=0.25,
        )
        found = dataset.take_all()
        own = [np.array_equal(row["vector"], _right(server, row["text"])) for row in found]
        sent = [(one.at, len(one.body["requests"]), one.status) for one in server.log if one.body]
    ray.shutdown()
    counted = [(at, texts) for at, texts, status in sent if status == _OK]
    begins = sent[0][0] + _SETTLING * PERIOD
    used = sum(texts for at, texts in counted if begins <= at < begins + periods * PERIOD)
    return {
        "rows": len({row["text"] for row in found}),
        "rows with their own vector": sum(own),
        "refused": sum(status == _REFUSED for _, _, status in sent),
        "most in a window": max(
            sum(texts for at, texts in counted if start <= at < start + PERIOD)
            for start, _ in counted
        ),
        "used": round(used / (LIMIT * periods), 4),
    }


def _right(server: Standin, text: str) -> NDArray[np.float32]:
    as_sent = f"title: none | text: {text}"
    return np.array(server.vector(as_sent, model=MODEL, dimension=DIMENSION), np.float32)


if __name__ == "__main__":
    main()
