"""`make bench-scale`: each part of it runs, and says what happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import environments
from benchmarks.growth.__main__ import main, write
from benchmarks.growth.amounts import Amounts
from benchmarks.growth.day import TIERS, day, simulated
from benchmarks.growth.sharing import processes, ray
from benchmarks.growth.sizes import sizes
from benchmarks.results import Section, Table
from benchmarks.windows import Limit, Sent, most_in_a_window, use_of

if TYPE_CHECKING:
    from pathlib import Path

FEW = Amounts(
    texts=(200,), adapters=200, runs=1, processes=(2,), limit=Limit(60, 0.5), periods=2, a_day=2000
)


def test_every_way_embeds_loads_of_each_size() -> None:
    """A row has what it took, and the vectors' own memory: none of a stream's are kept."""
    section = sizes(FEW)

    (table,) = section.tables
    assert [row[:2] for row in table.rows] == [
        ("embed", "200"),
        ("embed_stream", "200"),
        ("LangChain, embed_documents", "200"),
        ("LlamaIndex, get_text_embedding_batch", "200"),
    ]
    assert [row[-1] for row in table.rows] == ["0", "0", "2", "2"]
    assert section.figures.keys() == {"stream-memory"}


def test_processes_share_a_quota() -> None:
    """What two of them send is never above it, by the log of the service."""
    section = processes(FEW)

    (row,) = section.tables[0].rows
    assert row[0] == "2"
    assert row[2] == "0"
    assert 0 < int(row[3]) <= FEW.limit.texts
    assert section.figures["shared-refused"] == 0


def test_without_ray_its_part_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the others have been measured all the same."""
    monkeypatch.setattr(environments, "ROOT", tmp_path)

    section = ray(FEW)

    assert section.how.startswith("Not measured: Ray is not set up here.")
    assert (section.tables, section.failure) == ([], None)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_simulated_day_ends_where_its_limit_says(*, is_told: bool) -> None:
    """The free tier lets a thousand texts through, and says when it goes on."""
    found = simulated(TIERS[0], 2000, is_told=is_told)

    assert found.passed == 1000
    assert found.resets == pytest.approx(86_400 - found.taken)
    assert (found.refused == 0) is is_told


def test_a_tier_without_a_limit_of_a_day_ends_when_all_is_done() -> None:
    """At the full rate of a minute, and with no refusal where the limits are told."""
    found = simulated(TIERS[1], 9000, is_told=True)

    assert (found.passed, found.refused, found.resets) == (9000, 0, None)
    assert 120 < found.taken < 140
    assert [row[0] for row in day(FEW).tables[0].rows] == [
        "free, told",
        "free, not told",
        "1, told",
        "1, not told",
    ]


def test_a_run_keeps_what_others_have_measured(tmp_path: Path) -> None:
    """Whoever measures one part anew does not lose the rest."""
    old = Section("Size of a load", "old", [Table("", ("", "s"), [("embed", "1.0")])])
    write(tmp_path / "growth.json", {"sizes": old})

    assert main(["--quick", "--only", "day", "--output", str(tmp_path)]) == 0

    found = json.loads((tmp_path / "growth.json").read_text(encoding="utf-8"))["sections"]
    assert [*found] == ["sizes", "day"]
    assert found["sizes"]["tables"][0]["rows"] == [["embed", "1.0"]]
    page = (tmp_path / "growth.md").read_text(encoding="utf-8")
    assert "| embed | 1.0 |" in page
    assert "| free, told | 1,000 |" in page


def test_what_is_said_of_a_limit() -> None:
    """The share that was let through after two periods, and the most in any window."""
    sent = [Sent(at, 50, 200) for at in range(10, 50, 5)] + [Sent(50, 50, 429)]
    waits = [(20.0, 9.0), *((30.0, float(second)) for second in range(1, 101))]

    use = use_of(sent, Limit(100, 10.0), 50.0, waits)

    assert (use.used, use.refused, use.most) == (1.0, [40], 100)
    assert (use.queries, use.p50, use.p99, use.longest) == (100, 50.0, 99.0, 100.0)
    assert most_in_a_window(sent, 10.1) == 150
