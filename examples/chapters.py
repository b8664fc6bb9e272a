"""Texts with labels: what Python's modules say of themselves, by chapter of their documentation.

The chapters are those of the Python Library Reference, so nobody here chose who belongs where. A
text is the beginning of a docstring, without the name of what it describes.
"""

import hashlib
import importlib
import inspect
from collections.abc import Iterator
from typing import NamedTuple

# Modules that every Python from 3.11 on has, on every platform.
CHAPTERS = {
    "numbers": ("math", "cmath", "decimal", "fractions", "random", "statistics"),
    "text": ("string", "re", "difflib", "textwrap", "unicodedata"),
    "files": (
        "os.path",
        "pathlib",
        "shutil",
        "tempfile",
        "glob",
        "fnmatch",
        "filecmp",
        "fileinput",
        "stat",
    ),
    "compression": ("zlib", "gzip", "zipfile", "tarfile"),
    "concurrency": (
        "threading",
        "multiprocessing",
        "concurrent.futures",
        "subprocess",
        "queue",
        "sched",
    ),
    "internet": (
        "urllib.parse",
        "urllib.request",
        "http.client",
        "http.cookies",
        "ftplib",
        "imaplib",
        "ipaddress",
        "poplib",
        "smtplib",
        "socketserver",
        "webbrowser",
        "xmlrpc.client",
    ),
    "dates": ("datetime", "calendar", "time", "zoneinfo"),
    "testing": ("unittest", "unittest.mock", "doctest", "pdb"),
}
FEWEST_WORDS = 8
MOST_WORDS = 60
OF_EACH = 45


class Entry(NamedTuple):
    """What a function, a class, a method or a property says of itself."""

    chapter: str
    name: str
    text: str


def entries() -> list[Entry]:
    """Return as many entries of each chapter; the same in each run, as if drawn by lot."""
    described: dict[str, Entry] = {}
    for chapter, modules in CHAPTERS.items():
        for entry in _described(chapter, modules):
            described.setdefault(entry.text, entry)  # some modules show members of others
    drawn = sorted(described.values(), key=lambda entry: lot(entry.text))
    return [
        entry
        for chapter in CHAPTERS
        for entry in [one for one in drawn if one.chapter == chapter][:OF_EACH]
    ]


def lot(text: str) -> bytes:
    """Return what to sort by, so that nothing but the text decides."""
    return hashlib.sha256(text.encode()).digest()


def _described(chapter: str, modules: tuple[str, ...]) -> Iterator[Entry]:
    for module in modules:
        for name, member in _public_members(module):
            words = _docstring(member).split()[:MOST_WORDS]
            if len(words) >= FEWEST_WORDS:
                yield Entry(chapter, name, " ".join(words))


def _docstring(member: object) -> str:
    text = member.__doc__
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def _public_members(module_name: str) -> Iterator[tuple[str, object]]:
    module = importlib.import_module(module_name)
    for name in sorted(getattr(module, "__all__", dir(module))):
        member = getattr(module, name)
        if name.startswith("_") or not (inspect.isclass(member) or inspect.isroutine(member)):
            continue
        yield f"{module_name}.{name}", member
        for inner, value in sorted(vars(member).items()) if inspect.isclass(member) else ():
            is_described = inspect.isroutine(value) or isinstance(value, property)
            if is_described and not inner.startswith("_"):
                yield f"{module_name}.{name}.{inner}", value
