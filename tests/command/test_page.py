"""What the page on the commands shows, run as a reader types it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from pages import ROOT

from gemini_embed import GeminiEmbedder
from gemini_embed.__main__ import main
from gemini_embed.batch.clock import Clock
from gemini_embed.cache import SQLiteCache
from gemini_embed.cache.__main__ import main as cache_main

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin

PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^python -m gemini_embed(\.cache)? (.+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("module", "command"), SHOWN)
def test_each_command_of_the_page_works(
    module: str, command: str, server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader with a corpus and a key types it, and it ends well."""
    files = {
        "corpus.txt": "".join(f"text {i}\n" for i in range(20)),
        "corpus.jsonl": "".join(f'{{"id": {i}, "body": "text {i}"}}\n' for i in range(20)),
        "queries.jsonl": '{"id": "q", "body": "which text?"}\n',
        "qrels.tsv": "".join(f"q\t{i}\t1\n" for i in range(0, 20, 2)),
        "corpus.csv": "id,text\n1,one\n",
        "folder/one.txt": "one",
    }
    (tmp_path / "folder").mkdir()
    for name, held in files.items():
        (tmp_path / name).write_text(held, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "GEMINI_API_KEY": "a-key",
        "GOOGLE_GEMINI_BASE_URL": server.url,
        "XDG_CACHE_HOME": str(tmp_path / "home"),
        "LOCALAPPDATA": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)

    if module or "batch list" in command:
        SQLiteCache(tmp_path / "vectors.sqlite3").set_many([])
    if "batch" in command:
        monkeypatch.setattr(Clock.__init__, "__defaults__", (1000.0,))
    if "RUN" in command or "clean" in command:
        batch = GeminiEmbedder(cache="vectors.sqlite3").batch(["one"], role="document")
        batch.wait() if "clean" in command else batch.submit()
        command = command.replace("RUN", batch.id)
    run = {"": main, ".cache": cache_main}[module]

    assert run(shlex.split(command)) == 0
    assert server.log == [] or not command.startswith("estimate")


@pytest.mark.parametrize("command", [[], ["doctor", "--modle", "a"], ["estimate"], ["heal"]])
def test_a_command_line_that_is_wrong_ends_in_1(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """2 is for `doctor` to say that it works, with warnings."""
    with pytest.raises(SystemExit) as ended:
        main(command)

    assert ended.value.code == 1
    assert "usage: python -m gemini_embed" in capsys.readouterr().err
