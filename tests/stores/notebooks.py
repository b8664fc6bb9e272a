"""The notebooks of `examples`, run in a kernel as a reader runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stores.gate import needed

if TYPE_CHECKING:
    import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

_PLACES = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


def outputs_of(notebook: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[Any]:
    """Run a notebook in a folder, and return what its cells put out, cell by cell."""
    needed("ipykernel")
    nbclient, nbformat = needed("nbclient"), needed("nbformat")
    for place in _PLACES:
        monkeypatch.setenv(place, str(folder / place))
    read = nbformat.read(notebook, as_version=4)
    nbformat.validate(read)
    nbclient.NotebookClient(
        read, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    code = (cell for cell in read["cells"] if cell["cell_type"] == "code")
    return [output for cell in code for output in cell["outputs"]]
