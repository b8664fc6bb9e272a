"""What is released, alone in an environment, as a user installs it: `make dist`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gemini_embed
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[str], str]

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ["gemini_embed", "langchain_gemini_embed", "llamaindex_gemini_embed"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a program where the wheel is installed, and nothing of the checkout."""
    python = os.environ.get("GEMINI_EMBED_WHEEL_PYTHON")
    if not python:
        pytest.skip("no environment with the wheel; make dist makes it")

    def output(program: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own interpreter and text
            [python, "-I", "-W", "error", "-c", program],
            capture_output=True,
            cwd=tmp_path,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return output


def test_the_first_block_of_the_readme_runs_with_the_wheel_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who installs it with LangChain's extra and pastes the block gets the right passage."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")

    with Standin(model="minilm") as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        assert run(block) == "shutil.copy copies a file\n"


def test_the_wheel_holds_the_three_packages_and_their_types(run: Run) -> None:
    """Each file of the checkout's packages is installed, with the mark of typed packages."""
    there = run(
        "from importlib.metadata import files\n"
        "print(*(str(file) for file in files('gemini-embed')), sep='\\n')"
    ).splitlines()

    ours = {path for path in there if not path.endswith(".pyc") and ".dist-info" not in path}
    assert ours == {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= ours


def test_the_version_is_the_same_everywhere(run: Run) -> None:
    """What pip shows, what the program can read, and what the checkout says."""
    shown = run(
        "import gemini_embed\n"
        "from importlib.metadata import version\n"
        "print(gemini_embed.__version__, version('gemini-embed'))"
    )

    assert shown.split() == [gemini_embed.__version__] * 2
