"""What a long stream has in memory."""

from __future__ import annotations

import json
import sys

import pytest
from pages import MEBIBYTES, ROOT, beside, run

PROGRAM = """
from pathlib import Path

from gemini_embed import GeminiEmbedder


MEBIBYTES

embedder = GeminiEmbedder(output_dimensionality=256)
embedder.embed(["all that is needed is loaded"], role="document")
rest, texts, most = mebibytes(), 0, 0
source = (f"a text of about ten words, of which this is number {i}" for i in range(100_000))
for block in embedder.embed_stream(source, role="document"):
    texts += len(block.vectors)
    most = max(most, mebibytes() - rest)
print(texts, round(most))
""".replace("MEBIBYTES", MEBIBYTES)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_long_stream_stays_small() -> None:
    """Of 100,000 texts, whose vectors are 98 MiB, less than 75 is in memory at any moment.

    So a million, which are ten times as much, stay far below 150.
    """
    with beside("-m", "benchmarks.canned", folder=ROOT) as url:
        done = run(PROGRAM, ROOT, url=json.loads(url), seconds=300)

    assert done.returncode == 0, done.stderr
    texts, most = map(int, done.stdout.split())
    assert texts == 100_000
    assert most < 75
