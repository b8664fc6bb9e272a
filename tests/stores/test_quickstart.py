"""The notebook for newcomers runs from top to bottom, without a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stores.gate import needed

if TYPE_CHECKING:
    import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"


def printed(cells: list[Any]) -> list[str]:
    """Return the lines that the cells have printed, cell by cell."""
    return [
        line
        for cell in cells
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
        for line in output["text"].splitlines()
    ]


def test_the_notebook_runs_in_a_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every cell runs, the right texts are found both ways, and nothing is written to stderr."""
    needed("ipykernel")
    nbclient, nbformat = needed("nbclient"), needed("nbformat")
    for place in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(place, str(tmp_path / place))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)

    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()

    copy = "shutil.copy copies a file"
    both = [
        "what files are there? -> os.listdir names what is in a folder",
        "how do I mix up the elements of a list? -> random.shuffle puts a list in another order",
    ]
    assert printed(notebook["cells"]) == [
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
