from __future__ import annotations

import re
import tomllib
from importlib import metadata, resources
from typing import TYPE_CHECKING

import pytest
import yaml
from pages import README, ROOT, run

import gemini_embed

if TYPE_CHECKING:
    from gemini_embed.standin import Standin

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def test_the_public_names_are_sorted_and_there() -> None:
    """`__all__` is the list of what there is."""
    assert gemini_embed.__all__ == sorted(gemini_embed.__all__)
    assert all(hasattr(gemini_embed, name) for name in gemini_embed.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = gemini_embed.no_such_name


def test_the_core_imports_no_framework_and_nothing_slow() -> None:
    """Importing the core loads neither framework, nor the SDK, nor numpy."""
    done = run(
        "import sys, gemini_embed\n"
        "slow = {'langchain_core', 'llama_index', 'google.genai', 'numpy', 'aiohttp'}\n"
        "slow |= {'gemini_embed.scale', 'ray', 'pyarrow'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_first_call_loads_nothing_that_it_has_no_use_for(server: Standin) -> None:
    """What keeps vectors, and what reads service accounts (cryptography) take long to load."""
    done = run(
        "import sys\n"
        "from gemini_embed import GeminiEmbedder\n"
        "embedder = GeminiEmbedder()\n"
        "embedder.embed(['a'], role='query')\n"
        "unused = {'sqlite3', 'google.oauth2.service_account'}\n"
        "sys.exit(', '.join(unused & set(sys.modules)) or 0)",
        url=server.url,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("adapter", "other"),
    [
        ("langchain_gemini_embed", {"llama_index", "llamaindex_gemini_embed"}),
        ("llamaindex_gemini_embed", {"langchain_core", "langchain_gemini_embed"}),
    ],
)
def test_each_adapter_works_without_the_other(adapter: str, other: set[str]) -> None:
    """Users of one framework need not install the other."""
    done = run(BLOCKED.format(blocked=other) + f"import {adapter}")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("adapter", "framework", "extra"),
    [
        ("langchain_gemini_embed", "langchain_core", "gemini-embed[langchain]"),
        ("llamaindex_gemini_embed", "llama_index", "gemini-embed[llamaindex]"),
        ("gemini_embed.scale.daft", "daft", "gemini-embed[daft]"),
        ("gemini_embed.scale.lancedb", "lancedb", "gemini-embed[lancedb]"),
    ],
)
def test_an_adapter_without_its_framework_says_what_to_install(
    adapter: str, framework: str, extra: str
) -> None:
    """The error is the command to run."""
    done = run(BLOCKED.format(blocked={framework}) + f"import {adapter}")

    assert f'pip install "{extra}"' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "package", ["gemini_embed", "langchain_gemini_embed", "llamaindex_gemini_embed"]
)
def test_each_package_is_typed(package: str) -> None:
    """Type checkers read our annotations."""
    assert resources.files(package).joinpath("py.typed").is_file()


def test_the_package_page_links_to_no_file_that_is_not_there() -> None:
    """An index shows the README without the repository: a link to a file of it would be dead."""
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    rule = hatch["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"][0]
    shipped = tuple(
        name.removeprefix("/") for name in hatch["build"]["targets"]["sdist"]["include"]
    )

    page = re.sub(rule["pattern"], rule["replacement"], README)

    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]*)\)", page))
    named = {match[2] for match in re.finditer(rule["pattern"], README)}
    assert "docs/coming-over.md" in named
    assert all(
        (ROOT / name.partition("#")[0]).is_file() and name.startswith(shipped) for name in named
    )
    assert "README.md" in shipped  # what names them


def test_the_changelog_has_the_day_of_this_version() -> None:
    """Who upgrades finds what changed, and since when."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](.*)$", changelog, re.MULTILINE)

    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == gemini_embed.__version__
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", day) for _, day in sections[1:])


def test_the_changelog_says_each_change_once_and_in_order() -> None:
    """Who upgrades reads what is new, then what is another, then what is mended, each once."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    for version in changelog.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", version, re.MULTILINE)
        parts = re.split(r"^(?:- |### .*)", version, flags=re.MULTILINE)
        said = [part.strip() for part in parts[1:] if part.strip()]
        assert kinds == [kind for kind in ("Added", "Changed", "Fixed") if kind in kinds]
        assert len(said) == len(set(said))


def test_the_workflow_runs_targets_that_there_are() -> None:
    """What is checked in public is what a developer runs, with every Python that is supported."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    steps = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    matrices = [job["strategy"]["matrix"] for job in jobs.values() if "strategy" in job]
    asked = {target for matrix in matrices for target in matrix.get("target", ())}
    asked |= {name for step in steps for name in re.findall(r"^make ([\w.-]+)$", step)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert asked <= set(re.findall(r"^([\w.-]+):.* ## ", makefile, re.MULTILINE))
    assert {"lint", "typecheck", "docs", "test", "dist"} <= asked
    (pythons,) = (matrix["python"] for matrix in matrices if "python" in matrix)
    supported = metadata.metadata("gemini-embed").get_all("Classifier") or []
    assert {line.rpartition(" ")[2] for line in supported if "Python :: 3." in line} <= {*pythons}


def test_both_sdk_generations_are_allowed() -> None:
    """The distribution can stand beside packages that pin google-genai below 3."""
    required = metadata.requires("gemini-embed") or []

    assert any(
        line.replace(" ", "") in {"google-genai<4,>=2.33", "google-genai>=2.33,<4"}
        for line in required
    )
