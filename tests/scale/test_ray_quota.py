"""What the benchmark says of Ray's workers on one quota: `make test-ray`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from pages import ROOT

if os.environ.get("GEMINI_EMBED_RAY") != "1":  # as `make test-ray` sets it
    pytest.importorskip("ray", reason="Ray is not installed: `make test-ray` brings it")


def test_workers_on_one_quota() -> None:
    """Each row has its own vector, and no window had more than the quota."""
    options = ["--workers=2", "--periods=2", "--limit=60", "--period=1"]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks.ray_quota", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["wrong"], found["refused"]) == (0, [])
    assert 0 < found["most"] <= 60
