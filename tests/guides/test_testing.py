"""The page on tests, as a user's own test suite."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, get_args

from pages import ROOT, marked

from gemini_embed.standin import FaultKind

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_the_suite_of_the_page_passes(tmp_path: Path) -> None:
    """Two files, pasted into an empty folder, are tests that pass without a key."""
    for mark, code in marked(PAGE).items():
        (tmp_path / mark.removeprefix("file: ")).write_text(code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_every_fault_is_in_the_table() -> None:
    """A reader finds all that can be made to go wrong."""
    table = PAGE.partition("| fault |")[2]

    assert [kind for kind in get_args(FaultKind) if f'`"{kind}"`' not in table] == []
