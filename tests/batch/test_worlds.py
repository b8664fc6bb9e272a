"""A run ends right whatever the service does, and whenever its process is killed."""

from __future__ import annotations

import asyncio
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from batch.world import RUN, Creation, Ending, Killed, Machine, World, vector
from hypothesis import given, settings
from hypothesis import strategies as st
from media.samples import png

from gemini_embed.batch.jobs import State, planned
from gemini_embed.batch.ledger import Lease
from gemini_embed.batch.outcomes import ATTEMPTS, failed
from gemini_embed.batch.work import work
from gemini_embed.errors import (
    BadResponseError,
    DailyQuotaError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.media.contents import MediaContent
from gemini_embed.service.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from gemini_embed.batch.jobs import Job
    from gemini_embed.service.jobs import ServerJob

TEXTS = [f"text {n}" for n in range(11)]

CREATIONS = st.lists(st.sampled_from(get_args(Creation)), max_size=5)
ENDINGS = st.lists(st.sampled_from(get_args(Ending)), max_size=5)


@pytest.fixture
def folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def live(machine: Machine) -> int:
    """Work a run by one process after another, and return how many it took."""
    for lives in range(1, 100):
        try:
            asyncio.run(work(machine.site(), RUN, until=math.inf))
        except Killed:
            continue
        return lives
    raise AssertionError("it never ended")


def jobs_of(machine: Machine) -> list[Job]:
    return machine.site().ledger.jobs(RUN)


def assert_clean(machine: Machine) -> None:
    """Assert that nothing is left, and each text has its vector."""
    assert machine.vectors() == [vector(text) for text in TEXTS]
    assert machine.world.files == {}
    assert list(machine.file.path.parent.glob("*.jsonl")) == []
    assert all(job.is_over for job in jobs_of(machine))
    run = machine.site().ledger.run(RUN)
    assert run is not None
    assert run.is_done


@settings(max_examples=60)
@given(
    creations=CREATIONS,
    endings=ENDINGS,
    kills=st.sets(st.integers(1, 150), max_size=6),
    lag=st.sampled_from([0.0, 100.0, 400.0]),
    late=st.sampled_from([0.0, 30.0, 150.0]),
    parts=st.integers(1, 4),
)
def test_every_text_gets_its_vector_and_no_row_is_paid_twice(
    *,
    creations: list[Creation],
    endings: list[Ending],
    kills: set[int],
    lag: float,
    late: float,
    parts: int,
) -> None:
    """With a list that lags less than `batch_settle`, whenever the process is killed."""
    world = World(creations=creations, endings=endings, lag=lag, late=late)
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(world, Path(folder), TEXTS, parts=parts)
        world.kills = {world.step + kill for kill in kills}

        live(machine)

        assert_clean(machine)
        assert max(world.paid().values(), default=0) <= 1
        assert not any(job.late for job in jobs_of(machine))


def test_a_kill_at_each_single_step_costs_nothing() -> None:
    """Before and after every transaction and request; of one job's creation, the answer is lost."""
    for kill in range(1, 1000):
        world = World(creations=["lost"], lag=100.0, seconds=50.0)
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(world, Path(folder), TEXTS[:4], parts=2)
            world.kills = {world.step + kill}

            lives = live(machine)

            assert machine.vectors() == [vector(text) for text in TEXTS[:4]]
            assert (len(world.jobs), world.files, world.online) == (2, {}, {}), kill
            assert set(world.paid().values()) == {1}
        if lives == 1:
            break
    assert 50 < kill < 900


@pytest.mark.filterwarnings("ignore:the Batch API created")
@settings(max_examples=30)
@given(
    creations=CREATIONS,
    kills=st.sets(st.integers(1, 150), max_size=4),
    lag=st.sampled_from([700.0, 2000.0]),
    late=st.sampled_from([30.0, 550.0]),
)
def test_a_job_that_shows_up_too_late_is_cancelled_and_reported(
    *, creations: list[Creation], kills: set[int], lag: float, late: float
) -> None:
    """With a list that lags longer, each duplicate is found in the end."""
    world = World(creations=creations, lag=lag, late=late, seconds=5_000.0)
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(world, Path(folder), TEXTS, parts=2)
        world.kills = {world.step + kill for kill in kills}

        live(machine)

        assert_clean(machine)
        kept = {job.job for job in jobs_of(machine)}
        late_ones = {name for job in jobs_of(machine) for name in job.late}
        assert {job.name for job in world.jobs} == (kept | late_ones) - {""}
        assert all(job.cancelled is not None for job in world.jobs if job.name in late_ones)
        assert max(world.paid().values()) == 1


@pytest.mark.parametrize("kill", range(1, 120, 3))
def test_media_that_are_stored_survive_kills(
    folder: Path, kill: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there when a job names them, and gone after it, whenever the process is killed."""
    monkeypatch.setattr(MediaContent.inline, "__defaults__", (0,))  # none travels within a row
    world = World(creations=["refused"], endings=["expired"])
    machine = Machine(world, folder, TEXTS, parts=2, media=[png(1), png(2), png(3)])
    world.kills = {world.step + kill, world.step + kill + 20}
    assert len(list(folder.glob("*.media"))) == 3

    live(machine)

    assert_clean(machine)
    assert list(folder.glob("*.media")) == []
    assert max(world.paid().values()) == 1


def test_nothing_is_created_again_before_the_list_was_watched_for_long(folder: Path) -> None:
    """Absence from a list proves nothing: the input goes, the list is read once more, and then."""
    world = World(creations=["never"])
    machine = Machine(world, folder, TEXTS, parts=1)
    began = world.now

    live(machine)

    given_up, made = sorted(jobs_of(machine), key=lambda job: job.attempt)
    assert (given_up.state, made.attempt, made.name != given_up.name) == (State.ABANDONED, 2, True)
    assert world.jobs[0].created - began > 600
    assert world.requests["list"] >= 600 / 30
    assert world.requests["upload"] == 2


def test_a_job_that_was_created_is_adopted_from_the_list(folder: Path) -> None:
    """Though its answer was lost, and though it has ended meanwhile."""
    world = World(creations=["lost"], lag=500.0, seconds=10.0)

    machine = Machine(world, folder, TEXTS, parts=1)
    live(machine)

    assert_clean(machine)
    assert (world.requests["create"], len(world.jobs)) == (1, 1)


def test_a_job_that_expires_is_halved_once_and_then_goes_online(folder: Path) -> None:
    """Its results do not exist; what a half of it brings is not sent again."""
    world = World(endings=["expired", "expired", "succeeded"])

    machine = Machine(world, folder, TEXTS, parts=1)
    live(machine)

    assert_clean(machine)
    assert [len(job.rows) for job in world.jobs] == [11, 6, 5]
    assert sum(world.online.values()) == 6


def test_refusals_wait_longer_each_time_and_then_make_smaller_jobs(folder: Path) -> None:
    """A minute, two, four: then the job may be larger than what the tier allows."""
    world = World(creations=["refused"] * 3)
    machine = Machine(world, folder, TEXTS, parts=1, most_tokens=12)
    began = world.now

    live(machine)

    assert_clean(machine)
    assert world.jobs[0].created - began >= 60 + 120 + 240
    assert [len(job.rows) for job in world.jobs] == [6, 5]


class Spent(World):
    """A service that refuses creations for the quota of a day, some times."""

    left = 3
    body: Mapping[str, Any]

    async def create(self, model: str, display_name: str, file: str) -> str:
        if self.left:
            self.left -= 1
            self.request("create")
            raise refusal(429, self.body)
        return await super().create(model, display_name, file)


def spent(**violation: str) -> dict[str, Any]:
    """Return the body of a 429 for the quota of a day."""
    quota = {"quotaId": "BatchEmbedContentRequestsPerDayPerProject", **violation}
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [quota]}]
    return {"error": {"status": "RESOURCE_EXHAUSTED", "message": "no more", "details": details}}


@pytest.mark.parametrize("value", ["0", "100"])
def test_a_limit_of_the_day_ends_the_work_and_keeps_the_run(folder: Path, value: str) -> None:
    """Nobody waits for ever: the error says when it resets, unless there is no quota at all."""
    world = Spent()
    world.body = spent(quotaValue=value)
    machine = Machine(world, folder, TEXTS, parts=1)

    with pytest.raises(DailyQuotaError, match="is kept: batch_resume goes on") as caught:
        live(machine)

    assert (caught.value.resets_at is None) == (value == "0")
    assert world.requests["create"] == 1
    world.left = 0
    live(machine)
    assert_clean(machine)


def test_a_limit_of_the_day_is_waited_for_where_that_is_wanted(folder: Path) -> None:
    """As online: `on_daily_quota="wait"`; a quota of nothing is not."""
    world = Spent()
    world.body = spent(quotaValue="100")
    machine = Machine(world, folder, TEXTS, parts=1)
    asyncio.run(work(replace(machine.site(), on_daily_quota="wait"), RUN, until=math.inf))
    assert_clean(machine)

    world.left = 1
    world.body = spent(quotaValue="0")
    with tempfile.TemporaryDirectory() as other:
        none = Machine(world, Path(other), TEXTS, parts=1)
        with pytest.raises(DailyQuotaError):
            asyncio.run(work(replace(none.site(), on_daily_quota="wait"), RUN, until=math.inf))


class Nameless(World):
    """A service whose list shows jobs of ours without their names for a while."""

    until = math.inf

    async def list(self) -> list[ServerJob]:
        shown = await super().list()
        return [replace(one, name="") for one in shown] if self.now < self.until else shown


def test_a_job_of_ours_that_is_shown_without_a_name_is_not_absent(folder: Path) -> None:
    """It is there, and paid for: no other job gets its rows. The run stops, or finds it later."""
    world = Nameless(creations=["lost"])
    machine = Machine(world, folder, TEXTS, parts=1)

    with pytest.raises(BadResponseError, match=r"without a name that can be read.*is kept"):
        live(machine)
    assert (len(world.jobs), world.requests["create"]) == (1, 1)
    world.until = world.now
    live(machine)

    assert_clean(machine)
    assert (len(world.jobs), sum(world.online.values())) == (1, 0)


def test_refusals_that_last_make_no_jobs_of_single_rows(folder: Path) -> None:
    """Of a small job it is not the size that is refused, however often."""
    world = World(creations=["refused"] * 40)
    machine = Machine(world, folder, TEXTS, parts=1, most_tokens=12 * 16)

    live(machine)

    assert_clean(machine)
    assert [len(job.rows) for job in world.jobs] == [len(TEXTS)]


def test_creations_that_are_never_confirmed_come_to_an_end(folder: Path) -> None:
    """Each may have made a job that is paid for: after some, the rows go online."""
    world = World(creations=["never"] * 50)
    machine = Machine(world, folder, TEXTS, parts=1)

    live(machine)

    assert_clean(machine)
    assert world.requests["create"] == ATTEMPTS
    assert sum(world.online.values()) == len(TEXTS)


def test_a_clock_that_was_put_back_holds_nothing_up(folder: Path) -> None:
    """What is due in a year by the old time is due now."""
    world = World()
    machine = Machine(world, folder, TEXTS, parts=1)
    world.now += 366 * 86_400.0
    asyncio.run(work(machine.site(), RUN, until=0.0, is_patient=False))
    world.now -= 366 * 86_400.0
    world.jobs[0].created = began = world.now

    live(machine)

    assert_clean(machine)
    assert world.now - began < 3_600


class KilledByCreation(World):
    """The process is killed when it first creates a job, which is never made."""

    async def create(self, model: str, display_name: str, file: str) -> str:
        if not self.requests["create"]:
            self.kills = {self.step + 1}
        return await super().create(model, display_name, file)


def test_a_clock_put_back_after_an_unknown_creation_holds_nothing_up(folder: Path) -> None:
    """It is looked for as long as ever, counted from now."""
    world = KilledByCreation()
    machine = Machine(world, folder, TEXTS, parts=1)
    world.now += 366 * 86_400.0
    with pytest.raises(Killed):
        asyncio.run(work(machine.site(), RUN, until=math.inf))
    world.now -= 366 * 86_400.0
    began = world.now
    machine.site().ledger.give_back(Lease(RUN, 1))  # as where the process is gone

    live(machine)

    assert_clean(machine)
    assert world.now - began < 3_600


class Stubborn(World):
    """A service that does not delete its files, and takes the second wish to cancel a job."""

    status = 400

    async def delete_file(self, name: str, *, with_results: bool) -> None:
        assert (name, with_results) == (name, True)
        self.request("delete_file")
        kind = RequestError if self.status == 400 else ServiceUnavailableError
        raise kind("it stays", status=self.status)

    async def cancel(self, job: str) -> None:
        if not self.requests["cancel"]:
            self.request("cancel")
            raise QuotaExceededError("slower", status=429)
        await super().cancel(job)


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (503, 5)])
def test_an_input_that_cannot_be_deleted_costs_no_result(
    folder: Path, caplog: pytest.LogCaptureFixture, status: int, tries: int
) -> None:
    """The vectors are there; the log says what stays."""
    world = Stubborn()
    world.status = status
    machine = Machine(world, folder, TEXTS, parts=1)

    live(machine)

    world.files.clear()
    assert_clean(machine)
    assert world.requests["delete_file"] == tries
    assert "could not be deleted" in caplog.text


def test_a_wish_to_cancel_that_was_refused_for_now_is_repeated(folder: Path) -> None:
    """Or the job would go on, and be paid for."""
    world = Stubborn(seconds=10_000.0)
    machine = Machine(world, folder, TEXTS, parts=1)
    asyncio.run(work(machine.site(), RUN, until=0.0, is_patient=False))
    machine.site().ledger.cancel(RUN)

    live(machine)

    assert [job.cancelled is not None for job in world.jobs] == [True]


def test_a_job_whose_input_is_gone_is_made_again() -> None:
    """Its rows are as good as before; what cannot pass is not tried again."""
    job = replace(planned(0, 4, 8), state=State.SUBMITTED, job="batches/a", file="files/a")

    old, new = failed(job, 1.0, 5, "not found")
    assert (old.state, new.state, len(new), new.attempt) == (State.REPLACED, State.PLANNED, 4, 2)
    assert len(failed(replace(job, file=""), 1.0, 13, "x")) == 2
    (given_up,) = failed(replace(job, attempt=ATTEMPTS), 1.0, 5, "not found")
    assert (given_up.failed, given_up.is_final) == ((0, 1, 2, 3), False)
    (forbidden,) = failed(job, 1.0, 7, "no billing")
    assert forbidden.is_final


def test_jobs_wait_for_room(folder: Path) -> None:
    """No more tokens are enqueued at once than the tier allows."""
    world = World(seconds=100.0)
    machine = Machine(world, folder, TEXTS, parts=4, most_tokens=6)

    live(machine)

    assert_clean(machine)
    spans = [(job.created, job.created + job.seconds, len(job.rows)) for job in world.jobs]
    assert all(sum(n for a, b, n in spans if a <= at < b) <= 6 for at, _, _ in spans)


def test_a_cancelled_run_ends_without_another_job(folder: Path) -> None:
    """What runs is cancelled, what was not sent never is, and nothing is left at the service."""
    world = World(seconds=10_000.0)
    machine = Machine(world, folder, TEXTS, parts=4, most_tokens=6)
    asyncio.run(work(machine.site(), RUN, until=0.0, is_patient=False))
    machine.site().ledger.cancel(RUN)

    live(machine)

    assert [job.cancelled is not None for job in world.jobs] == [True, True]
    assert (world.files, world.online) == ({}, {})
    assert all(job.is_final for job in jobs_of(machine))
