"""`python -m gemini_embed estimate` says what a corpus would take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gemini_embed.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed import GeminiEmbedder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(f'{{"text": "text {i}"}}\n' for i in range(250)), encoding="utf-8")
    return path


def test_a_reader_gets_a_table(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first look tells how many requests it takes, how long, and how much it costs."""
    assert main(["estimate", str(corpus), "--rpm", "100", "--tpm", "30000"]) == 0

    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["texts"] == rows["unique"] == "250"
    assert rows["requests"] == "3"
    assert rows["cost"].startswith("$0 with a key of the free tier, else $0.00")
    assert rows["time"] == "2 min 2 s, at 100 texts and 30,000 tokens a minute"


def test_a_free_key_and_a_corpus_of_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """55 requests, six days, and nothing to pay."""
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"chunk {i}\n" for i in range(5_500)), encoding="utf-8")

    assert main(["estimate", str(path), "--rpm", "100", "--tpm", "30000", "--rpd", "1000"]) == 0

    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["requests"] == "55"
    assert rows["days"] == "6, today included, at 1,000 texts a day"
    assert rows["cost"].startswith("$0 with a key of the free tier")


def test_a_program_gets_json(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every number of the forecast, under the names of `Estimate`."""
    assert main(["estimate", str(corpus), "--json", "--model", "gemini-embedding-001"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["to_send"] == 250
    assert said["requests"] == 3
    assert float(said["cost"]) == pytest.approx(2 * float(said["batch_cost"]))


def test_what_costs_next_to_nothing_is_not_said_to_cost_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bill of 0.0000 would be neither."""
    path = tmp_path / "corpus.txt"
    path.write_text("a text", encoding="utf-8")

    assert main(["estimate", str(path)]) == 0
    assert "else less than $0.0001, by the Batch API less than" in capsys.readouterr().out


def test_what_the_cache_has_is_not_sent(
    corpus: Path,
    embedder: Callable[..., GeminiEmbedder],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a part of a run only the rest is left; the dimension must be that of the run."""
    made = embedder(cache=corpus.with_name("cache.sqlite3"), output_dimensionality=256)
    made.embed([f"text {i}" for i in range(100)], role="document")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", made.base_url or "")
    command = ["estimate", str(corpus), "--json", "--cache", str(corpus.with_name("cache.sqlite3"))]

    assert main([*command, "--dimension", "256"]) == 0
    assert json.loads(capsys.readouterr().out)["cached"] == 100
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["cached"] == 0


def test_a_cache_that_is_not_there_is_not_made(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forecast leaves no file, and says that the name may be wrong."""
    path = corpus.with_name("none.sqlite3")

    assert main(["estimate", str(corpus), "--cache", str(path)]) == 0
    assert f"0 ({path}: there is no such file yet)" in capsys.readouterr().out
    assert not path.exists()


def test_a_text_that_cannot_be_embedded_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is that of the file, blank ones counted."""
    path = tmp_path / "corpus.jsonl"
    path.write_text('"a"\n\n" "\n', encoding="utf-8")

    assert main(["estimate", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{path}:3: text 1 is blank")
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "no-model"], "no-model"),
        (["--dimension", "4000"], "gives 1 to 3072"),
        (["--rpm", "0"], "requests_per_minute"),
        (["--field", "body"], "no field 'body'"),
        (["--task-type", "COOKING"], "unknown task_type"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(
    corpus: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is one line on standard error and exit code 1, no traceback."""
    assert main(["estimate", str(corpus), *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_warning_is_a_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a model's end means is told, without Python's file names."""
    assert main(["estimate", str(corpus), "--model", "gemini-embedding-exp-03-07"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("warning: Google shut gemini-embedding-exp-03-07 down")
    assert "not known" in printed.out
