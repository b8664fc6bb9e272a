"""What a call says it has cost, held beside what the service saw."""

from __future__ import annotations

import asyncio
import pickle
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import virtual
from helpers import TEXTS, joined, sent_texts
from hypothesis import given
from virtual import Service, engine, request

from gemini_embed import GeminiEmbedder, Price, Quota, Usage
from gemini_embed.errors import (
    InvalidInputError,
    NoVectorError,
    QuotaExceededError,
    ServiceUnavailableError,
)
from gemini_embed.token_counts import count_likely
from gemini_embed.usage import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gemini_embed.standin import Scripted, Standin

    Maker = Callable[..., GeminiEmbedder]

# A storm.

BUSY: Scripted = (
    429,
    {"error": {"code": 429, "message": "wait", "status": "RESOURCE_EXHAUSTED"}},
    {"Retry-After": "0.01"},
)
REFUSED: Scripted = (
    400,
    {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}},
    {},
)

ANSWERED: tuple[Scripted, ...] = (None, "short", "empty", "nan", "wrong-dimension")
"""What the service answers so that its report of tokens arrives."""

LOST: tuple[Scripted, ...] = ("half", "not-json", "html", "reset")
"""What nobody knows of whether the service counted it."""

FAULTS: tuple[Scripted, ...] = (*ANSWERED[1:], *LOST, "503", "500", BUSY)


def _tokens(texts: Sequence[str]) -> int:
    """Return what the stand-in counts."""
    return sum(count_likely(texts))


@pytest.mark.parametrize("seed", range(6))
def test_in_a_storm_nothing_is_counted_wrong(
    server: Standin, embedder: Maker, tmp_path: Path, seed: int
) -> None:
    """Faults of all kinds, refusals, halves, cached and repeated texts: as the stand-in counted.

    Every token that was reported counts once, and what the service counted beyond that is within
    what is unanswered.
    """
    chance = random.Random(seed)  # noqa: S311 - guards nothing
    texts = [f"text {number} {'word ' * (number % 7)}" for number in range(900)]
    known = chance.sample(texts, 150)
    given = [*texts, *chance.choices(texts, k=200)]
    chance.shuffle(given)
    made = embedder(cache=tmp_path / "vectors", max_retries=60, batch_size=chance.choice([40, 100]))
    made.embed(known, role="document")
    before = len(server.log)
    made.reset_usage()
    server.script.extend([REFUSED, *chance.choices([None, *FAULTS], k=60)])
    chance.shuffle(server.script)
    met = list(server.script)

    usage = made.embed(given, role="document").usage

    assert not server.script
    log = sent_texts(server)[before:]
    met += [None] * (len(log) - len(met))
    answered = [sent for sent, fault in zip(log, met, strict=True) if fault in ANSWERED]
    lost = [sent for sent, fault in zip(log, met, strict=True) if fault in LOST]
    counted = [sent for sent, fault in zip(log, met, strict=True) if fault == "half"]
    placed = [sent for sent, fault in zip(log, met, strict=True) if fault is None]
    assert usage.requests == len(log)
    assert usage.retries == len(met) - met.count(None) - met.count(BUSY) - 1
    assert usage.texts == len(given)
    assert usage.cached == len(known)
    assert usage.duplicates == 200
    assert usage.texts - usage.cached - usage.duplicates == len(joined(placed)) == 750
    assert usage.prompt_tokens == _tokens(joined(answered))
    assert usage.by_modality == {"TEXT": usage.prompt_tokens}
    assert usage.characters == len("".join(joined(answered)))
    assert usage.unanswered == len(lost)
    assert usage.prompt_tokens is not None
    assert usage.prompt_tokens + usage.unanswered_tokens >= _tokens(joined([*answered, *counted]))
    assert usage.estimated_tokens == 0
    assert made.usage == usage


# What each number says.


def test_a_text_counts_however_it_came_by_its_vector(embedder: Maker, tmp_path: Path) -> None:
    """Sent, remembered or repeated; less the last two it is what the service embedded."""
    made = embedder(cache=tmp_path / "vectors", task_prefix=False)
    made.embed(["a", "b"], role="document")

    usage = made.embed(["a", "a", "new", "new", "new", "b"], role="document").usage

    assert (usage.texts, usage.cached, usage.duplicates, usage.requests) == (6, 2, 3, 1)
    assert usage.characters == len("new")


def test_tokens_that_nobody_tells_are_estimated(server: Standin, embedder: Maker) -> None:
    """gemini-embedding-001 reports none: None is said of the report, and the cost is estimated."""
    usage = (
        embedder(model="gemini-embedding-001").embed(["some words " * 40], role="document").usage
    )

    assert server.log[0].status == 200
    assert usage.prompt_tokens is None
    assert usage.by_modality == {}
    assert 80 <= usage.estimated_tokens <= 120
    assert usage.cost() == usage.estimated_tokens * Decimal("0.15") / 1_000_000


def test_many_tokens_are_estimated_from_a_part_of_each_text(embedder: Maker) -> None:
    """A report costs little however long the texts are, and is right within a tenth."""
    texts = ["some words " * 400, "1,234.5 " * 200, "日本語のテキスト" * 100] * 5
    unequal = [f"{number} {text}" for number, text in enumerate(texts)]

    usage = embedder(model="gemini-embedding-001").embed(unequal, role="document").usage

    assert usage.estimated_tokens == pytest.approx(sum(count_likely(unequal)), rel=0.1)


def test_an_empty_call_costs_nothing(server: Standin, embedder: Maker) -> None:
    """Nothing is sent, and nothing is unknown about it."""
    usage = embedder().embed([], role="document").usage

    assert usage == Usage()
    assert usage.cost() == 0
    assert not server.log


def test_what_a_failed_call_used_is_counted(server: Standin, embedder: Maker) -> None:
    """Until it failed: requests, the texts that were finished, and their tokens."""
    made = embedder(max_retries=0, max_concurrency=1, batch_size=2, task_prefix=False)
    server.script.extend([None, "503"])

    with pytest.raises(ServiceUnavailableError):
        made.embed(["a", "b", "c", "d", "e"], role="document")

    usage = made.usage
    assert (usage.requests, usage.texts, usage.prompt_tokens) == (2, 2, 2)
    assert (usage.unanswered, usage.retries) == (0, 0)


def test_what_is_refused_before_it_is_sent_costs_nothing(embedder: Maker) -> None:
    """A blank text is found before anything leaves."""
    made = embedder()

    with pytest.raises(InvalidInputError):
        made.embed(["a", " "], role="document")

    assert made.usage == Usage()


@pytest.mark.parametrize("kind", ["deadline", "timeout"])
def test_what_nobody_waited_for_is_unanswered(server: Standin, embedder: Maker, kind: str) -> None:
    """The service may have counted a request whose answer came too late for the caller."""
    made = embedder(**{kind: 1.0}, max_retries=0, task_prefix=False)
    made.embed(["connect"], role="document")
    made.reset_usage()
    server.script.append("hang")

    with pytest.raises(ServiceUnavailableError):
        made.embed(["four"], role="document")
    server.release()

    assert (made.usage.requests, made.usage.unanswered, made.usage.texts) == (1, 1, 0)
    assert made.usage.unanswered_tokens >= 1
    assert made.usage.cost() == 0


def test_a_text_without_a_vector_is_no_text(server: Standin, embedder: Maker) -> None:
    """Its neighbours count, and the tokens of all that was read."""
    server.script.append("no-values")
    made = embedder(task_prefix=False)

    with pytest.raises(NoVectorError):
        made.embed(["a", "b", "c"], role="document")

    assert (made.usage.texts, made.usage.prompt_tokens) == (2, 3)


# Waits, in virtual time.


def _usage_of(service: Service, texts: list[str], **options: Any) -> Usage:
    async def main() -> Usage:
        return (await engine(service, **options).embed(*request(texts))).usage

    return virtual.run(main())


def test_a_wait_for_the_quota_counts_once_whoever_waits() -> None:
    """300 texts at 100 a minute wait about two minutes, though eight senders did."""
    usage = _usage_of(Service(), [f"{n:x}" for n in range(300)], quota=Quota(requests=100))

    assert 119 < usage.waited_for_quota < 121
    assert usage.waited_for_retries == 0
    assert usage.requests == 3


def test_a_wait_that_the_service_asks_for_is_one_for_the_quota() -> None:
    """A 429 is no failure that is tried again."""
    outcomes = iter([QuotaExceededError("429", status=429, retry_after=7.0)])

    usage = _usage_of(Service(trouble=lambda _: next(outcomes, (0.1, 0.1))), ["a"])

    assert usage.waited_for_quota == pytest.approx(7, abs=0.2)
    assert (usage.waited_for_retries, usage.retries, usage.requests) == (0, 0, 2)


def test_waits_before_retries_count_once_for_each_moment() -> None:
    """Two requests that wait at the same time wait no longer than one."""
    outcomes = iter([ServiceUnavailableError("503", status=503, retry_after=5.0)] * 2)
    service = Service(trouble=lambda _: next(outcomes, (0.1, 0.1)))

    usage = _usage_of(service, [f"{n:x}" for n in range(150)])

    assert usage.waited_for_retries == pytest.approx(5, abs=0.2)
    assert (usage.waited_for_quota, usage.retries) == (0, 2)


def test_calls_that_share_a_quota_each_say_how_long_they_waited() -> None:
    """The one that stands behind the other waited as well."""

    async def main() -> list[Usage]:
        quota = Quota(requests=100)
        both = (engine(Service(), quota=quota), engine(Service(), quota=quota))
        calls = [
            made.embed(*request([f"{name}{n:x}" for n in range(150)]))
            for name, made in zip("ab", both, strict=True)
        ]
        return [result.usage for result in await asyncio.gather(*calls)]

    first, second = virtual.run(main())

    assert first.waited_for_quota > 50
    assert second.waited_for_quota > 50


def test_details_of_more_than_all_tokens_are_none(server: Standin, embedder: Maker) -> None:
    """A service that contradicts itself is believed in what it says of all."""
    details = [{"modality": "IMAGE", "tokenCount": 9}]
    told = {"promptTokenCount": 2, "promptTokenDetails": details}
    answer = {"embeddings": [{"values": [1.0] * 3072}], "usageMetadata": told}
    server.script.append((200, answer, {}))

    usage = embedder(task_prefix=False).embed(["a text"], role="document").usage

    assert (usage.prompt_tokens, usage.by_modality) == (2, {})
    assert usage.cost() == Decimal("0.0000004")


# Cost.


def test_the_cost_is_that_of_the_table(embedder: Maker) -> None:
    """In Decimal, to the last token; half of it through the Batch API."""
    usage = embedder(task_prefix=False).embed(["7" * 25], role="document").usage

    assert usage.prompt_tokens == 25
    assert usage.cost() == Decimal("0.000005")
    assert usage.cost(batch=True) == Decimal("0.0000025")


def test_own_prices_go_first(embedder: Maker) -> None:
    """Those of the embedder before the table, and those of the question before both."""
    prices = {"gemini-embedding-2": Price(Decimal(4))}
    usage = embedder(task_prefix=False, prices=prices).embed(["7" * 25], role="document").usage

    assert usage.cost() == Decimal("0.0001")
    assert usage.cost({"gemini-embedding-2": Price(Decimal(8))}) == Decimal("0.0002")
    assert usage.cost({"another": Price(Decimal(8))}) == Decimal("0.0001")


def test_an_unknown_price_is_no_price(server: Standin) -> None:
    """None is said, and not nothing; the caller's own price helps."""
    made = GeminiEmbedder(
        model="gateways-own",
        behaves_like="gemini-embedding-2",
        base_url=server.url,
        api_key="a-key",
        task_prefix=False,
    )
    answer = {"embeddings": [{"values": [1.0] * 3072}], "usageMetadata": {"promptTokenCount": 1}}
    server.script.append((200, answer, {}))

    usage = made.embed(["four"], role="query").usage

    assert usage.prompt_tokens == 1
    assert usage.cost() is None
    assert usage.cost({"gateways-own": Price(Decimal(1))}) == Decimal("0.000001")


# Sums.


def test_usages_add_up(server: Standin, embedder: Maker) -> None:
    """Of several calls and models: each number, and each token at its model's price."""
    server.script.append("503")
    two = embedder(task_prefix=False)
    one = embedder(model="gemini-embedding-001")
    usages = [
        two.embed(["four", "four", "next"], role="document").usage,
        two.embed(["more"], role="query").usage,
        one.embed(["a text of some words"], role="document").usage,
    ]

    whole = sum(usages, Usage())

    assert sum(usages[:2], Usage()) == two.usage
    assert (whole.requests, whole.retries, whole.texts, whole.duplicates) == (4, 1, 5, 1)
    assert whole.prompt_tokens == 3
    assert whole.by_modality == {"TEXT": 3}
    costs = [usage.cost() or Decimal(0) for usage in usages]
    assert whole.cost() == sum(costs) > 0


_numbers = st.integers(0, 10**12)
_kinds = st.sampled_from(["TEXT", "IMAGE", "AUDIO"])
_rates = st.builds(Rate, st.sampled_from(["a", "b"]), st.just("gemini"), st.none(), _kinds)
_usages = st.builds(
    Usage,
    requests=_numbers,
    prompt_tokens=st.none() | _numbers,
    truncated=st.lists(_numbers, max_size=3).map(lambda found: tuple(sorted(found))),
    texts=_numbers,
    waited_for_quota=st.integers(0, 10**6).map(float),
    by_modality=st.dictionaries(_kinds, _numbers),
    unanswered=_numbers,
    billed=st.dictionaries(_rates, _numbers),
)


@given(_usages, _usages, _usages)
def test_the_order_of_a_sum_does_not_matter(first: Usage, second: Usage, third: Usage) -> None:
    """Whatever is added first, the sum is the same; nothing changes what is added to it."""
    assert first + second == second + first
    assert (first + second) + third == first + (second + third)
    assert first + Usage() == first
    prices = {"a": Price(Decimal(2), image=Decimal(3), audio=Decimal(5)), "b": Price(Decimal(7))}
    costs = [usage.cost(prices) for usage in (first, second)]
    known = [cost for cost in costs if cost is not None]
    assert (first + second).cost(prices) == (sum(known) if len(known) == 2 else None)


def test_positions_of_texts_that_were_cut_off_stay_in_order() -> None:
    """Those of each call, and no report of tokens is not a report of none."""
    first, second = Usage(requests=1, truncated=(3, 8)), Usage(requests=1, truncated=(0,))

    assert (first + second).truncated == (0, 3, 8)
    assert (first + second).prompt_tokens is None
    assert (first + Usage(prompt_tokens=4)).prompt_tokens == 4


def test_a_usage_is_a_value(embedder: Maker) -> None:
    """It can be pickled, hashed and compared; so can what an earlier version pickled."""
    usage = embedder().embed(["a", "a"], role="document").usage

    kept = pickle.loads(pickle.dumps(usage))  # noqa: S301 - our own
    assert (kept, hash(kept)) == (usage, hash(usage))
    earlier = Usage.__new__(Usage)
    earlier.__setstate__([3, 7, (1,)])
    assert earlier == Usage(requests=3, prompt_tokens=7, truncated=(1,))


def test_a_halved_batch_counts_each_request(server: Standin, embedder: Maker) -> None:
    """Those that were refused report nothing, and parts are no retries."""
    server.script.append(REFUSED)

    usage = embedder(task_prefix=False).embed(TEXTS[:9], role="document").usage

    assert usage.requests == len(server.log) > 2
    assert (usage.retries, usage.unanswered, usage.texts) == (0, 0, 9)
    assert usage.prompt_tokens == _tokens(TEXTS[:9])
