"""Callers' own functions that fail, and what ends a process."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
import virtual
from calls.driving import failed, texts
from virtual import Service, engine, request

from gemini_embed.errors import HookError, InternalError, ServiceUnavailableError

if TYPE_CHECKING:
    from gemini_embed.contents import Batch
    from gemini_embed.observe.events import Retry


def test_a_hook_that_fails_ends_the_call() -> None:
    """A mistake in the caller's own hook is not swallowed, and costs nothing that was finished."""

    def hook(_: Retry) -> None:
        raise LookupError("mine")

    answers = itertools.count()
    service = Service(
        trouble=lambda _: ServiceUnavailableError("503") if next(answers) == 2 else (0.1, 0.1)
    )
    error = failed(service, texts(300), max_concurrency=1, on_retry=hook)

    assert isinstance(error, HookError)
    assert "on_retry raised LookupError: mine" in str(error)
    assert isinstance(error.__cause__, LookupError)
    assert sorted(error.partial) == list(range(200))
    assert error.indexes == tuple(range(200, 300))


@pytest.mark.parametrize("raised", [ConnectionError("no redis"), TimeoutError(), RecursionError()])
def test_a_rate_limiter_that_fails_ends_the_call(raised: Exception) -> None:
    """What was finished before is in the error, and what the limiter raised is its cause."""
    calls = itertools.count()

    async def limiter() -> None:
        if next(calls) == 2:
            raise raised

    call = {"rate_limiter": limiter}
    error = failed(Service(), texts(300), call=call, max_concurrency=1)

    assert isinstance(error, HookError)
    assert error.__cause__ is raised
    assert sorted(error.partial) == list(range(200))


def test_a_fault_of_ours_is_named_too() -> None:
    """Whatever goes wrong inside, the caller gets one of our errors, with what was finished."""
    answers = itertools.count()
    fault = ArithmeticError("odd")

    def trouble(_: Batch) -> tuple[float, float]:
        if next(answers) == 2:
            raise fault
        return 0.1, 0.1

    error = failed(Service(trouble=trouble), texts(300), max_concurrency=1)

    assert isinstance(error, InternalError)
    assert error.__cause__ is fault
    assert sorted(error.partial) == list(range(200))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_a_process_ends_it(raised: type[BaseException]) -> None:
    """Ctrl-C and `sys.exit()` in a hook are not made into errors of ours."""

    async def limiter() -> None:
        raise raised

    async def main() -> None:
        with pytest.raises(raised):
            await engine(Service()).embed(*request(texts(300), rate_limiter=limiter))

    virtual.run(main())
