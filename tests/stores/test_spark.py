"""The recipe for Spark, run as a reader runs it; no environment of ours brings Spark and Java."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from helpers import joined, sent_texts
from pages import DOCS, marked, run

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin

CHECK = """
import numpy as np

spark.stop()
texts = [row.text for row in rows]
right = GeminiEmbedder(output_dimensionality=768).embed(texts, role="document").vectors
assert sorted(texts) == sorted(f"text number {number}" for number in range(250))
assert np.array_equal(right, np.array([row.vector for row in rows], np.float32))
"""


def test_each_row_has_the_vector_of_its_text(
    server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the tasks of one machine, as documents."""
    pytest.importorskip("pyspark", reason="pyspark is not installed; it needs Java, too")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # for the file of the quota
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    recipe = marked((DOCS / "engines.md").read_text(encoding="utf-8"))["needs: pyspark"]

    done = run(recipe + CHECK, tmp_path, url=server.url)

    assert done.returncode == 0, done.stderr
    assert {text[:20] for text in joined(sent_texts(server))} == {"title: none | text: "}
