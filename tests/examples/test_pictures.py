"""The search for pictures and pages runs from end to end without a key, and shows what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from matplotlib.image import imread

from examples import drawings, pictures
from examples.service import key_of_user

if TYPE_CHECKING:
    from pathlib import Path


def test_the_files_are_what_they_seem(tmp_path: Path) -> None:
    """Ten pictures and four PDF pages, each with a picture to show it by; all are small."""
    drawn = drawings.draw_all(tmp_path)

    assert len({one.path for one in drawn}) == 14
    for one in drawn:
        first = b"%PDF-" if one.path.suffix == ".pdf" else b"\x89PNG"
        assert one.path.read_bytes().startswith(first)
        assert imread(one.shown).shape[:2] == (240, 240)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 300_000


def test_no_question_has_the_words_of_its_answer() -> None:
    """Finding is by meaning: what a question says is not what is written in the file."""
    for question, name in pictures.QUESTIONS.items():
        written = drawings.PICTURES[name][1] if name in drawings.PICTURES else drawings.PAGES[name]
        common = {word.strip("?.,:").lower() for word in question.split() if len(word) > 4}
        assert not common & {word.strip("?.,:").lower() for word in written.split()}


def test_both_frameworks_find_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight hits in ten at least, with either framework, on a sheet of pictures."""
    pytest.importorskip("pypdf", reason="pypdf, of the extra `standin`, is missing")
    assert key_of_user() is None

    assert pictures.main(tmp_path) == 0

    said = capsys.readouterr().out
    assert "NOT Google's" in said
    assert len([line for line in said.splitlines() if line.startswith(" + ")]) >= 16
    height, width = imread(tmp_path / pictures.SHEET).shape[:2]
    assert height > 1000 > width > 700
