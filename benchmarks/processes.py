"""Stand-ins and workers as the runner sees them: processes that answer a line with a line."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from benchmarks.environments import ROOT, clean_environment, python_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_START = 60.0


class Broken(Exception):  # noqa: N818 - says what became of the process
    """A process died or did not answer in time."""


class Conversation:
    """A process that answers each line of JSON with one."""

    def __init__(self, python: str, module: str, argument: str, tree: Path = ROOT) -> None:
        self._name = f"{module} {argument}"
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed by close
        self._process = subprocess.Popen(  # noqa: S603 - our own modules
            [python, "-m", module, argument],
            cwd=tree,
            env=clean_environment() | {"PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._reader = ThreadPoolExecutor(1)

    def ask(self, message: Any, timeout: float) -> Any:
        """Send one message and return the answer.

        Raises:
            Broken: The process died, or did not answer within `timeout` seconds; it is over.
        """
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._broken("is gone") from error
        return self.read(timeout)

    def read(self, timeout: float) -> Any:
        """Return the next line.

        Raises:
            Broken: See `ask`.
        """
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        line = self._reader.submit(self._process.stdout.readline)
        try:
            text = line.result(timeout)
        except TimeoutError:
            self._process.kill()
            raise self._broken(f"gave no answer within {timeout:.0f} s") from None
        if not text:
            raise self._broken("died")
        return json.loads(text)

    def _broken(self, what: str) -> Broken:
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or [""])[-1]
        print(f"{self._name} {what}: {last}", file=sys.stderr)
        return Broken(f"a process {what}")

    def close(self) -> None:
        """End the process: its input ends, and it has a moment."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.shutdown()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Server(Conversation):
    """A stand-in; see `benchmarks.server`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(sys.executable, "benchmarks.server", json.dumps(options))
        self.url: str = self.read(_START)

    def log(self) -> list[tuple[float, int, int]]:
        """Return `(arrival, texts, status)` of each request since the last time."""
        return [(at, texts, status) for at, texts, status in self.ask(None, _START)]


class Worker(Conversation):
    """A contestant; see `benchmarks.worker`. Ours is the one in `tree`."""

    def __init__(self, kind: str, tree: Path = ROOT) -> None:
        super().__init__(python_of(kind), "benchmarks.worker", kind, tree)
