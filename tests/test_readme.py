"""What the README promises, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gemini_embed import GeminiEmbedder, errors
from gemini_embed.models import MODELS

if TYPE_CHECKING:
    from gemini_embed.standin import Standin

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_block_runs_as_pasted(
    number: int, server: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A new user pastes a block with a key in the environment, and it works."""
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)

    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", BLOCKS[number]],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_ten_lines_are_enough() -> None:
    """A framework's block is short."""
    assert all(len(block.strip().splitlines()) <= 10 for block in BLOCKS)


def test_every_option_error_and_model_is_in_the_tables() -> None:
    """The tables are complete."""
    options = {field.name for field in fields(GeminiEmbedder)}
    names = {"FingerprintMismatchError"} | {
        name for name in vars(errors) if name.endswith("Error")
    } - {"ValueError"}

    missing = {name for name in options | names | {*MODELS} if f"`{name}`" not in README}
    assert missing <= {"GeminiEmbedError", "gemini-embedding-exp"}
