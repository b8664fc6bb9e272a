"""Refusals that do not say why: found out by what passes, never by what is said."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.calls.inquiry import Blame, Inquiry
from gemini_embed.calls.limits import Limits
from gemini_embed.calls.plan import Bounds, Plan, places_of
from gemini_embed.contents import Batch, Content, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable


class Run:
    """One call against a service that refuses, without a word, what it does not like."""

    def __init__(self, count: int, size: int, likes: Callable[[list[int]], bool]) -> None:
        self.likes = likes
        self.limits = Limits(size)
        self.passed: list[int] = []
        self.blamed: list[int] = []
        self.requests = 0
        self.convicted = False
        self.under_way: list[tuple[Batch, int]] = []
        self.plan = Plan()
        self.plan.add(places_of(Inputs.whole([Content.of(str(one)) for one in range(count)])))
        self.inquiry = Inquiry()

    def send(self) -> bool:
        if not len(self.plan):
            return False
        batch = self.plan.take(Bounds(self.limits.texts))
        assert batch is not None
        self.requests += 1
        self.under_way.append((batch, self.inquiry.passed))
        return True

    def answer(self, place: int) -> None:
        batch, passed = self.under_way.pop(place)
        if self.likes([int(text) for text in batch.texts]):
            self.passed += batch.indexes
            self.limits.accept(len(batch), 0)
            too_many = self.inquiry.accept(batch)
            if too_many is not None:
                self.limits.refuse_texts(too_many)
        else:
            blame = self.inquiry.refuse(batch, passed=passed)
            self.convicted |= blame is Blame.REQUEST
            self.blamed += batch.indexes if blame is Blame.TEXT else ()
        for part in self.inquiry.due(self.limits.texts, self.plan.pick):
            self.plan.put_back(part)
        self.plan.is_held = self.inquiry.in_doubt

    def to_the_end(self, width: int, choose: Callable[[int], int] = lambda _: 0) -> None:
        while not self.convicted:
            while len(self.under_way) < width and self.send():
                pass
            if not self.under_way:
                return
            self.answer(choose(len(self.under_way)))


def without(bad: set[int], most: int = 1000) -> Callable[[list[int]], bool]:
    return lambda texts: len(texts) <= most and not bad.intersection(texts)


@given(st.data(), st.integers(1, 60), st.integers(1, 20), st.integers(1, 25), st.integers(1, 5))
def test_every_text_is_answered_or_blamed_itself(
    data: st.DataObject, count: int, size: int, most: int, width: int
) -> None:
    """Any bad texts, any largest request, answers in any order: the good ones pass, once each.

    Only where two bad ones happen to be tried first is it taken for the request's fault.
    """
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=4))
    run = Run(count, size, without(bad, most))
    run.to_the_end(width, lambda under_way: data.draw(st.integers(0, under_way - 1)))

    assert len(run.passed) == len(set(run.passed))
    assert not bad.intersection(run.passed)
    assert set(run.blamed) <= bad
    assert run.requests <= 2 * count + 20
    if run.convicted:
        assert len(bad) > 1
        return
    assert set(run.passed) | set(run.blamed) == set(range(count))
    assert len(run.plan) == 0
    assert not run.inquiry.is_open


@pytest.mark.parametrize("count", [2, 3, 7, 36, 100, 250])
def test_one_bad_text_is_found_by_halving(count: int) -> None:
    """Wherever it stands: at most 2 log2(n) + 2 requests after the one that was refused."""
    for bad in range(count):
        run = Run(count, count, without({bad}))
        run.to_the_end(width=1)

        assert run.blamed == [bad]
        assert sorted(run.passed) == [number for number in range(count) if number != bad]
        assert run.requests - 1 <= 2 * ceil(log2(count)) + 2


@pytest.mark.parametrize("width", [1, 8])
def test_a_bad_request_costs_two_texts_alone(width: int) -> None:
    """What is refused whatever it holds ends after two texts more than what was under way."""
    run = Run(800, 100, lambda _: False)
    run.to_the_end(width)

    assert run.convicted
    assert run.requests == width + 2


def test_a_text_alone_is_no_proof() -> None:
    """A bad text among those that are sent one by one costs the others nothing."""
    run = Run(50, 1, without({0, 7, 8, 9}))
    run.to_the_end(width=1)

    assert run.blamed == [0, 7, 8, 9]
    assert run.requests == 50


def test_a_service_that_turns_bad_half_way_is_noticed() -> None:
    """After answers that went well it takes a few texts more to give the request up, not all."""
    run = Run(1000, 100, lambda _: len(run.passed) < 500)
    run.to_the_end(width=1)

    assert run.convicted
    assert run.requests == 5 + 1 + 5


@pytest.mark.parametrize(("most", "requests"), [(1, 800 + 8 + 14), (37, 32 + 8 + 5), (99, 16 + 9)])
def test_too_many_texts_are_told_from_bad_ones(most: int, requests: int) -> None:
    """Without a word of it, a service's largest request is found, and nobody is blamed."""
    run = Run(800, 100, without(set(), most))
    run.to_the_end(width=8)

    assert sorted(run.passed) == list(range(800))
    assert run.blamed == []
    assert run.requests <= requests
    assert run.limits.texts <= max(most, 50)
