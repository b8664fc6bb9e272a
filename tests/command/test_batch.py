"""`python -m gemini_embed batch` looks after the runs of a cache file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from batch.standing import SPEED, TEXTS, embedder, right, standing
from service.vertex import account_in

from gemini_embed.__main__ import main
from gemini_embed.batch.clock import Clock
from gemini_embed.cache import SQLiteCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gemini_embed.models import BackendName
    from gemini_embed.standin import Standin

    Command = Callable[..., tuple[int, Any]]

KEY = "a-key-that-nobody-may-see"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """A machine with a key, and a service whose hours pass in moments, as the command's do."""
    with standing(batch_seconds=1e6) as running:
        monkeypatch.setattr(Clock.__init__, "__defaults__", (SPEED,))
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", running.url)
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vectors.sqlite3"


@pytest.fixture(params=["gemini", "vertex"])
def service(
    request: pytest.FixtureRequest,
    server: Standin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[BackendName]:
    """Return each of the services by turns; for Vertex AI the machine has credentials, no more."""
    found: BackendName = request.param
    if found == "gemini":
        yield found
        return
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
    with account_in(tmp_path) as account:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        yield found


@pytest.fixture
def submitted(server: Standin, service: BackendName, tmp_path: Path) -> str:
    """Return the id of a run that a process has submitted, before it was gone."""
    with embedder(server, tmp_path, service, batch_tokens=10**6) as mine:
        run = mine.batch(TEXTS, role="document")
        run.submit()
    return run.id


def end_all(server: Standin) -> None:
    """Let the service have ended its jobs."""
    for job in server.jobs:
        job.seconds = 0


@pytest.fixture
def command(file: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command; return its exit code, and what it printed for a program."""

    def run(action: str, *arguments: str) -> tuple[int, Any]:
        code = main(["batch", action, *arguments, "--cache", str(file), "--json"])
        printed = capsys.readouterr()
        assert KEY not in printed.out + printed.err
        return code, json.loads(printed.out) if printed.out else printed.err

    return run


def test_a_run_from_its_beginning_to_its_end(
    server: Standin, submitted: str, command: Command, tmp_path: Path
) -> None:
    """Another process has submitted it: the command waits, collects, and cleans."""
    code, listed = command("list")
    assert (code, [one["id"] for one in listed["runs"]]) == (0, [submitted])

    code, status = command("status", submitted)
    assert (code, status["state"], status["rows"]) == (0, "open", len(TEXTS))
    assert status["jobs"][0]["job"] == server.jobs[0].name

    end_all(server)
    code, status = command("wait", submitted)
    assert (code, status["state"], status["done"]) == (0, "done", len(TEXTS))
    with embedder(server, tmp_path) as mine:
        result = mine.embed(TEXTS, role="document")
    assert result.usage.cached == len(TEXTS)
    assert result.vectors == pytest.approx(right(server, TEXTS))

    assert command("clean") == (0, {"cleaned": [submitted]})
    assert command("list") == (0, {"runs": []})


def test_waiting_for_some_time_only(submitted: str, command: Command) -> None:
    """2 says that it is not over, and no more was wrong."""
    code, status = command("wait", submitted, "--timeout", "0.1")
    assert (code, status["state"]) == (2, "open")


def test_a_run_that_is_cancelled(server: Standin, submitted: str, command: Command) -> None:
    """It ends, has no result, and is cleaned like others."""
    code, status = command("cancel", submitted)
    assert (code, status["state"]) in {(0, "cancelling"), (0, "cancelled")}
    code, status = command("wait", submitted)
    assert (code, status["state"]) == (1, "cancelled")
    assert all(job.cancelled is not None for job in server.jobs)
    assert command("clean", submitted) == (0, {"cleaned": [submitted]})


def test_a_run_that_is_not_over_is_not_cleaned(submitted: str, command: Command) -> None:
    """Nobody loses what was paid for by tidying up."""
    assert command("clean") == (0, {"cleaned": []})
    code, said = command("clean", submitted)
    assert code == 1
    assert "is not over" in said
    assert command("list")[1]["runs"] != []


def test_a_reader_gets_lines(
    server: Standin, submitted: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each run; a line for each thing to say of one. Nothing but ASCII."""
    cache = ["--cache", str(file)]
    assert main(["batch", "list", *cache]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"{submitted}  open .* 0 of {len(TEXTS)} texts", line)
    end_all(server)
    assert main(["batch", "wait", submitted, *cache]) == 0
    printed = capsys.readouterr().out
    assert f"job    {server.jobs[0].name}, collected, 60 of 60" in printed
    assert printed.isascii()
    assert main(["batch", "clean", *cache]) == 0
    assert main(["batch", "list", *cache]) == 0
    assert capsys.readouterr().out == f"cleaned: {submitted}\nno runs\n"


def test_mistakes(command: Command, file: Path, server: Standin) -> None:
    """A file that is not there is not made; a run that is not in it is named."""
    code, said = command("list")
    assert (code, file.exists()) == (1, False)
    assert "there is no such file" in said
    SQLiteCache(file).set_many([])
    assert command("list") == (0, {"runs": []})
    code, said = command("wait", "nobody")
    assert code == 1
    assert "'nobody'" in said
    assert server.log == []
