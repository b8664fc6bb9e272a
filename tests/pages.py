"""The README and the pages of the documentation, and what they show, run as a reader runs it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


_BLOCK = re.compile(r"(?:<!-- ([^\n]*) -->\n)?```python\n(.*?)```", re.DOTALL)


def blocks(page: str, *marks: str) -> list[str]:
    """Return the programs in a page, as they are pasted; of those with a mark, only these."""
    return [code for mark, code in _BLOCK.findall(page) if mark in {"", *marks}]


def marked(page: str) -> dict[str, str]:
    """Return the programs that have a mark: a comment before them, which readers do not see.

    `file: app.py` is a file of that name, `needs: PACKAGE` a program for an environment that has
    this package, too, and `google` one that asks Google with credentials of its own.
    """
    return {mark: code for mark, code in _BLOCK.findall(page) if mark}


def installs(page: str) -> list[str]:
    """Return what a page tells its readers to install; `.` is a checkout of this project."""
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    lines = re.findall(r"^pip install (.*)$", shell, re.MULTILINE)
    return [one for line in lines for one in shlex.split(line, comments=True)]


DOCS = ROOT / "docs"
PAGES = [
    path.relative_to(DOCS).as_posix()
    for path in sorted(DOCS.rglob("*.md"))
    if blocks(path.read_text(encoding="utf-8"))
]
"""Those that show programs."""


_HASTY = """\
import logging
from gemini_embed.batch.clock import Clock
Clock.__init__.__defaults__ = (1000.0,)
logging.getLogger("gemini_embed").setLevel(logging.ERROR)
"""
"""Before a program that waits for the Batch API: its hours pass in moments, and it does not tell of
them on standard error."""


@contextmanager
def beside(*command: str, folder: Path) -> Generator[str]:
    """Run a program of ours beside a test, until the block ends; yield the first line it prints."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, *command],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:  # which ends it
            yield process.stdout.readline()


MEBIBYTES = """
def mebibytes():
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024
"""
"""For a program that measures itself: what it has in memory, by Linux."""


def run(
    program: str,
    folder: Path | None = None,
    *,
    url: str | None = None,
    python: Sequence[str] = (sys.executable,),
    seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program, with a key and the service at `url` in the environment if there is one.

    In a folder of its own it leaves the cache of the user alone.
    """
    if re.search("batch(_documents)?=True", program):
        program = _HASTY + program
    service = {"GEMINI_API_KEY": "a-key", "GOOGLE_GEMINI_BASE_URL": url} if url else {}
    caches = {"XDG_CACHE_HOME": str(folder)} if folder else {}
    return subprocess.run(  # noqa: S603 - our own interpreter and text
        [*python, "-c", program],
        capture_output=True,
        cwd=folder,
        env={**os.environ, **service, **caches},
        text=True,
        timeout=seconds,
        check=False,
    )
