"""Pairs of texts, and whether they say the same: how Python documents what it has twice.

`str.upper` and `bytes.upper`, `math.sin` and `cmath.sin` were documented by different people in
different words. Two of one name are a paraphrase, and two of different names are not: so nobody
here chose the labels. Names and signatures are taken off.
"""

import importlib
import inspect
import re
from typing import NamedTuple

# Two types, or two modules, that have much in common.
SIBLINGS = (
    ("builtins.str", "builtins.bytes"),
    ("math", "cmath"),
    ("builtins.list", "collections.deque"),
    ("builtins.list", "array.array"),
    ("builtins.list", "collections.abc.MutableSequence"),
    ("builtins.set", "collections.abc.MutableSet"),
    ("builtins.dict", "collections.abc.MutableMapping"),
    ("queue.Queue", "asyncio.Queue"),
    ("threading.Condition", "asyncio.Condition"),
    ("threading.Event", "asyncio.Event"),
    ("threading.Barrier", "asyncio.Barrier"),
    ("concurrent.futures.Future", "asyncio.Future"),
    ("datetime.datetime", "datetime.date"),
    ("decimal.Decimal", "decimal.Context"),
    ("os.path", "pathlib.Path"),
    ("os", "pathlib.Path"),
    ("io.FileIO", "io.BytesIO"),
    ("io.BytesIO", "io.StringIO"),
    ("zipfile.ZipFile", "tarfile.TarFile"),
    ("socket.socket", "ssl.SSLSocket"),
)
FEWEST_WORDS = 5
_SIGNATURE = re.compile(r"^[\w.]+\([^\n]*\)( *-+>? *|\n+)")


class Pair(NamedTuple):
    """Two texts, and whether they say the same."""

    first: str
    second: str
    same: bool


def pairs() -> list[Pair]:
    """Return as many pairs that say the same as pairs that do not, nearly."""
    found: list[Pair] = []
    for one, other in SIBLINGS:
        alike = _documented_twice(_resolve(one), _resolve(other))
        found += [Pair(first, second, same=True) for first, second in alike]
        # Each with the next one's: upper() of str with zfill() of bytes.
        shifted = [second for _, second in alike[1:] + alike[:1]] if len(alike) > 1 else []
        found += [
            Pair(first, second, same=False)
            for (first, _), second in zip(alike, shifted, strict=False)
        ]
    return list(dict.fromkeys(found))


def _documented_twice(one: object, other: object) -> list[tuple[str, str]]:
    names = sorted(set(dir(one)) & set(dir(other)))
    documented = [(_first_paragraph(one, name), _first_paragraph(other, name)) for name in names]
    return [
        (first, second)
        for name, (first, second) in zip(names, documented, strict=True)
        if not name.startswith("_") and first and second and first.lower() != second.lower()
    ]


def _first_paragraph(owner: object, name: str) -> str:
    member = getattr(owner, name, None)
    text = member.__doc__ if inspect.isroutine(member) or isinstance(member, property) else None
    words = _SIGNATURE.sub("", inspect.cleandoc(text or "")).split("\n\n")[0].split()
    return " ".join(words) if len(words) >= FEWEST_WORDS else ""


def _resolve(path: str) -> object:
    """Return the module that a path names, or else the class of a module."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)
