from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    Environment = Callable[..., str]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return what makes an environment for lines of `pip install`, with the wheel as the checkout.

    Each is made once; what it returns is its Python.
    """
    wheel = os.environ.get("GEMINI_EMBED_WHEEL")
    if not wheel:
        pytest.skip("no wheel; make dist makes it, and an environment for each of these tests")
    uv = os.environ["GEMINI_EMBED_UV"]
    made: dict[frozenset[str], str] = {}

    def run(*command: str, **variables: str) -> None:
        env = {**os.environ, **variables}
        subprocess.run([uv, *command], check=True, cwd=ROOT, env=env)  # noqa: S603 - our own text

    def python(*installs: str) -> str:
        wanted = frozenset(f"{wheel}{one[1:]}" if one[0] == "." else one for one in installs)
        wanted |= {wheel}
        if wanted not in made:
            folder = tmp_path_factory.mktemp("environment")
            run("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
            pins = ("--constraints", "constraints.txt")
            run("pip", "install", "--quiet", *pins, *sorted(wanted), VIRTUAL_ENV=str(folder))
            made[wanted] = str(folder / "bin" / "python")
        return made[wanted]

    return python
