"""What a user has of a quota: limits that are checked, copies that are one, and what is left."""

from __future__ import annotations

import copy
import math
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import GeminiEmbedder, GeminiEmbedError, Quota
from gemini_embed.errors import ConfigurationError
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]


def loaded(pickled: bytes) -> Any:
    return pickle.loads(pickled)  # noqa: S301 - our own bytes


def test_copies_and_pickles_are_the_same_quota_within_a_process() -> None:
    """A limit is not doubled by copying what holds it."""
    quota = Quota(requests=5, tokens=7, period=9)

    assert copy.deepcopy(quota) is copy.copy(quota) is loaded(pickle.dumps(quota)) is quota
    assert copy.deepcopy(GeminiEmbedder(quota=quota)).quota is quota


def test_all_pickles_of_a_quota_are_one_in_another_process() -> None:
    """As here, where the original is gone: two embedders that shared it share again."""
    quota = Quota(requests=5, tokens=7, period=9)
    first, second = pickle.dumps(quota), pickle.dumps([quota])
    del quota

    back = loaded(first)

    assert (back.requests, back.tokens, back.period) == (5, 7, 9)
    assert loaded(second)[0] is back
    assert loaded(pickle.dumps(back)) is back


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": 0},
        {"requests": 0.5},
        {"requests": "5"},
        {"tokens": -1},
        {"requests_per_day": 0},
        {"period": 0},
        {"query_reserve": 1},
    ],
)
def test_a_quota_of_nothing_is_refused(wrong: dict[str, Any]) -> None:
    """It would wait for ever."""
    with pytest.raises(ConfigurationError, match="must be"):
        Quota(**wrong)


@pytest.mark.parametrize("path", ["", b"quota.sqlite3", 5])
def test_a_path_that_names_no_file_is_refused(path: Any) -> None:
    """An empty one, of a variable that is not set perhaps, does not become the current folder."""
    with pytest.raises(ConfigurationError, match="path must name a file"):
        Quota(requests=10, path=path)


@pytest.mark.parametrize("short", ["requests_per_minute", "tokens_per_minute", "requests_per_day"])
def test_one_way_to_say_it(short: str) -> None:
    """A quota and its short forms contradict each other."""
    options: dict[str, Any] = {short: 5}
    with pytest.raises(ConfigurationError, match=f"either quota or {short}"):
        GeminiEmbedder(quota=Quota(), **options)


def test_what_is_left_can_be_read_at_any_time(server: Standin, embedder: Maker) -> None:
    """A program shows how much of its limits it has used, without asking the service."""
    quota = Quota(requests=100, tokens=1000, requests_per_day=500)
    made = embedder(base_url=server.url, quota=quota)

    assert quota.left() == (100, 1000, 500, 0.0)
    made.embed(["a", "b", "c"], role="document")
    texts, tokens, today, wait = quota.left()

    assert (texts, today, wait) == (97, 497, 0.0)
    assert 900 < tokens < 1000
    assert Quota().left() == (math.inf, math.inf, math.inf, 0.0)


def test_what_is_left_after_a_refusal(embedder: Maker) -> None:
    """The wait that the service asked for is told, and so is the limit that it named."""
    quota = Quota()
    texts = [f"text {number}" for number in range(60)]
    with Standin(requests=50) as server:
        made = embedder(base_url=server.url, quota=quota, deadline=0.5)
        made.embed(["a"], role="document")
        with pytest.raises(GeminiEmbedError):
            made.embed(texts, role="document")

    assert quota.left().texts == 49
    assert 0 < quota.left().wait <= 60


def test_a_quota_says_what_it_is(tmp_path: Path) -> None:
    """Printed, it shows what was said of it, and the file of one that processes share."""
    path = tmp_path / "quota.sqlite3"

    assert repr(Quota(requests=5)) == "Quota(requests=5, tokens=None, period=60.0)"
    assert repr(Quota(requests=5, path=path)).endswith(f"period=60.0, path={str(path)!r})")
