"""The two environments: ours, and the official integrations' on google-genai 2.x."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "benchmarks" / "peers.txt"
RESULTS = ROOT / "benchmarks" / "results"
_PEERS = ROOT / ".venv-peers"
_PEERS_OF = {"bare-2", "langchain-official", "llamaindex-official"}
_SHOWN = (
    "gemini-embed",
    "google-genai",
    "langchain-google-genai",
    "llama-index-embeddings-google-genai",
    "langchain-core",
    "llama-index-core",
    "pydantic",
    "aiohttp",
    "numpy",
)
_LEADING_ELSEWHERE = ("GOOGLE_", "GEMINI_", "LANGCHAIN_", "LANGSMITH_")
_ASK_VERSIONS = """
import importlib.metadata, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


def add_output(parser: ArgumentParser) -> None:
    """Let a program that measures be told where its results go."""
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="where the results go",
    )


def python_of(kind: str) -> str:
    """Return the interpreter a contestant runs in."""
    return str(_PEERS / "bin" / "python") if kind in _PEERS_OF else sys.executable


def python_with_ray() -> str | None:
    """Return the interpreter of the environment of `make test-ray`; None where there is none."""
    python = ROOT / ".venv-ray" / "bin" / "python"
    return str(python) if python.exists() else None


def make_peers() -> None:
    """Make the official integrations' environment, unless it is there and up to date."""
    ready = _PEERS / ".ready"
    if ready.exists() and ready.read_text(encoding="utf-8") == REQUIREMENTS.read_text("utf-8"):
        return
    print(f"setting up {_PEERS.name} (once)", file=sys.stderr)
    beside_us = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside_us) if beside_us.exists() else None)
    python = str(_PEERS / "bin" / "python")
    if uv:
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(_PEERS)])
        _run([uv, "pip", "install", "--quiet", "--python", python, "-r", str(REQUIREMENTS)])
    else:
        _run([sys.executable, "-m", "venv", "--clear", str(_PEERS)])
        _run([python, "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)])
    ready.write_text(REQUIREMENTS.read_text("utf-8"), encoding="utf-8")


def clean_environment() -> dict[str, str]:
    """Return our environment without what would lead a contestant elsewhere.

    Bytecode is written, whatever our own environment says: one installer compiles what it
    installs and another does not, and imports would be compared compiled and not.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_LEADING_ELSEWHERE)
        and not name.upper().endswith("_PROXY")
        and name != "PYTHONDONTWRITEBYTECODE"
    }


def versions(kind: str) -> dict[str, str]:
    """Return the versions of what matters in a contestant's environment."""
    done = _run([python_of(kind), "-c", _ASK_VERSIONS, *_SHOWN])
    found: dict[str, str] = json.loads(done)
    return found


def import_seconds(kind: str, module: str, name: str) -> float:
    """Return how long `from module import name` takes in a fresh interpreter."""
    code = (
        "import sys, time, importlib\n"
        "began = time.perf_counter()\n"
        "getattr(importlib.import_module(sys.argv[1]), sys.argv[2])\n"
        "print(time.perf_counter() - began)"
    )
    return float(_run([python_of(kind), "-c", code, module, name]))


def machine() -> str:
    """Describe the machine in general terms."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{cores} cores, {platform.system()}, {platform.python_implementation()} {version}"


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - fixed commands
        command, cwd=ROOT, env=clean_environment(), check=True, text=True, stdout=subprocess.PIPE
    )
    return done.stdout
