"""Two processes that work one run: one does, the other waits for it and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from batch.standing import SPEED, TEXTS, right, sent_online, standing

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from batch.standing import TEXTS, embedder

class Server:
    url = sys.argv[1]

folder, out = Path(sys.argv[2]), sys.argv[3]
with embedder(Server, folder) as mine:
    run = mine.batch(TEXTS, role="document")
    print("begins", flush=True)
    sys.stdin.readline()
    run.wait()
    np.save(out, run.result().vectors)
"""


def test_one_works_and_the_other_waits(tmp_path: Path) -> None:
    """Both have every vector in the end, no text was paid for twice, and one says that it waits."""
    with standing(batch_seconds=1.5 * SPEED) as server:
        processes = [
            subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", PROGRAM, server.url, tmp_path, tmp_path / f"{i}.npy"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            for i in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "begins\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=100)[1] for process in processes]

        assert [process.returncode for process in processes] == [0, 0]
        for i in range(2):
            np.testing.assert_allclose(
                np.load(tmp_path / f"{i}.npy"), right(server, TEXTS), atol=1e-6
            )
        assert sum("waiting for it" in one for one in said) == 1
        assert len(server.jobs) == 3
        assert set(server.paid().values()) == {1}
        assert sent_online(server) == []
