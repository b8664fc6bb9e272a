"""The demo's corpus: what Python's standard library says about its own functions and classes.

It ships with every Python, so there is nothing to download, and a question such as "copy a file"
has an answer that can be checked: the name of a function.
"""

import importlib
import inspect
from collections.abc import Iterator
from typing import NamedTuple

# Modules that are the same on every platform, from Python 3.11 to 3.13.
MODULES = (
    "base64",
    "bisect",
    "calendar",
    "collections",
    "contextlib",
    "copy",
    "csv",
    "datetime",
    "difflib",
    "fnmatch",
    "functools",
    "glob",
    "gzip",
    "hashlib",
    "heapq",
    "html",
    "itertools",
    "json",
    "math",
    "os.path",
    "pathlib",
    "pprint",
    "queue",
    "random",
    "re",
    "secrets",
    "shlex",
    "shutil",
    "sqlite3",
    "statistics",
    "string",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "urllib.parse",
    "zipfile",
)
FEWEST_WORDS = 6
MOST_WORDS = 120


class Passage(NamedTuple):
    """One function or class: its qualified name, and the start of its docstring below it."""

    name: str
    text: str


def passages() -> list[Passage]:
    """Return one passage for each documented public function and class, in order of name."""
    found: list[Passage] = []
    seen: set[str] = set()
    for name, member in sorted(dict(_public_members()).items()):
        words = inspect.cleandoc(member.__doc__ or "").split()[:MOST_WORDS]
        description = " ".join(words)
        # Aliases carry the same docstring: the first name stands for them all.
        if len(words) >= FEWEST_WORDS and description not in seen:
            seen.add(description)
            found.append(Passage(name, f"{name}\n\n{description}"))
    return found


def _public_members() -> Iterator[tuple[str, object]]:
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", dir(module)):
            member = getattr(module, name)
            if not name.startswith("_") and (inspect.isclass(member) or inspect.isroutine(member)):
                yield f"{module_name}.{name}", member
