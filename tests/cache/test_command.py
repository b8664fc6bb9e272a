"""`python -m gemini_embed.cache` looks after a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cache.numbered import key

from gemini_embed.cache import SQLiteCache
from gemini_embed.cache.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def test_the_command_looks_after_a_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stats, prune and clear say what is in the file, and give the space back."""
    cache = SQLiteCache(path)
    cache.set_many([(key(i), bytes(12_000)) for i in range(500)])
    cache.close()

    assert main(["stats", "--path", str(path)]) == 0
    assert "500 vectors, 6." in capsys.readouterr().out
    assert main(["prune", "--path", str(path), "--max-mib", "3"]) == 0
    assert path.stat().st_size <= 3 * 2**20
    assert main(["clear", "--path", str(path)]) == 0
    assert ": 0 vectors" in capsys.readouterr().out.splitlines()[-1]
    assert main(["stats", "--path", str(path.parent / "none")]) == 1
    assert "there is no such file" in capsys.readouterr().err
    path.write_bytes(b"something else" * 1000)
    assert main(["stats", "--path", str(path)]) == 1
    assert "not a cache file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["prune", "--path", str(path)])
