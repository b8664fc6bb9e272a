"""Runs of the Batch API from end to end, against the stand-in, on a clock of which hours pass."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google import genai

from gemini_embed import (
    BatchCancelledError,
    BatchDamagedError,
    BatchError,
    BatchFailedError,
    BatchPendingError,
    ConfigurationError,
    GeminiEmbedder,
    HookError,
    Price,
    Progress,
    RequestError,
)
from gemini_embed.batch import doing, spool
from gemini_embed.batch.clock import Clock
from gemini_embed.cache import SQLiteCache
from gemini_embed.service import batches, files
from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from gemini_embed import BatchStatus

CLOCK = Clock(speed=2000)
TEXTS = [f"text number {n}, with a word of German: Größe \\u0041" for n in range(120)]


@pytest.fixture
def server() -> Iterator[Standin]:
    with Standin(model="hash", clock=CLOCK.now, batch_seconds=100) as standin:
        yield standin


@pytest.fixture
def made(server: Standin, tmp_path: Path) -> Callable[..., GeminiEmbedder]:
    """Return a maker of embedders with one cache file, whose hours pass quickly."""

    def make(**options: Any) -> GeminiEmbedder:
        given: dict[str, Any] = {
            "api_key": "a-key",
            "base_url": server.url,
            "cache": tmp_path / "v.sqlite3",
            "output_dimensionality": 128,
            "retry_min_seconds": 0.001,
            "retry_max_seconds": 0.002,
        }
        embedder = GeminiEmbedder(**given | options)
        embedder._clock = CLOCK
        return embedder

    return make


def vectors(server: Standin, texts: list[str], *, title: str = "none") -> Any:
    """Return what the stand-in answers for documents."""
    sent = [f"title: {title} | text: {text}" for text in texts]
    of: Any = {"model": "gemini-embedding-2", "dimension": 128}
    return np.array([server.vector(text, **of) for text in sent], np.float32)


def uploads(server: Standin) -> list[str]:
    return [file.name for file in server.files if not file.name.startswith("files/batch-")]


def spools(folder: Path) -> list[Path]:
    return list(folder.glob("*.jsonl*"))


def embedded_online(server: Standin) -> int:
    bodies = [one.body for one in server.log if one.path.endswith(":batchEmbedContents")]
    return sum(len(body["requests"]) for body in bodies)


def test_a_run_from_end_to_end(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """Its vectors are those of online calls, cost half, and are there for every later call."""
    embedder = made(batch_tokens=1200)
    run = embedder.batch([*TEXTS, TEXTS[3]], role="document")
    assert (server.log, spools(tmp_path)) == ([], [])

    begun = run.submit()
    (spool,) = spools(tmp_path)
    assert stat.S_IMODE(spool.stat().st_mode) == 0o600
    assert (begun.state, begun.texts, begun.rows, begun.done) == ("open", 121, 120, 0)
    with pytest.raises(BatchPendingError, match="0 of 120 texts are done"):
        run.result()
    over = run.wait()
    result = run.result()

    assert (over.state, over.done, over.failed, over.duplicates) == ("done", 120, 0, ())
    assert len(over.jobs) > 1
    assert {job.state for job in over.jobs} == {"collected"}
    assert (result.vectors == vectors(server, [*TEXTS, TEXTS[3]])).all()
    assert set(server.paid().values()) == {1}
    usage = result.usage
    assert (usage.texts, usage.duplicates, usage.requests) == (121, 1, len(over.jobs))
    assert usage.prompt_tokens
    assert usage.cost() == usage.prompt_tokens * Decimal("0.10") / 10**6
    assert embedder.usage.cost() == usage.cost() == usage.cost(batch=True)
    own = {"gemini-embedding-2": Price(Decimal(10), batch=Decimal("0.1"))}
    assert usage.cost(own) == usage.prompt_tokens * Decimal(1) / 10**6
    assert spools(tmp_path) == []
    assert uploads(server) == []

    server.log.clear()
    again = embedder.embed(TEXTS, role="document")
    assert (again.vectors == vectors(server, TEXTS)).all()
    assert (again.usage.requests, server.log) == (0, [])


def test_what_is_sent(made: Callable[..., GeminiEmbedder], server: Standin) -> None:
    """The body of a creation, and a file whose rows have the keys of the cache."""
    made().batch(["a"], role="document", titles=["T"]).submit()

    start, piece, create = server.log[:3]
    version = start.path.split("/")[2]
    assert (start.path, create.path) == (
        f"/upload/{version}/files",
        f"/{version}/models/gemini-embedding-2:asyncBatchEmbedContent",
    )
    assert start.headers["x-goog-api-key"] == "a-key"
    assert start.headers["x-goog-upload-header-content-type"] == "application/jsonl"
    assert piece.headers["x-goog-upload-command"] == "upload, finalize"
    assert create.body["batch"]["inputConfig"] == {"file_name": start.body["file"]["name"]}
    (job,) = server.jobs
    assert job.display_name == create.body["batch"]["displayName"]
    ((_, row),) = job.results.rows.each([0])
    assert row.wanted is not None
    assert (row.wanted.text, row.wanted.dimension) == ("title: T | text: a", 128)
    assert len(row.echoed["key"]) == 42  # with its quotation marks


async def test_the_async_twins(made: Callable[..., GeminiEmbedder], server: Standin) -> None:
    """Everything works in a caller's event loop."""
    embedder = made()
    run = embedder.batch(TEXTS, role="document")

    assert (await run.asubmit()).state == "open"
    assert (await run.astatus()).jobs[0].state == "submitted"
    await run.await_(0)
    assert (await run.await_()).state == "done"
    assert ((await run.aresult()).vectors == vectors(server, TEXTS)).all()
    assert [one.id for one in await embedder.abatches()] == [run.id]
    await run.acancel()
    await run.aclean()
    assert await embedder.abatches() == []
    waited = await embedder.aembed(["another"], role="document", batch=True)
    assert (waited.vectors == vectors(server, ["another"])).all()


def test_a_run_goes_on_in_another_embedder(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """By its id, whatever that embedder is made for; or by the same texts."""
    made().batch(TEXTS, role="document").submit()
    (stands,) = made().batches()

    other = made(model="gemini-embedding-001", output_dimensionality=None, normalize=False)
    resumed = other.batch_resume(stands.id)
    assert resumed.wait().state == "done"
    assert (resumed.result().vectors == vectors(server, TEXTS)).all()

    same = made().batch(iter(TEXTS), role="document")
    assert same.id == stands.id
    assert same.submit().state == "done"
    assert (same.result().vectors == vectors(server, TEXTS)).all()
    assert made().batch([*TEXTS[1:], TEXTS[0]], role="document").id != stands.id
    assert len(server.jobs) == 1
    assert made(cache=tmp_path / "v.sqlite3").batches()[0].state == "done"


def test_one_call_for_those_who_want_no_more(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """Documents go through the Batch API, with progress; queries never wait for it."""
    seen: list[Progress] = []
    embedder = made(batch_documents=True, on_progress=seen.append)

    result = embedder.embed(TEXTS, role="document")
    query = embedder.embed(["how?"], role="query")

    assert (result.vectors == vectors(server, TEXTS)).all()
    assert query.usage.requests == 1
    assert embedded_online(server) == 1
    assert (seen[-1].done, seen[-1].total) == (120, 120)
    embedder.embed(["x"], role="document", batch=False)
    assert embedded_online(server) == 2
    embedder.embed(["how much?"], role="query", batch=True)
    assert embedded_online(server) == 2


@pytest.mark.parametrize("batch", ["yes", "no", 1, 0, [], "False"])
async def test_batch_is_true_or_false(
    made: Callable[..., GeminiEmbedder], server: Standin, batch: Any
) -> None:
    """Else a word that is meant as no would make a job, and wait for hours."""
    with pytest.raises(ConfigurationError, match="batch must be True or False"):
        made().embed(TEXTS, role="document", batch=batch)
    with pytest.raises(ConfigurationError, match="batch must be True or False"):
        await made().aembed(TEXTS, role="document", batch=batch)
    assert server.log == []


@pytest.mark.parametrize("adapter", [GeminiEmbeddings, GeminiEmbedding])
def test_both_adapters_wait_for_documents(
    adapter: Any, made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """Whoever builds an index gets half the price without another class."""
    model = adapter(
        api_key="k",
        base_url=server.url,
        cache=tmp_path / "a.sqlite3",
        output_dimensionality=128,
        batch_documents=True,
    )
    model._embedder._clock = CLOCK
    embed = getattr(model, "embed_documents", None) or model.get_text_embedding_batch

    assert embed(TEXTS) == [[float(x) for x in row] for row in vectors(server, TEXTS)]
    assert embedded_online(server) == 0
    assert made is not None


def test_an_abandoned_wait_goes_on_with_the_same_texts(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """A deadline ends the waiting, not the run."""
    server.batch_seconds = 1_000
    with pytest.raises(BatchPendingError, match="is not over") as caught:
        made(deadline=0.01).embed(TEXTS, role="document", batch=True)
    assert caught.value.run == made().batches()[0].id
    server.batch_seconds = 0

    result = made().embed(TEXTS, role="document", batch=True)

    assert (result.vectors == vectors(server, TEXTS)).all()
    assert len(server.jobs) == 1


@pytest.mark.parametrize("fault", ["rows-missing", "rows-failed", "rows-spoiled"])
def test_rows_without_a_vector_go_online(
    fault: Any, made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """At the usual price, and each text has its own vector."""
    server.job_script.append([fault, "rows-shuffled"])
    run = made().batch(TEXTS, role="document")
    run.wait()

    result = run.result()

    assert (result.vectors == vectors(server, TEXTS)).all()
    assert embedded_online(server) == 12
    assert result.usage.requests == 2
    tokens = result.usage.prompt_tokens or 0
    assert tokens * Decimal("0.10") / 10**6 < (result.usage.cost() or 0)


def test_results_that_came_in_part_are_fetched_again(
    made: Callable[..., GeminiEmbedder], server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken download costs nothing but another one."""
    whole, downloads = batches.Batches.lines, list[str]()

    async def lines(self: Any, file: str, longest: int) -> AsyncIterator[bytes]:
        downloads.append(file)
        cut = {1: 50, 2: 100}.get(len(downloads), 1000)
        number = 0
        async for line in whole(self, file, longest):
            number += 1
            if number == cut:
                yield line[:20]
                return
            yield line

    monkeypatch.setattr(batches.Batches, "lines", lines)
    run = made().batch(TEXTS, role="document")
    run.wait()

    assert (run.result().vectors == vectors(server, TEXTS)).all()
    assert (len(downloads), embedded_online(server)) == (3, 0)


def test_rows_without_a_vector_are_an_error_if_that_is_wanted(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """It says which texts, and has all others."""
    server.job_script.append(["rows-failed"])
    embedder = made(batch_fallback="error")
    run = embedder.batch([TEXTS[0], *TEXTS], role="document")
    over = run.wait()

    with pytest.raises(BatchFailedError, match=r"12 texts .* 13 An internal error") as caught:
        run.result()

    error = caught.value
    assert (over.state, over.failed, len(error.indexes)) == ("done", 12, len(error.indexes))
    expected = vectors(server, [TEXTS[0], *TEXTS])
    assert {*error.indexes, *error.partial} == set(range(121))
    assert all((error.partial[i] == expected[i]).all() for i in error.partial)
    assert embedded_online(server) == 0

    again = embedder.embed([TEXTS[0], *TEXTS], role="document")
    assert (again.vectors == expected).all()
    assert embedded_online(server) == 12


def test_a_job_that_fails_for_good_is_told_once_the_others_are_done(
    made: Callable[..., GeminiEmbedder], server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing finished is lost, and nothing is sent online that the service forbids."""
    monkeypatch.setattr("gemini_embed.standin.gemini_jobs._ERRORS", {"FAILED": (7, "no billing")})
    server.job_script.extend([["failed"], []])
    run = made(batch_tokens=1200).batch(TEXTS, role="document")
    run.wait()

    with pytest.raises(BatchFailedError, match="7 no billing") as caught:
        run.result()

    assert 0 < len(caught.value.partial) < 120
    assert embedded_online(server) == 0


def test_titles_pieces_and_repeated_texts(made: Callable[..., GeminiEmbedder]) -> None:
    """What a call makes of its texts, a run makes of them, too."""
    long = " ".join(f"word{n}" for n in range(9_000))
    embedder, texts = made(on_long="split"), ["a", long, "a", "b"]
    titles = ["T", None, "U", "T"]
    run = embedder.batch(texts, role="document", titles=titles)
    run.wait()

    result = run.result()

    plain = made(on_long="split", cache=None).embed(texts, role="document", titles=titles)
    assert (result.vectors == plain.vectors).all()
    assert result.usage.pieces == plain.usage.pieces > 0
    resumed = made().batch_resume(run.id).result()
    assert (resumed.vectors == plain.vectors).all()


def test_texts_that_must_not_be_cut_off_go_online(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """Where only the service knows whether a text is too long, it is asked in a way that tells."""
    sentence = "Some words of a paragraph. "
    doubtful, too_long = sentence * 1250, sentence * 1330
    embedder = made(on_long="error")
    run = embedder.batch([*TEXTS, doubtful], role="document")
    run.wait()
    assert (run.result().vectors == vectors(server, [*TEXTS, doubtful])).all()
    assert embedded_online(server) == 1

    other = embedder.batch([too_long, *TEXTS], role="document")
    other.wait()
    with pytest.raises(BatchFailedError, match=r"1 text .* got no vector: too long") as caught:
        other.result()
    assert (caught.value.indexes, len(caught.value.partial)) == ((0,), 120)


def test_what_the_cache_has_is_not_sent(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """Also where it has the longer vectors only."""
    made(cache_full_dimension=True).embed(TEXTS[:50], role="document")
    run = made().batch(TEXTS, role="document")

    assert run.wait().rows == 70
    result = run.result()

    assert result.usage.cached == 50
    assert np.allclose(result.vectors, vectors(server, TEXTS), atol=1e-6)
    assert sum(server.paid().values()) == 70
    empty = made().batch([], role="document")
    empty.wait()
    assert empty.result().vectors.shape == (0, 128)


def test_vectors_that_were_deleted_are_told_and_submitting_again_sends_them(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """A result is whole or an error."""
    run = made().batch(TEXTS, role="document")
    run.wait()
    SQLiteCache(tmp_path / "v.sqlite3").clear()

    with pytest.raises(BatchFailedError, match=r"120 vectors .* no longer in the cache"):
        run.result()

    again = made().batch(TEXTS, role="document")
    again.wait()
    assert (again.result().vectors == vectors(server, TEXTS)).all()
    assert len(server.jobs) == 2


def test_a_run_can_be_cancelled(made: Callable[..., GeminiEmbedder], server: Standin) -> None:
    """What was done by then is in the error, and nothing is left at the service."""
    embedder = made(batch_tokens=1200)
    run = embedder.batch(TEXTS, role="document")
    run.submit()  # there is room for one job
    server.batch_seconds = 10**6

    def second_job_runs(stands: BatchStatus) -> bool:
        return [job.state for job in stands.jobs[:2]] == ["collected", "submitted"]

    while not second_job_runs(run.status()):
        run.wait(0.02)
    assert run.cancel().state in {"cancelling", "cancelled"}
    assert run.wait().state == "cancelled"
    with pytest.raises(BatchCancelledError, match="was cancelled") as caught:
        run.result()

    assert 0 < len(caught.value.partial) < 120
    assert uploads(server) == []
    assert [job.state(CLOCK.now()) for job in server.jobs] == ["SUCCEEDED", "CANCELLED"]


async def test_who_stops_waiting_lets_others_work(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """A cancelled task, or Ctrl-C, gives the run back at once."""
    server.batch_seconds = 1_000
    run = made().batch(TEXTS, role="document")
    await run.asubmit()
    for milliseconds in range(0, 40, 3):  # wherever that finds it
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run.await_(), milliseconds / 1000)
    (tmp_path / f"v.sqlite3.batch-{run.id}-00000000.jsonl").touch()  # as a kill may leave it

    resumed = made().batch_resume(run.id)
    await resumed.await_()

    assert ((await resumed.aresult()).vectors == vectors(server, TEXTS)).all()
    assert (len(server.jobs), spools(tmp_path)) == (1, [])


def test_threads_that_submit_the_same_texts_make_one_run(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """One begins it, and the others find it."""

    def embed(_: int) -> Any:
        return made().embed(TEXTS, role="document", batch=True).vectors

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(embed, range(4)))

    assert all((result == vectors(server, TEXTS)).all() for result in results)
    assert (len(server.jobs), spools(tmp_path)) == (1, [])


def test_a_job_that_somebody_deleted_goes_online(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """What was paid for is lost, but no text."""
    server.batch_seconds = 10**6
    run = made().batch(TEXTS, role="document")
    run.submit()
    server.jobs[0].deleted = True

    run.wait()

    assert (run.result().vectors == vectors(server, TEXTS)).all()
    assert embedded_online(server) == 120


def test_clean_deletes_what_is_left(made: Callable[..., GeminiEmbedder], server: Standin) -> None:
    """But never of a run that is not over."""
    embedder = made()
    run = embedder.batch(TEXTS, role="document")
    run.submit()
    with pytest.raises(BatchPendingError):
        run.clean()
    run.wait()

    run.clean()

    assert embedder.batches() == []
    assert [job.deleted for job in server.jobs] == [True]
    with pytest.raises(BatchError, match="there is no batch run"):
        run.result()


def test_what_a_kill_at_the_very_end_left_is_cleaned(
    made: Callable[..., GeminiEmbedder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No text stays on the disk, though the run was written down as over before it was deleted."""

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    run = made().batch(TEXTS, role="document")
    with monkeypatch.context() as patched:
        patched.setattr(spool, "delete_all", killed)
        with pytest.raises(Killed):
            run.wait()
    assert len(spools(tmp_path)) == 1

    made().batch_resume(run.id).clean()

    assert spools(tmp_path) == []


def test_a_run_that_cannot_be_written_down_leaves_no_texts(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """Neither where the caller's own count fails, nor where the ledger takes nothing."""

    def broken(_: str) -> int:
        raise ValueError

    with pytest.raises(HookError):
        made(count_tokens=broken).embed(TEXTS, role="document", batch=True)
    assert spools(tmp_path) == []
    made().batch(TEXTS[:1], role="document").wait()  # there are tables from now on
    with sqlite3.connect(tmp_path / "v.sqlite3") as file:
        refusing = "BEFORE INSERT ON batch_runs BEGIN SELECT RAISE(ABORT, 'full'); END"
        file.execute(f"CREATE TRIGGER full {refusing}")
    with pytest.raises(BatchError, match="cannot go on here"):
        made().embed(TEXTS, role="document", batch=True)

    assert spools(tmp_path) == []
    assert len(server.jobs) == 1


def test_it_needs_a_cache_in_a_file(made: Callable[..., GeminiEmbedder], tmp_path: Path) -> None:
    """Said before anything is sent, and what to give."""

    class Dictionary(dict[str, bytes]):
        def get_many(self, keys: Any) -> list[bytes | None]:
            return [self.get(key) for key in keys]

        def set_many(self, pairs: Any) -> None:
            self.update(pairs)

    for cache in (None, Dictionary()):
        with pytest.raises(ConfigurationError, match="needs a cache in a file"):
            made(cache=cache).batch(["a"], role="document")
    with pytest.raises(ConfigurationError, match="needs a cache in a file"):
        made(cache=None, batch_documents=True)
    with pytest.raises(ConfigurationError, match="there is no batch run 'x'"):
        made().batch_resume("x")
    small = SQLiteCache(tmp_path / "s.sqlite3", max_bytes=10_000)
    with pytest.raises(ConfigurationError, match="give cache=SQLiteCache"):
        made(cache=small).batch(TEXTS, role="document").submit()


def test_a_damaged_run_is_cleaned_and_made_anew(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """All else says what is wrong; its jobs are stopped, others go on, and nothing is left."""
    embedder = made()
    good, run = (embedder.batch(some, role="document") for some in (TEXTS[:5], TEXTS[5:9]))
    for one in (good, run):
        one.submit()
    for job in server.jobs:
        job.seconds = 1e6
    with sqlite3.connect(tmp_path / "v.sqlite3") as file:
        file.execute("UPDATE batch_jobs SET job = '{}' WHERE run = ?", (run.id,))

    assert {one.id: one.state for one in embedder.batches()} == {good.id: "open", run.id: "damaged"}
    for broken in (run, made().batch_resume(run.id), embedder.batch(TEXTS[5:9], role="document")):
        with pytest.raises(BatchDamagedError, match=r"v\.sqlite3 .*it has no name"):
            broken.wait()
    made().batch_resume(run.id).clean()

    assert [one.id for one in embedder.batches()] == [good.id]
    assert [job.cancelled is not None for job in server.jobs] == [False, True]
    assert len(spools(tmp_path)) == 1
    server.jobs[0].seconds = 0
    good.wait()
    again = embedder.embed(TEXTS[:9], role="document", batch=True)
    assert (again.vectors == vectors(server, TEXTS[:9])).all()
    assert spools(tmp_path) == []


def test_a_run_of_another_service_is_refused(made: Callable[..., GeminiEmbedder]) -> None:
    """Its vectors would be others."""
    run = made().batch(["a"], role="document")
    run.submit()

    with pytest.raises(ConfigurationError, match="was made elsewhere: service"):
        made(base_url="http://127.0.0.1:9").batch_resume(run.id)


def test_a_run_without_its_places_is_cleaned_likewise(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path
) -> None:
    """The error says what to do, and that works before the run is over as well."""
    server.batch_seconds = 10**6
    run = made().batch(TEXTS, role="document")
    run.submit()
    with sqlite3.connect(tmp_path / "v.sqlite3") as file:
        file.execute("UPDATE batch_runs SET places = substr(places, 1, 50)")
    server.jobs[0].seconds = 0
    with pytest.raises(BatchDamagedError, match=r"clean\(\) stops its jobs"):
        run.wait()
    server.jobs[0].seconds = 1e6

    made().batch_resume(run.id).clean()

    assert made().batches() == []
    assert server.jobs[0].cancelled is not None
    assert spools(tmp_path) == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_spool_that_is_gone_comes_again_with_the_texts(
    made: Callable[..., GeminiEmbedder], server: Standin, tmp_path: Path, *, is_gone: bool
) -> None:
    """Without them the error says what is missing."""
    run = made(batch_tokens=1200).batch(TEXTS, role="document")
    run.submit()
    (spool,) = spools(tmp_path)
    if is_gone:
        spool.unlink()
    else:
        spool.write_bytes(spool.read_bytes()[:9])
    with pytest.raises(BatchError, match=spool.name):
        made().batch_resume(run.id).wait()

    again = made().batch(TEXTS, role="document")
    again.wait()

    assert (again.result().vectors == vectors(server, TEXTS)).all()


def test_a_refusal_that_will_not_pass_ends_the_work_and_keeps_the_run(
    made: Callable[..., GeminiEmbedder], server: Standin
) -> None:
    """Run again with what was wrong mended, it goes on."""
    run = made(api_key="invalid-key").batch(TEXTS, role="document")
    with pytest.raises(RequestError, match=f"batch run {run.id} is kept: batch_resume"):
        run.submit()

    resumed = made().batch_resume(run.id)
    resumed.wait()

    assert (resumed.result().vectors == vectors(server, TEXTS)).all()


@pytest.mark.parametrize("way", ["httpx", "client"])
def test_every_way_to_the_service(
    way: str,
    made: Callable[..., GeminiEmbedder],
    server: Standin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through httpx, and through a client of the caller's; a large input goes in pieces."""
    monkeypatch.setattr(doing, "PIECE", 1000)
    options: dict[str, Any] = {"client_args": {"headers": {"x": "y"}}}
    if way == "client":
        client = genai.Client(api_key="k", http_options={"base_url": server.url})
        options = {"client": client, "api_key": None, "base_url": None}
    run = made(**options).batch(TEXTS, role="document")
    run.wait()

    assert (run.result().vectors == vectors(server, TEXTS)).all()
    commands = [one.headers.get("x-goog-upload-command") for one in server.log]
    assert commands.count("upload") > 10
    assert commands.count("upload, finalize") == 1
    assert files.PIECE == 2**21
