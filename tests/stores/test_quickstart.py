"""The notebook for newcomers runs from top to bottom, without a key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stores.notebooks import EXAMPLES, outputs_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOTEBOOK = EXAMPLES / "quickstart.ipynb"


def test_the_notebook_runs_in_a_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every cell runs, the right texts are found both ways, and nothing is written to stderr."""
    outputs = outputs_of(NOTEBOOK, monkeypatch, tmp_path)

    copy = "shutil.copy copies a file"
    both = [
        "what files are there? -> os.listdir names what is in a folder",
        "how do I mix up the elements of a list? -> random.shuffle puts a list in another order",
    ]
    assert [line for output in outputs for line in output["text"].splitlines()] == [
        "The stand-in is running. Its vectors are not Google's.",
        copy,
        *both,
        "statistics.mean is the average of numbers",
        copy,
        *both,
        "True True",
    ]


def test_the_notebook_is_kept_without_output() -> None:
    """What is in the repository is what was written, not what one run printed."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "not Google's" in "".join(cells[0]["source"])
