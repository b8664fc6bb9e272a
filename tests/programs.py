"""Servers and workers: programs that run until they are asked to end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PATIENCE = 100.0
"""Seconds that a program has in all; then it is killed."""


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


class Program:
    """A program that runs, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Return what matches in what it says, as soon as it is said."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(pattern, line):
                threading.Thread(target=self._read_on, daemon=True).start()
                return found
        raise AssertionError(self.said)

    def _read_on(self) -> None:
        """Let it say more than the pipe holds."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def end(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(folder: Path, url: str, *arguments: str, **environment: str) -> Generator[Program]:
    """Run a Python module; the service is that at `url`."""
    service = {"GEMINI_API_KEY": "a-key", "GOOGLE_GEMINI_BASE_URL": url}
    own = {"XDG_CACHE_HOME": str(folder), "HOME": str(folder)}  # those of the user stay as they are
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **service, **own, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        patience = threading.Timer(_PATIENCE, process.kill)
        patience.start()
        try:
            yield Program(process)
        finally:
            patience.cancel()
            process.kill()
