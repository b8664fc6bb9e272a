"""From what happened in a row to its figures. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.quotas.ideal import Curve, crossing
from benchmarks.quotas.scenarios import PERIOD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.quotas.course import Course, Sent

SETTLED = 2 * PERIOD
"""Seconds after which learning is over."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of one row; None where one makes no sense.

    Attributes:
        name: The row.
        texts: Of the load.
        taken: Seconds it took; infinite if never.
        error: What it ended in.
        share: The ideal time by the time taken. The ideal client knows all, sends what fits as
            soon as it does, and waits once for the latency; beside somebody else it has what was
            left over while the row ran, and where the service was busy at first it waits as told.
        late: The same from the first text after two periods on.
        requests: Sent to the service.
        refused: The share of them that was refused.
        late_refused: The same after two periods.
        refusals_in_ten: Refusals in ten periods, after two.
        refused_texts: Texts in refused requests by all texts sent.
        p50: Seconds that a query waits; beside a load, one asked after two periods.
        p99: Likewise; infinite where more than one in a hundred failed.
        failed: Queries without an answer.
        over: By which share more was sent in a period than the limit.
        slowest: What the slowest process had when the first was done, by the mean.
        recovery: Periods from the first in which half more than the old limit passed to the first
            in which nine tenths of the new one did; infinite if never.
        fault: What is wrong with the project or with a vector, if anything.
        paid: Texts counted by the service by the texts of the load: 1 if each was paid for once.
    """

    name: str
    texts: int
    taken: float
    error: str | None
    fault: str | None
    share: float
    late: float | None
    requests: int
    refused: float
    late_refused: float
    refusals_in_ten: float
    refused_texts: float
    p50: float | None
    p99: float | None
    failed: int
    over: float
    slowest: float
    recovery: float | None
    paid: float

    @property
    def outcome(self) -> str:
        """How it ended."""
        return self.fault or self.error or ("done" if math.isfinite(self.taken) else "never")


def figures(course: Course) -> Figures:
    """Return the figures of what happened."""
    scenario, sent = course.scenario, course.sent
    curve = Curve(scenario, course.hours * 3600)
    late = [one for one in sent if one.at > SETTLED]
    end = sent[-1].at if sent else 0.0
    ideal = _ideal(course, curve) + _told_at_first(course)
    since = SETTLED if scenario.load == "both" else 0.0
    waits = sorted(wait for asked, wait in course.waits if asked >= since)
    return Figures(
        name=scenario.name,
        texts=course.amount,
        taken=course.taken,
        error=", ".join(sorted(set(course.errors.values()))) or None,
        fault=next(iter(course.faults), None),
        share=ideal / course.taken if math.isfinite(course.taken) else 0.0,
        late=_late(course, curve),
        requests=len(sent),
        refused=_refused(sent),
        late_refused=_refused(late),
        refusals_in_ten=10
        * PERIOD
        * sum(not one.accepted for one in late)
        / max(PERIOD, end - SETTLED),
        refused_texts=_share_of_texts(sent),
        p50=_quantile(waits, 0.5),
        p99=_quantile(waits, 0.99),
        failed=sum(wait == math.inf for wait in waits),
        over=_most_in_a_period(sent) / (scenario.limit * max(1.0, scenario.change)) - 1,
        slowest=_slowest(course),
        recovery=_recovery(course),
        paid=course.paid / course.amount if course.amount else 1.0,
    )


def _ideal(course: Course, curve: Curve) -> float:
    """Return the seconds that the ideal client takes."""
    scenario = course.scenario
    alone = crossing(scenario, course.amount)
    if scenario.service == "none" or not math.isfinite(course.taken) or scenario.load == "queries":
        return alone
    return max(alone, curve.first(course.amount, _others(course)) + scenario.latency)


def _others(course: Course) -> list[tuple[float, int]]:
    """Return what went elsewhere than into the load: to somebody else, or into queries."""
    queries = [(s.at, s.texts) for s in course.sent if s.accepted and s.role == "query"]
    return sorted([*course.others, *queries])


def _late(course: Course, curve: Curve) -> float | None:
    """Return the share of the ideal after two periods; None where the load is hardly longer.

    Both go from the first text after two periods to the last of the load.
    """
    passed = [one for one in course.sent if one.accepted and one.role == "document"]
    later = [one for one in passed if one.at >= SETTLED]
    if not math.isfinite(course.taken):
        return 0.0
    if not later or later[-1].at < 2 * SETTLED or course.scenario.service == "none":
        return None
    before = sum(one.texts for one in passed) - sum(one.texts for one in later)
    others = _others(course)
    ideal = curve.first(course.amount, others) - curve.first(before + 1, others)
    alone = crossing(course.scenario, course.amount - before)
    return max(ideal, alone) / (later[-1].at - later[0].at)


def _refused(sent: Sequence[Sent]) -> float:
    return sum(not one.accepted for one in sent) / len(sent) if sent else 0.0


def _share_of_texts(sent: Sequence[Sent]) -> float:
    texts = sum(one.texts for one in sent)
    return sum(one.texts for one in sent if not one.accepted) / texts if texts else 0.0


def _quantile(waits: Sequence[float], share: float) -> float | None:
    return waits[min(len(waits) - 1, int(share * len(waits)))] if waits else None


def _most_in_a_period(sent: Iterable[Sent]) -> float:
    return max((texts for _, texts in _in_last_period(sent)), default=0)


def _in_last_period(sent: Iterable[Sent]) -> Iterable[tuple[float, int]]:
    """Yield, for each request, when it came and the texts of the last period with it."""
    window: deque[Sent] = deque()
    texts = 0
    for one in sent:
        window.append(one)
        texts += one.texts
        while window[0].at <= one.at - PERIOD:
            texts -= window.popleft().texts
        yield one.at, texts


def _slowest(course: Course) -> float:
    count = course.scenario.processes
    first = min(course.done.values(), default=math.inf)
    had = [0] * count
    for one in course.sent:
        if one.accepted and one.at <= first and one.role == "document":
            had[one.who] += one.texts
    return min(had) / (sum(had) / count) if sum(had) else 0.0


def _recovery(course: Course) -> float | None:
    scenario = course.scenario
    if scenario.change <= 1:
        return None
    accepted = [one for one in course.sent if one.accepted]
    middle = course.hours * 1800
    running = [(at, texts) for at, texts in _in_last_period(accepted) if at > middle]
    left_over = (1 - scenario.foreign) * scenario.passing
    probe = next((at for at, texts in running if texts > 1.5 * left_over), math.inf)
    enough = 0.9 * scenario.change * left_over
    back = next((at for at, texts in running if texts >= enough), math.inf)
    return (back - probe) / PERIOD if math.isfinite(back) else math.inf


def _told_at_first(course: Course) -> float:
    """Return the seconds in which some delay ran that the service told while it was busy."""
    refused = [one for one in course.sent if not one.accepted]
    total, until = 0.0, 0.0
    for one in refused[: {"one": 1, "forty": 40}.get(course.scenario.trouble, 0)]:
        end = one.at + (one.told or 0.0)
        total += max(0.0, end - max(one.at, until))
        until = max(until, end)
    return total
