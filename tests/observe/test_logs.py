"""What the logger `gemini_embed` writes, and what it never writes."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import virtual
from virtual import Service, engine, request

from gemini_embed.errors import RequestError, ServiceUnavailableError
from gemini_embed.observe.events import Waiting
from gemini_embed.observe.logs import OF_RUNS, WaitLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed import GeminiEmbedder
    from gemini_embed.standin import Standin


def embed(service: Service, texts: list[str], **policy: object) -> None:
    async def main() -> None:
        await engine(service).embed(*request(texts, **policy))

    virtual.run(main())


def test_each_request_has_a_line_of_debug(caplog: pytest.LogCaptureFixture) -> None:
    """It says how many texts, which attempt, how long, and how it ended: also of a failed one."""
    caplog.set_level("DEBUG", "gemini_embed")
    outcomes = iter([ServiceUnavailableError("x", status=503)])
    service = Service(trouble=lambda _: next(outcomes, (0.25, 0.25)))

    embed(service, ["a", "b", "a"])

    lines = [record.getMessage() for record in caplog.records if record.levelname == "DEBUG"]
    assert lines == [
        "2 texts, attempt 1, 0.05 s: ServiceUnavailableError 503",
        "2 texts, attempt 2, 0.50 s: answered, no tokens told",
    ]


def test_tokens_are_in_the_line_where_the_service_tells_them(
    embedder: Callable[..., GeminiEmbedder], caplog: pytest.LogCaptureFixture
) -> None:
    """As they are reported for the whole request."""
    caplog.set_level("DEBUG", "gemini_embed")

    usage = embedder().embed(["one text", "another"], role="document").usage

    told = "no tokens told" if usage.prompt_tokens is None else f"{usage.prompt_tokens} tokens"
    assert caplog.messages[-1].endswith(f"answered, {told}")


def test_no_line_holds_a_text_or_a_key(
    server: Standin,
    embedder: Callable[..., GeminiEmbedder],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even where the service quotes them in what it refuses."""
    caplog.set_level("DEBUG", "gemini_embed")
    error = {"code": 400, "message": "secret-text a-key", "status": "secret-text"}
    server.script.append((400, {"error": error}, {}))
    made = embedder()

    with pytest.raises(RequestError):
        made.embed(["secret-text"], role="query")
    made.embed(["secret-text"], role="query")

    assert len(caplog.messages) >= 2
    assert not [line for line in caplog.messages if "secret-text" in line or "a-key" in line]


def test_no_line_holds_what_a_service_says(
    server: Standin, embedder: Callable[..., GeminiEmbedder], caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway that fails may quote what it was sent; the wait before another attempt is told."""
    caplog.set_level("DEBUG", "gemini_embed")
    said = {"error": {"code": 503, "status": "UNAVAILABLE", "message": "cannot do 'their text'"}}
    server.script.append((503, said, {"Retry-After": "0"}))

    embedder().embed(["their text"], role="document")

    assert "their text" not in caplog.text
    waits = [line for line in caplog.messages if "to try again" in line]
    assert waits == [
        "waiting 0 s to try again what failed (ServiceUnavailableError 503); 0 of 1 texts done"
    ]


def test_nothing_is_made_for_lines_that_nobody_takes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the usual level no record of a request is made."""
    caplog.set_level(logging.WARNING, "gemini_embed")
    monkeypatch.setattr("gemini_embed.observe.watch.Answered", None)  # could not be called

    embed(Service(), ["a"])


def test_a_program_that_sets_nothing_up_sees_warnings_only() -> None:
    """Python shows a warning of a logger on standard error, and no line of a lower level."""
    program = """
from gemini_embed.observe.events import Answered, Waiting
from gemini_embed.observe.logs import logs
for log in logs():
    for event in (Waiting(61.0, "for the quota", 1, 2, 0.0, quota=True), Answered(1, 1, 0.1, None)):
        if type(event) in log.sees:
            log(event)
"""
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert ran.stderr == "waiting 1 min 1 s for the quota; 1 of 2 texts done\n"


def test_a_run_of_hours_says_so_every_hour(caplog: pytest.LogCaptureFixture) -> None:
    """A warning at first and each hour, and a line of INFO each minute in between."""
    caplog.set_level(logging.INFO, "gemini_embed")
    log = WaitLog(OF_RUNS)

    for minute in range(2 * 60 + 1):
        for seconds in (0.0, 30.0):
            log(Waiting(30.0, "until then", 0, 9, 60.0 * minute + seconds, quota=False))

    levels = [one.levelno for one in caplog.records]
    assert [place for place, level in enumerate(levels) if level == logging.WARNING] == [0, 60, 120]
    assert len(levels) == 2 * 60 + 1
