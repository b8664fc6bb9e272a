"""Programs with LlamaIndex's `IngestionPipeline`, whose workers are processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llama_index.core


def printed_by(program: Path, *arguments: str) -> str:
    """Run a program whose pipelines have workers, and return what it prints."""
    # They would download the tokenizer that LlamaIndex ships.
    tokens = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, str(program), *arguments],
        env={**os.environ, "TIKTOKEN_CACHE_DIR": str(tokens)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
