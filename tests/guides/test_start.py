"""What the first page promises, at the stand-in's model with meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages import ROOT, blocks, run

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from pathlib import Path


def test_all_three_ways_find_the_right_passage(tmp_path: Path) -> None:
    """A reader without a key sees what the page says: the core and both frameworks agree."""
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")

    with Standin(model="minilm") as server:
        done = run("\n".join(blocks(page)), tmp_path, url=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    shape, *found, _ = done.stdout.splitlines()
    assert shape == "(2, 768)"
    assert found == ["shutil.copy copies a file"] * 3
