"""What the service says of jobs, in all the forms it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import BadResponseError
from gemini_embed.service.batches import lines_of
from gemini_embed.service.jobs import job_of, jobs_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JOB = {"name": "batches/a", "metadata": {"state": "BATCH_STATE_RUNNING"}}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"metadata": {"state": "BATCH_STATE_PENDING"}}, "running"),
        ({"metadata": {"state": "JOB_STATE_SUCCEEDED"}}, "succeeded"),
        ({"metadata": {"state": "BATCH_STATE_EXPIRED"}, "error": {"code": 4}}, "expired"),
        ({"metadata": {"state": "BATCH_STATE_CANCELLED"}, "error": {"code": 1}}, "cancelled"),
        ({"done": True, "error": {"code": 1}}, "cancelled"),
        ({"done": True, "error": {"code": 13, "message": "no"}}, "failed"),
        ({"done": True, "response": {}}, "succeeded"),
        ({"metadata": {"state": "BATCH_STATE_OF_LATER"}}, "running"),
        ({"metadata": None}, "running"),
        ({"done": "true"}, "running"),
    ],
)
def test_a_state_is_read_by_what_there_is(said: dict[str, Any], state: str) -> None:
    """Where nothing says that a job is over, it is waited for."""
    assert job_of(JOB | {"metadata": {}} | said).state == state


@pytest.mark.parametrize("where", ["response", "metadata"])
def test_the_file_of_results_is_found_in_either_place(where: str) -> None:
    """The operation has it as its response, and again in its metadata."""
    output = {"responsesFile": "files/batch-a"}
    held = {"response": output} if where == "response" else {"metadata": {"output": output}}

    assert job_of(JOB | held).results == "files/batch-a"


@pytest.mark.parametrize("name", ["", "batches/../models/x", "a b/c", "batches/x?y", None, 5])
def test_a_name_that_could_lead_elsewhere_is_none(name: Any) -> None:
    """Names become parts of addresses."""
    with pytest.raises(BadResponseError):
        job_of({"name": name})
    assert job_of(JOB | {"response": {"responsesFile": name}}).results == ""


def test_an_empty_list_and_a_page_of_it() -> None:
    """The service leaves out what is empty."""
    assert jobs_of({}) == []
    assert jobs_of({"operations": [JOB], "nextPageToken": "t"}) == [job_of(JOB)]
    with pytest.raises(BadResponseError):
        jobs_of({"operations": "x"})


@pytest.mark.parametrize(
    "other", [None, [], "x", {}, {"name": "tunings/a b"}, {"name": 5, "metadata": {"x": 1}}]
)
def test_a_job_of_another_shape_costs_the_list_nothing(other: Any) -> None:
    """A project may have jobs of others; ours are known by the name that we gave."""
    ours = {"name": "batches/a b", "metadata": {"displayName": "gemini-embed-1"}}
    jobs = jobs_of({"operations": [JOB, other, ours]})

    assert [job.name for job in jobs] == [job_of(JOB).name, "", ""]
    assert [job.display_name for job in jobs[1:]] == ["", "gemini-embed-1"]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 40))
async def test_lines_are_the_same_however_they_come(pieces: list[bytes], longest: int) -> None:
    """One that is too long is empty, and costs the others nothing."""

    async def some() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    found = [line async for line in lines_of(some(), longest)]

    lines = b"".join(pieces).split(b"\n")
    expected = [b"" if len(line) > longest else line for line in lines]
    if not lines[-1]:
        expected.pop()
    assert found == expected
