"""What a long stream has in memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pages import ROOT, run

PROGRAM = """
from pathlib import Path

from gemini_embed import GeminiEmbedder


def mebibytes():
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


embedder = GeminiEmbedder(output_dimensionality=256)
embedder.embed(["all that is needed is loaded"], role="document")
rest, texts, most = mebibytes(), 0, 0
source = (f"a text of about ten words, of which this is number {i}" for i in range(100_000))
for block in embedder.embed_stream(source, role="document"):
    texts += len(block.vectors)
    most = max(most, mebibytes() - rest)
print(texts, round(most))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_long_stream_stays_small() -> None:
    """Of 100,000 texts, whose vectors are 98 MiB, less than 75 is in memory at any moment.

    So a million, which are ten times as much, stay far below 150.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.canned"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        done = run(PROGRAM, ROOT, url=json.loads(server.stdout.readline()), seconds=300)
        server.stdin.close()

    assert done.returncode == 0, done.stderr
    texts, most = map(int, done.stdout.split())
    assert texts == 100_000
    assert most < 75
