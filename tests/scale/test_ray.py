"""Ray itself, on this machine, from Parquet to Parquet: `make test-ray`."""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import arrived, sent_texts, vectors_of
from pages import DOCS, marked, run

from gemini_embed import (
    AuthenticationError,
    ConfigurationError,
    GeminiEmbedder,
    InvalidInputError,
    Quota,
)
from gemini_embed.scale.ray import Embed, Shared, shared
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

if os.environ.get("GEMINI_EMBED_RAY") != "1":  # as `make test-ray` sets it
    pytest.importorskip("ray", reason="Ray is not installed: `make test-ray` brings it")
ray: Any = importlib.import_module("ray")
data: Any = importlib.import_module("ray.data")
parquet: Any = importlib.import_module("pyarrow.parquet")
arrow: Any = importlib.import_module("pyarrow")

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Ray and what it brings

MODEL, DIMENSION, ROWS = "gemini-embedding-2", 128, 120
KEY = "a-key-that-nobody-may-see"
REFUSED = {"error": {"code": 403, "message": f"no {KEY}", "status": "PERMISSION_DENIED"}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start Ray, and yield the folder of its logs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else it writes one into the home
        patch.setenv("PYTHONPATH", str(DOCS.parent))
        started = ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000)
        data.DataContext.get_current().enable_progress_bars = False
        patch.setenv("RAY_ADDRESS", started.address_info["gcs_address"])
        yield started.address_info["session_dir"]
        ray.shutdown()


@pytest.fixture
def made(server: Standin) -> Iterator[Any]:
    """Return a maker of shared embedders, which end with the test."""
    names: set[str] = set()

    def make(name: str, **options: Any) -> Shared:
        names.add(name)
        given: dict[str, Any] = {
            "api_key": KEY,
            "base_url": server.url,
            "output_dimensionality": DIMENSION,
        }
        return shared(name, GeminiEmbedder(**{**given, **options}))

    yield make
    for name in names:
        with suppress(ConfigurationError):  # the test has closed it
            shared(name).close()


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return a Parquet file of `ROWS` texts, each of which occurs twice."""
    file = str(tmp_path / "texts.parquet")
    texts = [f"text {i % (ROWS // 2)}" for i in range(ROWS)]
    ids = [f"doc-{i}" for i in range(ROWS)]
    parquet.write_table(arrow.table({"id": ids, "text": texts}), file, row_group_size=30)
    return file


def mapped(dataset: Any, embedder: Shared, batch_format: str = "pyarrow") -> Any:
    return dataset.map_batches(
        Embed,
        fn_constructor_kwargs={"embedder": embedder, "id_column": "id"},
        batch_format=batch_format,
        batch_size=10,
        compute=data.ActorPoolStrategy(size=2),
        num_cpus=0.25,
    )


def check(server: Standin, rows: list[dict[str, Any]], times: int = 1) -> None:
    """Hold that each row is there so many times, with the vector of its own text."""
    assert sorted(row["id"] for row in rows) == sorted([f"doc-{i}" for i in range(ROWS)] * times)
    assert {row["text"] for row in rows} > {"text 0", "text 1"}
    as_sent = [f"title: none | text: {row['text']}" for row in rows]
    right = vectors_of(server, as_sent, model=MODEL, dimension=DIMENSION)
    assert np.array_equal(np.array([row["vector"] for row in rows], np.float32), right)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("batch_format", ["pyarrow", "numpy"])
def test_from_parquet_to_parquet(
    made: Any, server: Standin, table: str, tmp_path: Path, batch_format: str
) -> None:
    """Each row has its own vector, in the file too, whichever way batches come."""
    embedder = made("corpus")
    out = str(tmp_path / "vectors")
    mapped(data.read_parquet(table), embedder, batch_format).write_parquet(out)

    check(server, data.read_parquet(out).take_all())
    if batch_format == "pyarrow":
        read = parquet.read_table(out)
        assert read.schema.field("vector").type == arrow.list_(arrow.float32(), DIMENSION)
        check(server, read.to_pylist())


@pytest.mark.usefixtures("cluster")
def test_two_datasets_share_the_quota_the_cache_and_the_counts(
    made: Any, table: str, tmp_path: Path
) -> None:
    """None of four workers in two datasets is refused; a second run sends and pays nothing."""
    with Standin(requests=40, window=1.0) as limited:
        quota = Quota(40, period=1.0)
        cache = str(tmp_path / "cache.sqlite3")
        embedder = made("corpus", base_url=limited.url, quota=quota, cache=cache)
        whole = data.read_parquet(table)
        both = mapped(whole, embedder).union(mapped(whole, embedder))
        check(limited, both.take_all(), times=2)
        assert {exchange.status for exchange in limited.log} == {200}
        sent = len(limited.log)
        check(limited, mapped(whole, shared("corpus")).take_all())

        assert len(limited.log) == sent
        assert embedder.usage.cached > 0


@pytest.mark.usefixtures("cluster")
def test_an_error_names_the_row(made: Any) -> None:
    """Ray's own error, which ends the dataset, holds ours as it is."""
    rows = [{"id": f"doc-{i}", "text": "" if i == 17 else f"text {i}"} for i in range(30)]
    with pytest.raises(ray.exceptions.RayTaskError, match=r"row 'doc-17' by 'id': text 7 is blank"):
        mapped(data.from_items(rows), made("corpus")).materialize()


@pytest.mark.usefixtures("cluster")
def test_another_job_finds_it_by_name(made: Any, server: Standin) -> None:
    """A program that comes later has the same embedder, which stays when that program ends."""
    embedder = made("corpus")
    embedder.embed(["a"], role="document")
    program = (
        "from gemini_embed.scale.ray import shared\n"
        "print(shared('corpus').embed(['b'], role='query').vectors.shape)\n"
        "print(shared('corpus').usage.texts)\n"
    )
    done: CompletedProcess[str] = run(program)

    assert done.stdout.splitlines()[-2:] == [f"(1, {DIMENSION})", "2"], done.stderr
    assert embedder.usage.texts == 2
    assert {exchange.headers["x-goog-api-key"] for exchange in server.log} == {KEY}


@pytest.mark.usefixtures("cluster")
async def test_errors_come_as_they_are(made: Any, server: Standin) -> None:
    """Callers catch the core's own classes, with what was done, from `embed` and `aembed`."""
    embedder = made("corpus")
    with pytest.raises(InvalidInputError) as raised:
        await embedder.aembed(["a", ""], role="document")
    assert raised.value.index == 1
    server.script.append((401, REFUSED, {}))
    with pytest.raises(AuthenticationError):
        embedder.embed(["a"], role="document")


@pytest.mark.usefixtures("cluster")
async def test_a_cancelled_call_sends_nothing_more(made: Any, server: Standin) -> None:
    """Whoever gives up pays for what was sent, and for no more."""
    embedder = made("corpus", quota=Quota(10, period=0.2))
    call = asyncio.create_task(embedder.aembed([f"long {i}" for i in range(200)], role="document"))
    await arrived(server)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await embedder.aembed(["a query"], role="query")
    sent = str(sent_texts(server)).count("long")
    await embedder.aembed([f"text {i}" for i in range(20)], role="document")

    assert str(sent_texts(server)).count("long") == sent < 200


@pytest.mark.usefixtures("cluster")
def test_a_name_is_for_vectors_of_one_kind(made: Any) -> None:
    """Nobody gets vectors of another model or dimension than they asked for."""
    made("corpus")
    with pytest.raises(ConfigurationError, match=r"'corpus' is shared with another fingerprint"):
        made("corpus", output_dimensionality=256)
    with pytest.raises(ConfigurationError, match="nobody shares 'other': give an embedder"):
        shared("other")


@pytest.mark.usefixtures("cluster")
def test_a_name_that_was_closed_is_free(made: Any) -> None:
    """To change the options: close it, and share it anew."""
    made("corpus").close()

    assert (
        made("corpus", output_dimensionality=256).embed(["a"], role="query").vectors.shape[1] == 256
    )


def test_no_log_of_ray_holds_the_key(made: Any, server: Standin, cluster: str) -> None:
    """Neither what works nor what fails shows it: Ray keeps logs of all that its processes say."""
    embedder = made("corpus")
    server.script.append((403, REFUSED, {}))
    rows = [{"id": f"doc-{i}", "text": f"text {i}"} for i in range(30)]
    with pytest.raises(ray.exceptions.RayTaskError) as raised:
        mapped(data.from_items(rows), embedder).materialize()
    mapped(data.from_items(rows), embedder).materialize()
    logs = [path for path in Path(cluster, "logs").rglob("*") if path.is_file()]

    assert "AuthenticationError" in str(raised.value)
    assert KEY not in f"{raised.value}{raised.value.__cause__!r}{embedder!r}"
    assert len(logs) > 5
    assert [path for path in logs if KEY.encode() in path.read_bytes()] == []


def test_ray_is_loaded_for_nobody_else(server: Standin) -> None:
    """Who embeds without it does not wait for it to load, though it is installed."""
    done = run(
        "import sys, gemini_embed, gemini_embed.scale.ray\n"
        "gemini_embed.GeminiEmbedder().embed(['a'], role='query')\n"
        "sys.exit(', '.join({'ray', 'pyarrow', 'pandas'} & set(sys.modules)) or 0)",
        url=server.url,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("cluster")
def test_the_page_runs(server: Standin, tmp_path: Path) -> None:
    """A reader who pastes its programs has the vectors in a file."""
    ids, texts = ["a", "b", "c"], ["text 1", "text 2", "text 3"]
    parquet.write_table(arrow.table({"id": ids, "text": texts}), tmp_path / "texts.parquet")
    program = "\n".join(marked((DOCS / "ray.md").read_text(encoding="utf-8")).values())
    # Its actor asks the service that it was told of.
    program = program.replace(
        "GeminiEmbedder(", f"GeminiEmbedder(api_key='k', base_url={server.url!r}, "
    )
    done = run(program, tmp_path)

    assert done.stdout.splitlines()[-2:] == ["3 texts", "(1, 768)"], done.stderr
    assert parquet.read_table(tmp_path / "vectors").num_rows == 3
    assert (tmp_path / "vectors.sqlite3").exists()
