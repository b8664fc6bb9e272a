"""Media as rows of the Batch API: what is online one vector is one row, and costs half."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from batch.standing import embedder, left_over, online, standing
from llama_index.core.schema import ImageNode
from media.samples import mp4, pdf, png, wav

from gemini_embed import (
    BatchError,
    BatchFailedError,
    ConfigurationError,
    InvalidInputError,
    Media,
    fused,
)
from gemini_embed.batch import doing
from gemini_embed.batch.jobs import planned
from gemini_embed.batch.ledger import Lease
from gemini_embed.batch.lines import content_of, kept_in, row_of, with_uris
from gemini_embed.batch.outcomes import halves
from gemini_embed.batch.result import billed_of
from gemini_embed.batch.spool import kept_path
from gemini_embed.media.composition import seen_again
from gemini_embed.media.contents import MediaContent
from gemini_embed.models import MODELS
from gemini_embed.usage import Rate
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding, MediaHashes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gemini_embed.media import Item
    from gemini_embed.standin import Standin

LARGE = 16_000_000


@pytest.fixture
def server() -> Iterator[Standin]:
    with standing() as running:
        yield running


def items_of(folder: Path) -> list[Item]:
    """Return items of every kind: one in a file, some of several parts."""
    (folder / "a.png").write_bytes(png(1))
    clip = Media.from_bytes(mp4(20), start=1.000_000_5, end=9, fps=2)
    return [
        "a text",
        Media.from_path(folder / "a.png"),
        ["a caption", png(2)],
        Media.from_bytes(wav(3), start=0.25),
        clip,
        pdf(2),
        fused("two", "texts"),
        fused("one text"),
    ]


def rows_of(server: Standin) -> list[Any]:
    """Return the requests of all jobs, as they were uploaded."""
    files = [job.results.rows.path for job in server.jobs]
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    return [json.loads(line)["request"] for line in lines]


def test_each_item_gets_the_vector_of_an_online_call(server: Standin, tmp_path: Path) -> None:
    """Its row is what an online request has of it; later calls of any kind send nothing."""
    items = items_of(tmp_path)
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        result = mine.embed(items, role="document", batch=True)
        assert online(server) == []
        rows = [row["content"]["parts"] for row in rows_of(server)]
        assert left_over(server) == []
        assert list(tmp_path.glob("*.batch-*")) == []
        again = mine.embed(items, role="document")
        assert online(server) == []
    (tmp_path / "other").mkdir()
    with embedder(server, tmp_path / "other") as other:
        expected = other.embed(items, role="document")
    sent = [entry["content"]["parts"] for one in online(server) for entry in one.body["requests"]]

    assert result.vectors == pytest.approx(expected.vectors)
    assert again.vectors == pytest.approx(result.vectors)
    assert sorted(map(json.dumps, rows)) == sorted(map(json.dumps, sent))
    assert result.usage.prompt_tokens == expected.usage.prompt_tokens
    for kind in ("AUDIO", "DOCUMENT", "IMAGE", "VIDEO"):
        assert result.usage.by_modality[kind] == expected.usage.by_modality[kind]
    whole = expected.usage.cost()
    assert whole
    assert result.usage.cost() == whole / 2
    assert mine.usage.cost() == result.usage.cost()


def test_vertex_ai_takes_media_rows_likewise(server: Standin, tmp_path: Path) -> None:
    """With its own names; what is too large for a row is refused with what to do, as online."""
    server.place("gs://media/a.png", png(5))
    items = [*items_of(tmp_path), Media.from_uri("gs://media/a.png")]
    with embedder(server, tmp_path, "vertex", batch_tokens=None) as mine:
        result = mine.embed(items, role="document", batch=True)
        assert [one for one in server.log if "EmbedContent" in one.path] == []
        with pytest.raises(InvalidInputError, match=r"item 1: .*gs://"):
            mine.batch(["a", png(1, size=LARGE)], role="document")
    with embedder(server, tmp_path, "vertex", cache=None) as other:
        expected = other.embed(items, role="document")
    assert result.vectors == pytest.approx(expected.vectors)
    assert "fileUri" in json.dumps(rows_of(server))
    assert result.usage.by_modality["VIDEO"] == expected.usage.by_modality["VIDEO"]


def test_few_large_rows_of_results_are_in_memory_at_once(
    server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vertex AI sends each row again beside its vector, with all of its media."""
    held: list[int] = []
    take = doing._take

    def taken(collector: Any, rows: Any, fast: bool) -> None:
        held.append(sum(map(len, rows)))
        take(collector, rows, fast)

    monkeypatch.setattr(doing, "_take", taken)
    items: list[Item] = [png(n, size=6_000_000) for n in range(9)]
    with embedder(server, tmp_path, "vertex", batch_tokens=None, timeout=20) as mine:
        result = mine.embed(items, role="document", batch=True)

    assert online(server) == []
    assert len(result.vectors) == 9
    assert sum(held) > 9 * 8_000_000
    assert max(held) < 2**25 + 8_010_000


def test_the_same_bytes_are_one_row(server: Standin, tmp_path: Path) -> None:
    """Whether in a file or not, and a text of its own is a text, fused or not."""
    (tmp_path / "a.png").write_bytes(png(1))
    items: list[Item] = [png(1), "a", Media.from_path(tmp_path / "a.png"), fused("a"), png(1)]
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        result = mine.embed(items, role="document", batch=True)
    assert len(rows_of(server)) == 2
    assert online(server) == []
    assert (result.vectors[0] == result.vectors[2]).all()
    assert (result.vectors[0] == result.vectors[4]).all()
    assert (result.vectors[1] == result.vectors[3]).all()
    assert (result.usage.duplicates, result.usage.prompt_tokens) == (3, 258 + 7)


def test_without_a_report_kinds_are_billed_as_they_were_planned() -> None:
    """The service may tell all tokens of a row, and not of what they are."""
    job = replace(planned(0, 4, 100, kinds={"IMAGE": 60, "TEXT": 40}), prompt_tokens=150)
    rate = Rate("m", "gemini", None, is_batch=True)

    assert billed_of(job, rate) == {rate._replace(modality="IMAGE"): 90, rate: 60}
    assert billed_of(replace(job, by_modality={"IMAGE": 140}), rate) == {
        rate._replace(modality="IMAGE"): 140,
        rate: 10,
    }
    first, second = halves(job, 1.0)
    assert (first.kinds, second.tokens) == ({"IMAGE": 30, "TEXT": 20}, 50)


def test_the_estimate_knows_the_price_of_media_rows(server: Standin, tmp_path: Path) -> None:
    """Half of each kind's own price."""
    with embedder(server, tmp_path) as mine:
        forecast = mine.estimate([png(1), wav(10)], role="document")

    assert forecast.batch_cost == forecast.cost / 2 if forecast.cost else False
    assert forecast.batch_cost == (258 * Decimal("0.45") + 250 * Decimal("6.5")) / 2 / 10**6


def test_what_is_too_large_for_a_row_is_stored_once(server: Standin, tmp_path: Path) -> None:
    """Before its job is created, and deleted after it; beside the spool only its owner reads it."""
    (tmp_path / "a").write_bytes(png(1, size=LARGE))
    items: list[Item] = [Media.from_path(tmp_path / "a"), ["a caption", png(1, size=LARGE)], png(3)]
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        run = mine.batch(items, role="document")
        run.submit()
        (kept,) = tmp_path.glob("*.media")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        stored = [file for file in server.files if file.mime_type == "image/png"]
        assert [file.size for file in stored] == [LARGE]
        (tmp_path / "a").unlink()  # all that is sent was taken when the run began
        run.wait()
        result = run.result()
        assert left_over(server) == []
        assert list(tmp_path.glob("*.batch-*")) == []
        assert [len(row["content"]["parts"]) for row in rows_of(server)] == [1, 2, 1]
        assert "file_uri" in json.dumps(rows_of(server)[:2])
        assert run.status().state == "done"
    with embedder(server, tmp_path, cache=None, timeout=20) as other:
        expected = other.embed([png(1, size=LARGE), *items[1:]], role="document")
    assert result.vectors == pytest.approx(expected.vectors)


def test_an_upload_that_was_killed_or_is_too_old_begins_again(
    server: Standin, tmp_path: Path
) -> None:
    """Under new names; what may lie there of the first time is deleted."""
    items: list[Item] = [Media.from_bytes(png(1, size=LARGE)), "a text"]
    server.job_script.append(["refused"])
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        run = mine.batch(items, role="document")
        run.submit()
        first = {file.name for file in server.files}
        assert len(first) == 2
        office = mine._office()
        (job,) = office.ledger.jobs(run.id)
        lease = office.ledger.take(run.id, office.clock.now(), 60)
        assert isinstance(lease, Lease)
        old = replace(job, at=job.at - 47 * 3600, due=0)
        office.ledger.write(lease, [old], office.clock.now(), 60)
        office.ledger.give_back(lease)
        run.wait()
        assert len(run.result().vectors) == 2
        deleted = {one.path for one in server.log if one.method == "DELETE"}
        assert all(any(path.endswith(name) for path in deleted) for name in first)
        assert left_over(server) == []


def test_rows_that_bring_nothing_go_online(server: Standin, tmp_path: Path) -> None:
    """From the spool, small and large ones, each under its own key; usage has both prices."""
    items = [*items_of(tmp_path), Media.from_bytes(png(9, size=LARGE), mime_type="image/png")]
    server.job_script.append(["failed"])
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        result = mine.embed(items, role="document", batch=True)
        sent = len(online(server))
        assert sent
        mine.embed(items, role="document")
        assert len(online(server)) == sent
    with embedder(server, tmp_path, cache=None, timeout=20) as other:
        expected = other.embed(items, role="document")
    assert result.vectors == pytest.approx(expected.vectors)
    assert result.usage.cost() == expected.usage.cost()


def test_without_a_fallback_the_items_are_named(server: Standin, tmp_path: Path) -> None:
    """By their places in the caller's list; the others are there."""
    server.job_script.append(["rows-failed"])
    with (
        embedder(server, tmp_path, batch_tokens=10**6, batch_fallback="error") as mine,
        pytest.raises(BatchFailedError) as caught,
    ):
        mine.embed(["a", png(1), png(2), png(1)], role="document", batch=True)
    assert caught.value.indexes
    assert {*caught.value.indexes, *caught.value.partial} == set(range(4))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b"no picture", "unknown format"),
        (Media.from_path("/nowhere/a.png"), "not found"),
        ([png(n) for n in range(7)], "too many media"),
    ],
)
def test_what_is_not_taken_is_refused_before_anything_is_sent(
    server: Standin, tmp_path: Path, item: Any, reason: str
) -> None:
    """With its place; nothing is written either."""
    with embedder(server, tmp_path) as mine:
        for attempt in (
            lambda: mine.batch(["a", item], role="document"),
            lambda: mine.embed(["a", item], role="document", batch=True),
            lambda: asyncio.run(mine.aembed(["a", item], role="document", batch=True)),
        ):
            with pytest.raises(InvalidInputError) as caught:
                attempt()
            assert (caught.value.index, caught.value.reason) == (1, reason)
    assert server.log == []
    assert list(tmp_path.glob("*.batch-*")) == []


def test_a_model_of_texts_takes_no_media_rows(server: Standin, tmp_path: Path) -> None:
    """As online."""
    with (
        embedder(server, tmp_path, model="gemini-embedding-001") as mine,
        pytest.raises(ConfigurationError, match="takes texts alone"),
    ):
        mine.batch([png(1)], role="document")


@pytest.mark.parametrize("size", [0, LARGE])
def test_a_file_that_changes_before_the_run_begins_is_named(
    server: Standin, tmp_path: Path, size: int
) -> None:
    """The run would embed something else than it is called by."""
    (tmp_path / "a").write_bytes(png(1, size=size))
    with embedder(server, tmp_path) as mine:
        run = mine.batch(["a", Media.from_path(tmp_path / "a")], role="document")
        (tmp_path / "a").write_bytes(png(2, size=size))
        with pytest.raises(InvalidInputError, match=r"item 1: .* has changed"):
            run.submit()
        assert list(tmp_path.glob("*.batch-*")) == []
        assert mine.batches() == []
    assert server.log == []


def test_media_that_are_gone_beside_the_spool_come_again(server: Standin, tmp_path: Path) -> None:
    """From the caller's items; without them the error says what is missing."""
    server.job_script.append(["refused"])
    items: list[Item] = [png(1, size=LARGE), "a"]
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        run = mine.batch(items, role="document")
        run.submit()
        server.job_script.append(["failed"])
        for one in tmp_path.glob("*.media"):
            one.unlink()
        with pytest.raises(BatchError, match=f"{run.id} cannot go on here"):
            mine.batch_resume(run.id).wait()
        again = mine.batch(items, role="document")
        again.wait()
        assert len(again.result().vectors) == 2


def test_what_lies_at_a_uri_is_embedded_by_each_run(server: Standin, tmp_path: Path) -> None:
    """It may have changed; with `cache_uris` it is what it was."""
    uri = "https://example.com/a.png"
    items: list[Item] = ["a", Media.from_uri(uri, allow_urls=True)]
    found = []
    with embedder(server, tmp_path) as mine:
        for number in (1, 2):
            server.place(uri, png(number))
            found.append(mine.embed(items, role="document", batch=True).vectors)
    with embedder(server, tmp_path, cache_uris=True) as mine:
        server.place(uri, png(3))
        found.append(mine.embed(items, role="document", batch=True).vectors)

    assert len(server.jobs) == 3  # the text has one
    assert found[0][0] == pytest.approx(found[1][0])
    assert found[0][1] != pytest.approx(found[1][1])
    assert found[1] == pytest.approx(found[2])


def _medium(media: Media) -> Any:
    return seen_again(media, model=MODELS["gemini-embedding-2"], backend="gemini")


@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_a_line_is_its_content_again(tmp_path: Path, backend: Any) -> None:
    """With the same key: also a clip of odd seconds, a URI, and what is kept beside the spool."""
    path = tmp_path / "spool.jsonl"
    kept_path(path, 0).write_bytes(png(4))
    media = [
        Media.from_bytes(png(1)),
        Media.from_bytes(mp4(9), start=0.1 + 0.2, end=7.123456789123, fps=1),
        Media.from_uri("gs://b/a.png"),
        Media.from_uri("https://example.com/a.png", allow_urls=True),
    ]
    large = Media.from_bytes(png(4) + bytes(LARGE))
    contents = [MediaContent.fused(["a", _medium(one)]) for one in media]
    for content in contents:
        line = b"".join(row_of("k", content, 128, backend, lambda _: 0))
        again = content_of(line, backend, lambda number: kept_path(path, number), _medium)
        assert again.key_bytes() == content.key_bytes()

    line = b"".join(row_of("k", MediaContent.fused([_medium(large)]), 128, backend, lambda _: 0))
    assert kept_in(line) == {0: "image/png"}
    assert kept_in(with_uris(line, {0: "https://x/files/a"})) == {}
    assert b'"https://x/files/a"' in with_uris(line, {0: "https://x/files/a"})
    again = content_of(line, backend, lambda number: kept_path(path, number), _medium)
    assert again.key_bytes() == MediaContent.fused([_medium(Media.from_bytes(png(4)))]).key_bytes()


def test_a_text_that_looks_like_a_kept_medium_is_a_text() -> None:
    """Whatever callers write: nothing of it is taken for a file of ours."""
    text = '", "mime_type": "image/png", "file_uri": "kept:0"'
    line = b"".join(row_of("k", MediaContent.fused([text, text]), 1, "gemini", lambda _: 0))

    assert kept_in(line) == {}
    assert with_uris(line, {0: "x"}) == line


def test_both_frameworks_send_pictures_by_the_batch_api(server: Standin, tmp_path: Path) -> None:
    """With `batch_documents`: no request online, and the vectors that online calls bring."""
    (tmp_path / "a.png").write_bytes(png(1))
    options: dict[str, Any] = {
        "api_key": "k",
        "base_url": server.url,
        "cache": tmp_path / "vectors.sqlite3",
        "output_dimensionality": 128,
        "batch_documents": True,
    }
    theirs = GeminiEmbeddings(**options)
    nodes = GeminiEmbedding(**options)
    with embedder(server, tmp_path) as fast:
        for one in (theirs, nodes):
            object.__setattr__(one.embedder, "_clock", fast._clock)
        first = theirs.embed_image([str(tmp_path / "a.png")])
        second = nodes.get_image_embedding_batch([str(tmp_path / "a.png")])
        (node,) = nodes(MediaHashes()([ImageNode(image_path=str(tmp_path / "a.png"), text="")]))
    assert online(server) == []
    assert len(server.jobs) == 1
    assert first[0] == pytest.approx(second[0])
    assert first[0] == pytest.approx(node.embedding)


async def test_async_twins_take_media_as_well(server: Standin, tmp_path: Path) -> None:
    """Files are read beside the caller's loop."""
    (tmp_path / "a.png").write_bytes(png(1))
    items: list[Item] = ["a", Media.from_path(tmp_path / "a.png"), ["b", png(2)]]
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        result = await mine.aembed(items, role="document", batch=True)
        run = mine.batch(items, role="document")
        assert run.id == mine.batches()[0].id
        await run.await_()
        again = await run.aresult()
    assert (again.vectors == result.vectors).all()
    assert len(server.jobs) == 1
