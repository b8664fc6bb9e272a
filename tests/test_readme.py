"""What the README promises, run as it stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import README, ROOT, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin

BLOCKS = blocks(README)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_block_runs_as_pasted(number: int, server: Standin, tmp_path: Path) -> None:
    """A new user pastes a block with a key in the environment, and it works."""
    done = run(BLOCKS[number], tmp_path, url=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_ten_lines_are_enough() -> None:
    """A framework's block is short."""
    assert all(len(block.strip().splitlines()) <= 10 for block in BLOCKS)


@pytest.mark.parametrize("package", ["google-genai", "langchain-core", "llama-index-core"])
def test_the_versions_that_are_tested_are_the_pinned_ones(package: str) -> None:
    """The table of what is tested follows the pins."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    heads, plain = (
        [cell.strip() for cell in line.split("|")]
        for line in README.splitlines()
        if line.startswith(("| `make` |", "| `test`"))
    )

    assert f"{package}=={plain[heads.index(package)]}" in pins
