"""Texts come out of a file as they stand there, or an error names the line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gemini_embed import ConfigurationError
from gemini_embed.command.corpus import Passage, read

if TYPE_CHECKING:
    from pathlib import Path


def texts(path: Path, held: bytes | str, field: str = "text") -> list[str]:
    path.write_bytes(held.encode() if isinstance(held, str) else held)
    return [passage.text for passage in read(path, field)]


def test_each_line_of_a_text_file_is_a_text(tmp_path: Path) -> None:
    """Blank lines are none, ends of lines of Windows and a mark at the beginning are not in it."""
    held = "\ufeffone\r\n\r\n  two \r\nthree\u2028still three".encode()

    assert texts(tmp_path / "a.txt", held) == ["one", "  two ", "three\u2028still three"]


def test_each_line_of_jsonl_is_a_text(tmp_path: Path) -> None:
    """An object's text has the name that --field gives; a string is a text."""
    held = '{"text": "one", "id": 1}\n\n"two"\n{"text": "thr\\u00e9e\\nlines"}\n'

    assert texts(tmp_path / "a.jsonl", held) == ["one", "two", "thrée\nlines"]
    assert texts(tmp_path / "b.JSONL", json.dumps({"body": "a"}), "body") == ["a"]


def test_each_row_of_csv_is_a_text(tmp_path: Path) -> None:
    """A text may have commas, quotes and lines in it, and be long."""
    long = "x" * 200_000
    held = f'id,text\r\n1,"one, ""quoted""\r\nand more"\r\n\r\n2,{long}\r\n3,a\u2028b\r\n'

    assert texts(tmp_path / "a.csv", held) == ['one, "quoted"\r\nand more', long, "a\u2028b"]


def test_each_file_of_a_folder_is_a_text(tmp_path: Path) -> None:
    """The folders in it are read, too, always in the same order; what is no text is not."""
    (tmp_path / "b").mkdir()
    for name in ("b/2.md", "b/1.txt", "c.rst", "picture.png"):
        (tmp_path / name).write_text(f"text of {name}\n", encoding="utf-8")

    assert read(tmp_path, "text") == [
        Passage(f"text of {name}\n", str(tmp_path / name), name)
        for name in ("b/1.txt", "b/2.md", "c.rst")
    ]


@pytest.mark.parametrize(
    ("name", "held", "said"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": \n', ":2: not JSON"),
        ("a.jsonl", '\n{"body": "a", "id": 1}', ":2: no field 'text'; there are: body, id"),
        ("a.jsonl", '{"text": 1}', ":1: the text is not a string but int"),
        ("a.jsonl", "[" * 100_000, ":1: not JSON"),
        ("a.csv", "id,body\n1,a\n", ":1: no field 'text'; there are: id, body"),
        ("a.csv", 'id,text\n1,"a\nb"\n2\n', ":4: no column 'text' in this line"),
        ("a.csv", 'id,text\n1,"a" b\n', ":2: "),
        ("a.csv", "", ":1: no field 'text'"),
        ("a.txt", b"one\ntwo\nthr\xe9e\n", ":3: not UTF-8"),
        ("a.pdf", "%PDF", "known are files that end in .txt, .jsonl, .csv, and folders"),
    ],
)
def test_an_error_names_the_line(tmp_path: Path, name: str, held: str | bytes, said: str) -> None:
    """Who has a million lines need not look for the one that is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        texts(tmp_path / name, held)

    assert str(caught.value).startswith(f"{tmp_path / name}")
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["none.txt", "none", "none.pdf"])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    """A name that was mistyped is said to be one."""
    with pytest.raises(ConfigurationError, match="there is no such file or folder"):
        read(tmp_path / name, "text")


def test_a_folder_without_texts(tmp_path: Path) -> None:
    """A folder of something else is an error, not a corpus of nothing."""
    with pytest.raises(ConfigurationError, match=r"no \.md, \.rst, \.txt in this folder"):
        read(tmp_path, "text")
