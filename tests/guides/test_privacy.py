"""What the page on privacy lets a reader see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages import ROOT, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin


def test_the_cache_holds_no_text_and_nothing_shows_the_key(server: Standin, tmp_path: Path) -> None:
    """A reader who tries it sees what the page says."""
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")

    done = run(blocks(page)[0], tmp_path, url=server.url)

    assert (done.stdout, done.stderr) == ("False False\n", "")
    assert list(tmp_path.glob("vectors.sqlite3*"))
