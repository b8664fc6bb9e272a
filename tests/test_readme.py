"""What the README promises, run as it stands there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pages import README, ROOT, blocks, run

from gemini_embed import errors
from gemini_embed.models import MODELS
from gemini_embed.options import OPTIONS

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


def test_every_option_error_and_model_is_in_the_tables() -> None:
    """The tables are complete."""
    options = {*OPTIONS}
    names = {"FingerprintMismatchError"} | {
        name for name in vars(errors) if name.endswith("Error")
    } - {"ValueError"}

    missing = {name for name in options | names | {*MODELS} if f"`{name}`" not in README}
    assert missing <= {"GeminiEmbedError", "gemini-embedding-exp"}


@pytest.mark.parametrize("name", sorted({*MODELS} - {"gemini-embedding-exp"}))
def test_the_table_of_models_has_every_end(name: str) -> None:
    """The days Google shuts a model down stand beside the service they are about."""
    row = next(line for line in README.splitlines() if line.startswith("|") and f"`{name}`" in line)
    gemini, vertex = (re.findall(r"\d{4}-\d\d-\d\d", cell) for cell in row.split("|")[5:7])

    ends = [MODELS[name].gemini.shutdown], [MODELS[name].vertex.shutdown]
    assert (gemini or [None], vertex or [None]) == ends


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
