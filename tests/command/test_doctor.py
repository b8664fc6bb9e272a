"""`python -m gemini_embed doctor` says whether it works, and why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed.__main__ import main
from gemini_embed.cache import SQLiteCache
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Doctor = Callable[..., tuple[int, dict[str, Any]]]

KEY = "a-key-that-nobody-may-see"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No cache of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def patient(server: Standin, monkeypatch: pytest.MonkeyPatch) -> Standin:
    """A machine with a key, and a service."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    return server


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main(["doctor", "--json", *arguments])
        printed = capsys.readouterr()
        assert KEY not in printed.out + printed.err
        assert printed.err == ""
        return code, json.loads(printed.out)

    return run


def test_it_works(patient: Standin, doctor: Doctor) -> None:
    """One short text goes there and back; versions, service, key and model are told."""
    code, found = doctor()

    assert (code, found["works"], found["error"], found["warnings"]) == (0, True, None, [])
    assert found["round_trip"]["dimension"] == 3072
    assert found["round_trip"]["length"] == pytest.approx(1, abs=1e-3)
    assert found["round_trip"]["seconds"] > 0
    assert found["round_trip"]["tokens"] != 0  # google-genai below 3.1 drops it
    assert found["service"] == {"name": "gemini", "why": "the default", "address": patient.url}
    assert found["key"] == "key from GEMINI_API_KEY (GOOGLE_API_KEY is not set)"
    assert found["model"] == {"name": "gemini-embedding-2", "status": "available", "end": None}
    assert {"gemini-embed", "google-genai", "langchain-core", "llama-index-core"} <= found.keys()
    assert len(patient.log) == 1


def test_a_reader_gets_lines(patient: Standin, capsys: pytest.CaptureFixture[str]) -> None:
    """The last one is the verdict; nothing but ASCII, so that every console can show it."""
    assert main(["doctor", "--model", "gemini-embedding-001"]) == 0

    printed = capsys.readouterr().out
    assert printed.endswith("\nIt works.\n")
    assert "gemini-embedding-001: available, until 2028-05-14" in printed
    assert "3072 numbers, length 1.000, tokens not reported" in printed
    assert printed.isascii()
    assert patient.log


def test_a_key_that_is_refused(
    server: Standin,
    monkeypatch: pytest.MonkeyPatch,
    doctor: Doctor,
) -> None:
    """It says which variable holds it."""
    monkeypatch.setenv("GOOGLE_API_KEY", "invalid-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)

    code, found = doctor()

    assert (code, found["works"]) == (1, False)
    assert "API key not valid" in found["error"]
    assert "GOOGLE_API_KEY" in found["error"]


def test_no_key(doctor: Doctor) -> None:
    """It says which variables were looked at, and sends nothing."""
    code, found = doctor()

    assert code == 1
    assert found["key"] == "no key"
    assert "set GOOGLE_API_KEY or GEMINI_API_KEY" in found["error"]


@pytest.mark.usefixtures("patient")
def test_an_address_where_nobody_is(monkeypatch: pytest.MonkeyPatch, doctor: Doctor) -> None:
    """It names the address, and does not try for minutes."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")

    code, found = doctor()

    assert code == 1
    assert found["service"]["address"] == "http://127.0.0.1:9"
    assert "connection failed" in found["error"]


@pytest.mark.usefixtures("patient")
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, doctor: Doctor) -> None:
    """What cannot even be built is told the same way, with the versions."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "nowhere")

    code, found = doctor()

    assert code == 1
    assert found["error"].startswith("GOOGLE_GEMINI_BASE_URL must begin with http")
    assert found["google-genai"]


@pytest.mark.usefixtures("patient")
def test_a_model_that_was_shut_down(doctor: Doctor) -> None:
    """It names the day and the model to move to."""
    code, found = doctor("--model", "gemini-embedding-exp-03-07")

    assert code == 1
    assert found["model"]["status"] == "retired"
    assert "gemini-embedding-001" in found["error"]
    assert "2025-10-30" in found["warnings"][0]


def test_vectors_of_another_length(patient: Standin, doctor: Doctor) -> None:
    """A gateway that does not normalise is a warning: rankings by dot product would be wrong."""
    vector = [0.5] + [0.0] * 3071
    patient.script.append((200, {"embeddings": [{"values": vector}]}, {}))

    code, found = doctor()

    assert (code, found["works"]) == (2, True)
    assert found["round_trip"]["length"] == pytest.approx(0.5, abs=1e-3)
    assert "length 0.500" in found["warnings"][0]


@pytest.mark.usefixtures("patient")
def test_two_keys(monkeypatch: pytest.MonkeyPatch, doctor: Doctor) -> None:
    """Where two variables hold different keys, it works, with a warning that says which counts."""
    monkeypatch.setenv("GOOGLE_API_KEY", KEY + "-2")

    code, found = doctor()

    assert (code, found["works"]) == (2, True)
    assert found["key"] == "key from GOOGLE_API_KEY (it comes before GEMINI_API_KEY)"
    assert found["warnings"] == [
        "GOOGLE_API_KEY and GEMINI_API_KEY hold different keys; GOOGLE_API_KEY comes first"
    ]


@pytest.mark.usefixtures("patient")
def test_the_cache(tmp_path: Path, doctor: Doctor) -> None:
    """What it holds, that it is not there, or that it is damaged; nothing is made or changed."""
    path = tmp_path / "cache.sqlite3"
    code, found = doctor("--cache", str(path))
    assert (code, found["cache"]) == (0, {"path": str(path)})
    assert not path.exists()

    cache = SQLiteCache(path)
    cache.set_many([("ab" * 20, bytes(3000))])
    cache.close()
    code, found = doctor("--cache", str(path))
    assert (code, found["cache"]["vectors"]) == (0, 1)

    path.write_bytes(b"something else" * 1000)
    code, found = doctor("--cache", str(path))
    assert (code, found["works"]) == (1, False)
    assert "not a cache file" in found["error"]
    assert path.read_bytes() == b"something else" * 1000


@pytest.mark.usefixtures("patient")
def test_a_damaged_cache_that_nobody_asked_for_is_a_warning(tmp_path: Path, doctor: Doctor) -> None:
    """The user's file counts for calls with `cache=True` only."""
    _, found = doctor()
    path = tmp_path / found["cache"]["path"]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else" * 1000)

    code, found = doctor()

    assert (code, found["works"]) == (2, True)
    assert "not a cache file" in found["warnings"][0]


def test_a_quota_that_is_spent(monkeypatch: pytest.MonkeyPatch, doctor: Doctor) -> None:
    """The service's own word is the reason."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with Standin(model="hash", requests_per_day=0) as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        code, found = doctor()

    assert code == 1
    assert "429" in found["error"]


@pytest.mark.usefixtures("home")
def test_as_a_program_on_a_poor_console(server: Standin, tmp_path: Path) -> None:
    """It runs where the console has few letters and no colours, and is no terminal at all."""
    folder = tmp_path / "h\u00e9\u4e16"
    poor = {"PYTHONIOENCODING": "ascii", "TERM": "dumb"}
    service = {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.url}
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "gemini_embed", "doctor", "--cache", str(folder / "c.sqlite3")],
        capture_output=True,
        env={**os.environ, **service, **poor},
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"c.sqlite3: no such file yet" in done.stdout
    assert KEY.encode() not in done.stdout
    assert b"\x1b" not in done.stdout


def test_on_vertex_ai(
    server: Standin,
    monkeypatch: pytest.MonkeyPatch,
    doctor: Doctor,
) -> None:
    """The other service is asked where the environment says so, and it says why."""
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)

    code, found = doctor("--model", "gemini-embedding-001")

    assert (code, found["service"]["name"]) == (0, "vertex")
    assert found["service"]["why"] == "GOOGLE_GENAI_USE_VERTEXAI is set to true"
    assert found["model"]["end"] == "2028-05-20"
