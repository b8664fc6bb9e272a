"""What the README promises, run as it stands there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from pages import README, ROOT, blocks, run

from benchmarks.plot import RESULTS, pairs_of, shown

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin

BLOCKS = blocks(README)
PEERS = (ROOT / "tests/peers/test_same_behaviour.py").read_text(encoding="utf-8")

PROVED = {
    "a task on gemini-embedding-2": ["a_task_reaches_the_newest_model"] * 2,
    "`task_type` given to the class": ["a_purpose_is_a_pair", "a_task_in_the_config_counts"],
    "gemini-embedding-001 below 3072 dimensions": ["a_cut_vector_has_length_1"] * 2,
    "fewer vectors than texts": ["short_answers"] * 2,
    "three refusals for a quota (429)": ["a_quota_is_waited_for"] * 2,
    "a failure that passes": ["a_failure_that_passes"] * 2,
    "a timeout": ["request_options", "timeout"],
    "an unknown option": ["an_unknown_option"] * 2,
    "pickling and copying": ["copies"] * 2,
}
"""Row of the table -> the tests, with LangChain's and LlamaIndex's classes, that show it."""


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_block_runs_as_pasted(number: int, server: Standin, tmp_path: Path) -> None:
    """A new user pastes a block with a key in the environment, and it works."""
    done = run(BLOCKS[number], tmp_path, url=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_it_is_short() -> None:
    """A framework's block is ten lines, and the page is read in a few minutes."""
    assert all(len(block.strip().splitlines()) <= 10 for block in BLOCKS)
    assert len(README.splitlines()) < 150


def test_each_row_beside_the_official_integrations_has_its_tests() -> None:
    """Nothing is said of them that no test shows today, with theirs failing and ours passing."""
    table = README.partition("## Beside the official")[2].partition("\n## ")[0]
    first = re.findall(r"^\| ([^|]*\w[^|]*) \|", table, re.MULTILINE)

    assert first == [*PROVED]
    for langchain, llamaindex in PROVED.values():
        assert is_failed_at(f"test_langchain_{langchain}", "OFFICIAL_LANGCHAIN")
        assert is_failed_at(f"test_llamaindex_{llamaindex}", "OFFICIAL_LLAMAINDEX")


def is_failed_at(test: str, official: str) -> bool:
    """Tell whether a test, with all that decorates it, says that an official class fails at it."""
    (found,) = (part for part in PEERS.split("\n\n\n") if re.search(rf"def {test}\(", part))
    return f"fails({official}, " in found


def test_the_picture_is_told_in_words() -> None:
    """Who cannot see it reads the same figures."""
    (told,) = re.findall(r"!\[([^]]*)\]\(docs/pictures/throughput.svg\)", README)
    _, pairs = pairs_of(json.loads(RESULTS.read_text(encoding="utf-8")))["throughput"]
    drawn = [shown(x) for name in ("LangChain, sync", "LlamaIndex, sync") for x in pairs[name]]

    assert re.findall(r"[\d,]+(?=\s+with)", told) == drawn
