"""How far a call is: the bar, and what a caller's own bar is told."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from tqdm import tqdm
from virtual import Service, engine, request

from gemini_embed import GeminiEmbedder, HookError, Progress, Quota
from gemini_embed.observe.progress import ProgressBar
from gemini_embed.observe.watch import hooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


def progress_of(service: Service, count: int, **options: Any) -> list[tuple[float, Progress]]:
    """Return what the hook is told of a load, and when."""
    seen: list[tuple[float, Progress]] = []

    async def main() -> None:
        begun = asyncio.get_running_loop().time()
        clock = asyncio.get_running_loop().time
        observers = hooks(on_progress=lambda progress: seen.append((clock() - begun, progress)))
        made = engine(service, observers=observers, **options)
        await made.embed(*request([f"text {n}" for n in range(1000, 1000 + count)]))

    virtual.run(main())
    return seen


def test_each_batch_that_has_come_is_told() -> None:
    """From the first to the last, with the texts that have their vectors by then."""
    seen = [progress for _, progress in progress_of(Service(), 250)]

    assert [(one.total, one.cached) for one in seen] == [(250, 0)] * 3
    assert [one.done for one in seen] in ([100, 200, 250], [100, 150, 250], [50, 150, 250])
    assert all(one.rate is not None and one.rate > 0 for one in seen)


def test_a_quota_that_is_told_says_how_long_it_takes() -> None:
    """At 100 a minute 500 texts take four minutes, and at every batch the rest is right."""
    seen = progress_of(Service(), 500, quota=Quota(requests=100))

    end = seen[-1][0]
    assert end == pytest.approx(240, abs=5)
    for at, progress in seen:
        assert progress.seconds_left == pytest.approx(end - at, abs=5)


def test_a_quota_of_tokens_says_so_as_well() -> None:
    """It is counted in what texts had until now."""
    seen = progress_of(Service(), 500, quota=Quota(tokens=600))

    end = seen[-1][0]
    for at, progress in seen:
        assert progress.seconds_left == pytest.approx(end - at, abs=61)


def test_nothing_known_of_a_quota_is_nothing_said() -> None:
    """None, and not zero."""
    assert {progress.seconds_left for _, progress in progress_of(Service(), 250)} == {None}


def test_a_limit_that_was_learned_counts() -> None:
    """One that a refusal named is as good as one that was told."""
    seen = progress_of(Service(limit=100, named=True), 500)

    assert seen[-1][1].seconds_left == 0
    left = [progress.seconds_left for _, progress in seen[2:]]
    assert all(seconds is not None for seconds in left)


def test_what_the_cache_had_is_told_apart(embedder: Maker, tmp_path: Path) -> None:
    """It is done, and makes the service no faster."""
    seen: list[Progress] = []
    made = embedder(cache=tmp_path / "vectors", on_progress=seen.append)
    made.embed(["a", "b"], role="document")
    seen.clear()

    made.embed(["a", "b", "b"], role="document")
    assert seen == [Progress(done=3, total=3, cached=2, rate=None, seconds_left=None)]

    made.embed(["a", "new"], role="document")
    assert (seen[-1].done, seen[-1].cached) == (2, 1)
    assert seen[-1].rate is not None


def test_queries_have_no_progress(embedder: Maker) -> None:
    """Somebody waits for their answer, and not for a bar."""
    seen: list[Progress] = []

    embedder(on_progress=seen.append).embed(["a", "b"], role="query")

    assert not seen


def test_an_exception_of_the_hook_ends_the_call(server: Standin, embedder: Maker) -> None:
    """It is named as the caller's, and keeps what was finished."""

    def fail(_: Progress) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(HookError, match="on_progress raised ZeroDivisionError: mine") as caught:
        embedder(on_progress=fail).embed(["a", "b"], role="document")

    assert set(caught.value.partial) == {0, 1}
    assert len(server.log) == 1


def test_the_bar_says_what_is_waited_for(
    embedder: Maker, server: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """For quota or after a failure, with the seconds, at least one; then it goes on."""
    body = {"error": {"code": 429, "message": "wait", "status": "RESOURCE_EXHAUSTED"}}
    server.script.extend(["503", (429, body, {"Retry-After": "1"})])

    embedder().embed(["a", "b", "a"], role="document", show_progress=True)

    drawn = capsys.readouterr().err
    assert "waiting 1 s to try again" in drawn
    assert "waiting 1 s for quota" in drawn
    last = drawn.rsplit("\r", 1)[-1]
    assert "3/3" in last
    assert "waiting" not in last


def test_the_bar_says_what_is_tried_again(
    embedder: Maker, server: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that fails is not a quota."""
    server.script.append("503")

    embedder(retry_min_seconds=0.2, retry_max_seconds=0.2).embed(
        ["a"], role="document", show_progress=True
    )

    assert "s to try again" in capsys.readouterr().err


@pytest.mark.parametrize("fails", [False, True])
def test_the_bar_is_there_before_anything_else(
    embedder: Maker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    fails: bool,
) -> None:
    """What a first call loads takes seconds: nobody wonders meanwhile. An error ends it, too."""
    drawn: list[str] = []

    def loading() -> None:
        drawn.append(capsys.readouterr().err)
        if fails:
            raise ZeroDivisionError

    monkeypatch.setattr("gemini_embed.embedder.load", loading)
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        embedder().embed(["a", "b"], role="document", show_progress=True)

    assert [shown.count("0/2") for shown in drawn] == [1]
    assert ("2/2" in capsys.readouterr().err) is not fails
    assert not vars(tqdm)["_instances"]  # none is open


def test_a_notebook_without_widgets_gets_a_bar_and_no_warning(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """`tqdm.auto` would warn there that ipywidgets is missing."""
    monkeypatch.setattr("gemini_embed.observe.progress.find_spec", lambda _: None)

    ProgressBar(3)

    assert not recwarn.list
