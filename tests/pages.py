"""The README and the pages of the documentation, and what they show, run as a reader runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """Return the programs in a page, as they are pasted."""
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def run(
    program: str,
    folder: Path | None = None,
    *,
    url: str | None = None,
    python: Sequence[str] = (sys.executable,),
) -> subprocess.CompletedProcess[str]:
    """Run a program, with a key and the service at `url` in the environment if there is one."""
    service = {"GEMINI_API_KEY": "a-key", "GOOGLE_GEMINI_BASE_URL": url} if url else {}
    return subprocess.run(  # noqa: S603 - our own interpreter and text
        [*python, "-c", program],
        capture_output=True,
        cwd=folder,
        env={**os.environ, **service},
        text=True,
        timeout=120,
        check=False,
    )
