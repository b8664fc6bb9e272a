"""The page on Vertex AI, with all that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import ROOT, blocks, run
from service.vertex import account_in

from gemini_embed.models import MODELS

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin

PAGE = (ROOT / "docs" / "vertex.md").read_text(encoding="utf-8")
BATCHES = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")


def test_a_project_and_the_credentials_of_the_machine_are_enough(
    server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page runs as it stands where somebody has logged in."""
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
    with account_in(tmp_path) as account:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        done = run("\n".join(blocks(PAGE, "google")), tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    service, shape, _ = done.stdout.splitlines()
    assert "Vertex AI, project my-project, location global" in service
    assert shape == "(2, 3072)"
    assert {"/projects/my-project/locations/global/" in one.path for one in server.log} == {True}


def test_a_batch_needs_a_bucket_more(
    server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page on batches shows of Vertex AI runs where somebody has logged in."""
    section = BATCHES.partition("\n## On Vertex AI\n")[2]
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    with account_in(tmp_path) as account:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        done = run("\n".join(blocks(section, "google")), tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["(250, 3072)", "True"]
    assert sorted(server.paid().values()) == [1] * 250
    assert server.objects == []
    assert not [one for one in server.log if "mbedContent" in one.path]


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if row.vertex.is_on])
def test_the_page_names_the_location_of_each_model(name: str) -> None:
    """Where a model is asked for if nobody says where."""
    table = PAGE.partition("| model | served in |")[2].partition("\n\n")[0]
    row = next(line for line in table.splitlines() if f"`{name.removesuffix('-preview')}`" in line)
    serving = MODELS[name].vertex

    assert row.split("|")[3].strip() == f"`{serving.location}`"
    assert all(f"`{place}`" in row for place in serving.only_in)
