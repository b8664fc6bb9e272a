"""Reads texts from a file or a folder, for commands; an error says in which line."""

from __future__ import annotations

import csv
import json
from argparse import RawDescriptionHelpFormatter
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.errors import ConfigurationError
from gemini_embed.models import NEWEST

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gemini_embed.errors import InvalidInputError

_TEXT_FILES = frozenset({".txt", ".md", ".rst"})
"""Of a folder, what is read."""

_LONGEST_FIELD = 2**31 - 1
"""Letters in a field of a .csv; what is allowed without it, 131,072, is less than a long text."""


def corpus_parser(
    commands: _SubParsersAction[ArgumentParser], name: str, what: str, about: str
) -> ArgumentParser:
    """Return the parser of a command about a corpus, with the options that all of these have."""
    parser = commands.add_parser(
        name, help=what, description=about, formatter_class=RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--field", default="text", help="of an object or a .csv, what holds the text: %(default)s")
    add("--model", default=NEWEST, help="default: %(default)s")
    add("--task-type", metavar="TASK", help="what the index is for; default: retrieval")
    add("--json", action="store_true", help="print JSON")
    return parser


class Passage(NamedTuple):
    """A text, and where it stands.

    Attributes:
        text: The text.
        place: The file, and the line in it.
        name: How labels call it: its `_id` or `id`, else its line; in a folder its path there.
    """

    text: str
    place: str
    name: str


def read(path: Path, field: str) -> list[Passage]:
    """Return the texts of a corpus, and where each of them stands.

    Args:
        path: A .txt with a text in each line, of which blank ones are none; a .jsonl whose lines
            are objects, or strings; a .csv with names in its first line; a folder with text files,
            each of which is a text.
        field: The name of what holds the text, in an object or a .csv.

    Raises:
        ConfigurationError: There is no such file, or it holds something else; says in which line.
    """
    if path.is_dir():
        return list(_of_folder(path))
    readers = {".txt": _of_lines, ".jsonl": _of_objects, ".csv": _of_table}
    reader = readers.get(path.suffix.lower())
    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file or folder")
    if reader is None:
        raise ConfigurationError(
            f"{path}: known are files that end in {', '.join(readers)}, and folders of text files"
        )
    return list(reader(path, field))


def placed(error: InvalidInputError, passages: Sequence[Passage]) -> str:
    """Return what is wrong with a text, and in which line it stands."""
    return str(error) if error.index is None else f"{passages[error.index].place}: {error}"


def _of_folder(folder: Path) -> Iterator[Passage]:
    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in _TEXT_FILES and path.is_file()
    )
    if not files:
        raise ConfigurationError(f"{folder}: no {', '.join(sorted(_TEXT_FILES))} in this folder")
    for path in files:
        yield Passage(_content(path), str(path), path.relative_to(folder).as_posix())


def _of_lines(path: Path, _: str) -> Iterator[Passage]:
    return lines(path)


def _of_objects(path: Path, field: str) -> Iterator[Passage]:
    for line, place, number in lines(path):
        name = number
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{place}: not JSON ({error})") from None
        if isinstance(value, dict):
            if field not in value:
                raise ConfigurationError(_lacks(place, field, list(map(str, value))))
            name, value = str(value.get("_id", value.get("id", number))), value[field]
        if not isinstance(value, str):
            raise ConfigurationError(
                f"{place}: the text is not a string but {type(value).__name__}"
            )
        yield Passage(value, place, name)


def _of_table(path: Path, field: str) -> Iterator[Passage]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(StringIO(_content(path), newline=""), strict=True)
    try:
        names = next(rows, [])
        if field not in names:
            raise ConfigurationError(_lacks(f"{path}:1", field, names))
        column = names.index(field)
        named = next((names.index(name) for name in ("_id", "id") if name in names), None)
        for row in filter(None, rows):
            place = f"{path}:{rows.line_num}"
            if column >= len(row):
                raise ConfigurationError(f"{place}: no column {field!r} in this line")
            name = str(rows.line_num) if named is None or named >= len(row) else row[named]
            yield Passage(row[column], place, name)
    except csv.Error as error:
        raise ConfigurationError(f"{path}:{rows.line_num}: {error}") from None
    finally:
        csv.field_size_limit(before)


def _lacks(place: str, field: str, names: list[str]) -> str:
    return f"{place}: no field {field!r}; there are: {', '.join(names)}. Name one with --field"


def lines(path: Path) -> Iterator[Passage]:
    """Yield the lines of a file that are not blank."""
    for number, line in enumerate(_content(path).split("\n"), 1):
        if line.strip():
            yield Passage(line.rstrip("\r"), f"{path}:{number}", str(number))


def _content(path: Path) -> str:
    """Return what a file holds; without the mark that some editors begin it with."""
    try:
        held = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8") from None
