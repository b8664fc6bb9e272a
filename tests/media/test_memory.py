"""How much memory media take on their way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from media.samples import png
from pages import MEBIBYTES, ROOT, beside, run

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """
import sys
import time
from media.echo import echo

with echo() as told:
    told.keeps = False
    print(told.url, flush=True)
    sys.stdin.read()
"""

PROGRAM = """
import sys
import threading
import time
from pathlib import Path

from gemini_embed import GeminiEmbedder, Media


MEBIBYTES

def watch():
    global most
    while True:
        most = max(most, mebibytes() - rest)
        time.sleep(0.002)


options = {OPTIONS}
embedder = GeminiEmbedder(output_dimensionality=8, normalize=False, **options)
media = [Media.from_path(path) for path in sorted(Path(FOLDER).iterdir())]
embedder.embed([media[0]], role="document")
rest, most = mebibytes(), 0
threading.Thread(target=watch, daemon=True).start()
result = embedder.embed(media, role="document")
print(len(result.vectors), round(most))
""".replace("MEBIBYTES", MEBIBYTES)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "options", ["{}", '{"client_args": {"follow_redirects": True}}'], ids=["aiohttp", "httpx"]
)
def test_200_mb_of_pictures_take_less_than_150(tmp_path: Path, options: str) -> None:
    """They are read as they are sent, and their base64 is made as it leaves."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(100):
        (folder / f"{i:03}.png").write_bytes(png(i, size=2_000_000))
    program = PROGRAM.replace("FOLDER", repr(str(folder))).replace("{OPTIONS}", options)
    with beside("-c", SERVER, folder=ROOT / "tests") as url:
        done = run(program, ROOT, url=url.strip(), seconds=120)

    assert done.returncode == 0, done.stderr
    vectors, most = map(int, done.stdout.split())
    assert vectors == 100
    assert most < 100
