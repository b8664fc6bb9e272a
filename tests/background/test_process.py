from __future__ import annotations

import os

import pytest
from pages import run

FORKS = """
import gc, os, warnings
from gemini_embed.background import process

warnings.simplefilter("ignore")
with process.importing(), process.importing():
    assert not gc.isenabled()
    child = os.fork()
    if not child:
        os._exit(gc.isenabled())
assert gc.isenabled()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
gc.disable()
with process.importing():
    pass
assert not gc.isenabled()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_garbage_is_collected_again_after_an_import() -> None:
    """In a child that was forked meanwhile too; but not where the user does not want it."""
    done = run(FORKS)

    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
