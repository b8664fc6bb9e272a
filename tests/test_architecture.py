"""What the page on the architecture promises, and what keeps a module easy to read."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import PurePath

import pytest
from pages import ROOT

from gemini_embed.calls.call import Call

PACKAGES = ("gemini_embed", "langchain_gemini_embed", "llamaindex_gemini_embed")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
TREE = PAGE.split("```\n")[1]


def paths(tree: str) -> list[str]:
    """Return the modules that a tree names: each stands below its folder, two spaces further in."""
    folders: list[str] = []
    found = []
    for line in filter(None, tree.splitlines()):
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders[depth:] = [name] if name.endswith("/") else []
        if name.endswith(".py"):
            found.append("".join([*folders, name]))
    return found


def test_the_tree_names_each_module_that_there_is() -> None:
    """Who looks for something finds its place on one page, and nothing that is gone."""
    there = [path.relative_to(ROOT).as_posix() for path in MODULES if path.name != "__init__.py"]

    assert sorted(paths(TREE)) == sorted(there)


def test_the_floors_of_the_tree_are_those_that_the_linter_holds() -> None:
    """What the page says of who may import whom is checked, not only written."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        one for one in settings["tool"]["importlinter"]["contracts"] if one["id"] == "floors"
    )
    core = TREE.partition("\ngemini_embed/\n")[2]
    floors = [re.findall(r"^  ([\w/.]+)", floor, re.MULTILINE) for floor in core.split("\n\n")]

    held = [sorted(re.split(r" [|:] ", layer)) for layer in contract["layers"]]
    assert [sorted(PurePath(name).stem for name in floor) for floor in floors] == held


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("*.py", 400),
        ("langchain_gemini_embed/embeddings.py", 249),
        ("llamaindex_gemini_embed/embedding.py", 249),
    ],
)
def test_a_module_is_read_in_one_sitting(name: str, most: int) -> None:
    """One that wants to be longer wants to be two; an adapter's is names in and names out."""
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
        if path.relative_to(ROOT).match(name)
    }

    assert lines
    assert {path: count for path, count in lines.items() if count > most} == {}


def test_what_is_known_of_a_call_fits_on_two_pages() -> None:
    """Features have rooms of their own beside it, and do not all add to the one class."""
    assert len(inspect.getsource(Call).splitlines()) < 150
