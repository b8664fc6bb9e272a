"""The tables and lists of the documentation are complete, and say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest
from pages import DOCS, ROOT

import gemini_embed
from gemini_embed import GeminiEmbedError
from gemini_embed.contents import TaskType
from gemini_embed.models import MODELS
from gemini_embed.tasks import Role, task_for

ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")
MODELS_PAGE = (DOCS / "models.md").read_text(encoding="utf-8")


def classes_below(error: type[GeminiEmbedError]) -> dict[str, type[GeminiEmbedError]]:
    """Return an error and all that are made of it and have a public name."""
    named = {error.__name__: error} if hasattr(gemini_embed, error.__name__) else {}
    for one in error.__subclasses__():
        named |= classes_below(one)
    return named


ALL = classes_below(GeminiEmbedError)


def rows(page: str, of: str) -> list[list[str]]:
    """Return the rows whose first cell names something, without their outer bars."""
    lines = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if f"`{of}`" in line[0]]


@pytest.mark.parametrize("name", sorted({*ALL} - {"GeminiEmbedError"}))
def test_every_error_has_a_section_that_says_what_to_do(name: str) -> None:
    """Whoever reads an error's name in a traceback finds what happened, and what helps."""
    parts = re.split(r"^#+ ", ERRORS, flags=re.MULTILINE)
    sections = {part.partition("\n")[0]: part for part in parts}

    assert "**What to do:**" in sections[name]


def test_the_tree_of_errors_is_that_of_the_classes() -> None:
    """Who catches a base catches what stands below it in the tree."""
    tree = ERRORS.partition("```text\n")[2].partition("```")[0].splitlines()
    stack: list[str] = []
    for line in tree:
        name = re.search(r"\w*Error", line)
        assert name is not None
        stack[line.index(name[0]) // 3 :] = [name[0]]
        assert stack[-2:-1] == [] or ALL[stack[-1]].__bases__[0] is ALL[stack[-2]]
        assert ("(ValueError)" in line) == (ValueError in ALL[stack[-1]].__bases__)

    named = {match for line in tree for match in re.findall(r"\b\w+Error\b", line)}
    assert named - {"ValueError"} == {*ALL}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_field_of_an_error_is_on_the_page(name: str) -> None:
    """What an error carries can be looked up."""
    assert is_dataclass(ALL[name])
    known = {
        one.name for base in ALL[name].__mro__[1:] if is_dataclass(base) for one in fields(base)
    }
    own = {one.name for one in fields(ALL[name])} - known - {"summary"}

    assert {field for field in own if not re.search(rf"`(error\.)?{field}`", ERRORS)} == set()


@pytest.mark.parametrize("name", sorted({*MODELS} - {"gemini-embedding-exp"}))
def test_the_table_of_models_has_each_with_its_end(name: str) -> None:
    """The days Google shuts a model down stand beside the service they are about."""
    ((_, _, longest, task, *services),) = rows(MODELS_PAGE, name)
    ends = [re.findall(r"\d{4}-\d\d-\d\d", cell) or [None] for cell in services]

    model = MODELS[name]
    assert ends == [[model.gemini.shutdown], [model.vertex.shutdown]]
    assert longest == f"{model.max_input_tokens:,} tokens"
    assert model.task in task


@pytest.mark.parametrize("task", get_args(TaskType))
@pytest.mark.parametrize(("role", "column"), [("query", 1), ("document", 2)])
def test_the_table_of_tasks_says_what_is_sent(task: TaskType, role: Role, column: int) -> None:
    """A task type given to the class stands for a pair."""
    (row,) = rows(MODELS_PAGE, task)
    said = re.findall(r"`(\w+)`", row[column]) or ["TASK_TYPE_UNSPECIFIED"]

    assert said == [task_for(role, purpose=task, literal=None)]


@pytest.mark.parametrize("package", ["google-genai", "langchain-core", "llama-index-core"])
def test_the_versions_that_are_tested_are_the_pinned_ones(package: str) -> None:
    """The table of what is tested follows the pins, and names each version once."""
    page = (DOCS / "versions.md").read_text(encoding="utf-8")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    heads, *lanes = (
        [cell.strip() for cell in line.split("|")]
        for line in page.splitlines()
        if line.startswith(("| `make` |", "| `test"))
    )
    column = heads.index(package)

    assert f"{package}=={lanes[0][column]}" in pins
    (allowed,) = (line for line in page.splitlines() if line.startswith(f"| {package} |"))
    used = {version for lane in lanes for version in re.findall(r"\d[\d.]+", lane[column])}
    assert {*re.findall(r"\d+\.\d+\.\d+", allowed)} == used
