"""The programs of the documentation that ask Google, which no test can run."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pages import DOCS, PAGES, ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "tests/typing/without_plugin.ini"
ASKING = [page for page in PAGES if "<!-- google -->" in (DOCS / page).read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", ASKING)
def test_a_program_that_asks_google_is_well_typed(page: str, tmp_path: Path) -> None:
    """Its names and arguments are there, with all that stands before it on its page."""
    program = tmp_path / "program.py"
    text = (DOCS / page).read_text(encoding="utf-8")
    program.write_text("\n".join(blocks(text, "google")), encoding="utf-8")

    cache = ("--cache-dir", ".mypy_cache/without_plugin")  # as `make typecheck` leaves it
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-m", "mypy", "--config-file", CONFIG, *cache, program],
        capture_output=True,
        cwd=ROOT,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n")


@pytest.mark.parametrize("page", ASKING)
def test_a_reader_is_told_before_a_program_asks_google(page: str) -> None:
    """Whoever pastes it without credentials is not surprised."""
    text = (DOCS / page).read_text(encoding="utf-8")

    before = re.findall(r"([^\n]*)\n+<!-- google -->", text)
    assert [line for line in before if "Google" not in line] == []
