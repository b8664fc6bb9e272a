"""What is released, alone in an environment, as a user installs it: `make dist`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pages
import pytest
from pages import DOCS, PAGES, README, ROOT, blocks, installs

import gemini_embed
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Environment = Callable[..., str]
    Run = Callable[..., str]

PACKAGES = ["gemini_embed", "langchain_gemini_embed", "llamaindex_gemini_embed"]


@pytest.fixture
def run(tmp_path: Path, environment: Environment) -> Run:
    """Return what runs a program where nothing of the checkout is, but what it installs."""

    def output(program: str, *installs: str, url: str | None = None) -> str:
        done = pages.run(program, tmp_path, url=url, python=[environment(*installs), "-I"])
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return output


def test_the_first_block_of_the_readme_runs_with_the_wheel_alone(run: Run) -> None:
    """Who installs it with LangChain's extra and pastes the block gets the right passage."""
    with Standin(model="minilm") as server:
        shown = run(blocks(README)[0], ".[langchain]", url=server.url)

    assert shown == "shutil.copy copies a file\n"


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run_with_what_it_says_to_install(
    page: str, run: Run, server: Standin
) -> None:
    """A reader who follows a page gets to its end with what is released.

    The first block is also run where only that is installed which stands before it, if more is
    installed later.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    before, _, _ = text.partition("```python\n")

    if installs(before) != installs(text):
        run(blocks(text)[0], *installs(before), url=server.url)
    run("\n".join(blocks(text)), *installs(text), url=server.url)


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
