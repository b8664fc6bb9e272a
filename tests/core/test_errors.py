from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import virtual

from gemini_embed import GeminiEmbedder, InvalidInputError, errors

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, Exception)
]

OF_RELEASE_0_1 = {
    errors.QuotaExceededError: (
        "cgemini_embed.sdk_errors\n_again\n(cgemini_embed.errors\nQuotaExceededError\n"
        "cgoogle.genai.errors\nClientError\n(V429: busy (text 3)\nttR(dVindexes\n(I3\nt"
        "sVpartial\n(dsVstatus\nI429\nsVreason\nVX\nsVmessage\nVbusy\nsVquota_id\nNs"
        "Vquota_value\nI100\nsVretry_after\nF7.0\nsVcan_pass\nI01\nsVcode\nI429\nsVdetails\nNsb."
    ),
    InvalidInputError: (
        "cgemini_embed.errors\nInvalidInputError\n(Vtext 3 is blank\nI3\nVblank\ntR(dVindexes\n"
        "(I3\ntsVpartial\n(dsVindex\nI3\nsVreason\nVblank\nsb."
    ),
}
"""Pickles, in the protocol that can be read."""


FIELDS: dict[str, Any] = {
    "summary": "what happened",
    "indexes": (4, 7),
    "partial": {3: np.array([1, 2], np.float32)},
    "total": 9,
    "attempts": 3,
    "one_by_one": True,
    "deadline_passed": True,
    "handed_over": 7,
    "index": 4,
    "reason": "BLANK",
    "status": 429,
    "message": "what the service said",
    "details": {"error": {"code": 429}},
    "retry_after": 33.5,
    "quota_id": "RequestsPerMinute",
    "quota_value": 100,
    "can_pass": False,
    "resets_at": datetime(2026, 3, 1, tzinfo=UTC),
    "model": "m",
    "backend": "vertex",
    "region": "us",
    "tokens": 9000,
    "limit": 8192,
    "successor": "n",
    "run": "26fad8a0388c5c19",
}


def whole(error_class: type[errors.GeminiEmbedError]) -> errors.GeminiEmbedError:
    """Return an error with another value than the default in each of its fields."""
    return error_class(**{one.name: FIELDS[one.name] for one in fields(error_class)})


@pytest.mark.parametrize("error_class", ALL)
def test_every_error_survives_a_process_boundary(
    error_class: type[errors.GeminiEmbedError],
) -> None:
    """A worker's error arrives in the parent with its text, its evidence and its partial work."""
    error = whole(error_class)

    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(back) is error_class
    assert str(back) == str(error)
    assert back.partial[3].tolist() == [1, 2]
    assert {**vars(back), "partial": 0} == {**vars(error), "partial": 0}


@pytest.mark.parametrize("error_class", ALL)
def test_an_error_that_more_is_known_of_keeps_the_rest(
    error_class: type[errors.GeminiEmbedError],
) -> None:
    """Cause, traceback, notes and every field; and who holds the first one sees no change."""
    error = whole(error_class)
    before = (str(error), repr(error), dict(vars(error)))
    error.add_note("noted")
    try:
        raise error from OSError("the cause")
    except errors.GeminiEmbedError:
        made = error.with_context(total=12)

    assert type(made) is error_class
    assert made.__cause__ is error.__cause__
    assert made.__traceback__ is error.__traceback__
    assert made.__notes__ == ["noted"]
    assert {**vars(made), "total": 9} == vars(error)
    assert (str(error), repr(error)) == before[:2]
    assert "of 12 texts were finished" in str(made)
    assert str(made.with_context(total=9)) == str(error)


NAMED: dict[str, Any] = {"indexes": (3, 4, 8), "total": 9}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.BadResponseError("wrong"), "wrong"),
        (errors.BadResponseError("wrong", indexes=(0,), total=1), "wrong"),
        (
            errors.BadResponseError("wrong", total=9, indexes=(3,), attempts=1),
            "wrong (text 3); 0 of 9 texts were finished",
        ),
        (
            errors.RequestError("wrong", **NAMED, attempts=7),
            "wrong (3 texts between 3 and 8; tried 7 times); 0 of 9 texts were finished",
        ),
        (
            errors.RequestError("wrong", **NAMED, one_by_one=True, partial=FIELDS["partial"]),
            "wrong (text 3); rejected in all: texts 3, 4, 8; 1 of 9 texts were finished",
        ),
        (
            errors.ServiceUnavailableError("503", deadline_passed=True, attempts=2),
            "the deadline passed; 503 (tried 2 times)",
        ),
        (
            errors.DailyQuotaError("429", **NAMED, resets_at=FIELDS["resets_at"]),
            (
                "429 (the day's quota resets at midnight Pacific, 2026-03-01 00:00 UTC; "
                "3 texts between 3 and 8); 0 of 9 texts were finished, 9 left"
            ),
        ),
    ],
)
def test_a_text_is_made_of_the_fields(error: errors.GeminiEmbedError, text: str) -> None:
    """It says which texts, how often they were tried, and how many of how many are done."""
    assert str(error) == text
    assert repr(error) == f"{type(error).__name__}({text!r})"


def test_the_text_of_many_rejections_can_be_read() -> None:
    """It does not list a million positions; `indexes` does."""
    error = errors.RequestError(
        "wrong", indexes=tuple(range(1_000_000)), total=1_000_000, one_by_one=True
    )

    assert "texts 0, 1, 2" in str(error)
    assert "19 and 999980 more" in str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize("error_class", ALL)
def test_one_except_clause_catches_them_all(error_class: type[Exception]) -> None:
    """`except GeminiEmbedError` is enough."""
    assert issubclass(error_class, errors.GeminiEmbedError)


def test_the_drawn_tree_names_every_error() -> None:
    """The module's docstring is the tree, complete."""
    assert errors.__doc__ is not None
    assert all(error_class.__name__ in errors.__doc__ for error_class in ALL)


def test_what_the_caller_did_wrong_is_a_value_error() -> None:
    """Existing `except ValueError` clauses keep working."""
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.InvalidInputError, ValueError)


@pytest.mark.parametrize("error_class", ALL)
@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own bytes
        lambda error: type(error)(*error.args),
    ],
    ids=["copy", "deepcopy", "pickle", "args"],
)
def test_every_error_can_be_made_again(
    error_class: type[errors.GeminiEmbedError], again: Callable[[Exception], Exception]
) -> None:
    """Libraries copy errors, or make them again from their class and args."""
    error = error_class("what happened")

    made = again(error)

    assert (type(made), str(made), made.args) == (error_class, "what happened", error.args)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda error: type(error)(*error.args)]
)
def test_an_input_error_made_again_knows_its_text(
    again: Callable[[InvalidInputError], InvalidInputError],
) -> None:
    """A copy says which text, and why; it never says text -1, which is the last one in Python."""
    made = again(InvalidInputError("text 3 is blank", index=3, reason="blank"))

    assert (str(made), made.index, made.reason) == ("text 3 is blank", 3, "blank")
    assert made.indexes == (3,)
    assert InvalidInputError("from its message alone").index is None
    assert InvalidInputError("from its message alone").indexes == ()


def test_pickles_of_a_former_release_are_read() -> None:
    """Workers of another release may still run; what is new has its default."""
    quota, text = (
        pickle.loads(written.encode())  # noqa: S301 - our own bytes
        for written in OF_RELEASE_0_1.values()
    )

    assert str(quota) == "429: busy (text 3)"
    assert (quota.status, quota.code, quota.retry_after, quota.indexes) == (429, 429, 7.0, (3,))
    assert quota.attempts == 0
    assert isinstance(quota, errors.QuotaExceededError)
    assert isinstance(text, InvalidInputError)
    assert (str(text), text.index, text.reason) == ("text 3 is blank", 3, "blank")


def _refused(texts: list[str]) -> None:
    GeminiEmbedder(api_key="k").embed(texts, role="document")


def test_a_process_pool_hands_an_input_error_over() -> None:
    """A worker's refusal of a text arrives as it was raised there."""
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
        pytest.raises(InvalidInputError, match="text 1") as caught,
    ):
        pool.submit(_refused, ["a text", " "]).result()

    assert (caught.value.index, caught.value.reason) == (1, "blank")


def failed(outcome: errors.GeminiEmbedError, **call: Any) -> errors.GeminiEmbedError:
    """Return what a call ends in where the service answers all its requests with an error."""
    kept = []

    async def main() -> None:
        service = virtual.Service(trouble=lambda _: outcome)
        engine = virtual.engine(service, on_retry=lambda retry: kept.append(retry.error))
        await engine.embed(*virtual.request(["a", "b", "c"], **call))

    before = (str(outcome), dict(vars(outcome)))
    for _ in range(2):
        with pytest.raises(errors.GeminiEmbedError) as caught:
            virtual.run(main())
    assert (str(outcome), dict(vars(outcome))) == before
    assert all(error is outcome for error in kept)
    return caught.value


def test_an_error_raised_twice_does_not_grow() -> None:
    """Each call adds to the first words what it knows, and to nobody else's error."""
    outcome = errors.ServiceUnavailableError("503", status=503)

    error = failed(outcome, max_retries=2)

    told = "503 (3 texts between 0 and 2; tried 3 times); 0 of 3 texts were finished"
    assert str(error) == told
    assert (error.indexes, error.attempts, error.total) == ((0, 1, 2), 3, 3)
    assert error.partial == {}


def test_an_error_says_whether_the_deadline_passed() -> None:
    """In a field, beside the text: whoever sets a deadline need not read words."""
    error = failed(errors.ServiceUnavailableError("503", retry_after=60), deadline=1)

    assert error.deadline_passed
    assert str(error).startswith("the deadline passed; 503 (3 texts between 0 and 2); 0 of 3")
    assert not failed(errors.AuthenticationError("403")).deadline_passed


def test_a_refusal_of_every_text_alone_is_told_once() -> None:
    """The same refusal in two calls: each says once that it is not the texts."""
    error = failed(errors.RequestError("400", status=400))

    assert str(error).count("texts alone are refused too, so it is the model or an option") == 1
