"""Which figures a row is held against, and how. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.quotas.scenarios import PERIOD, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.quotas.measure import Figures


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One line of the table of figures: bounds, None where there is none.

    Attributes:
        what: In words.
        share: The least share of the ideal.
        late: The same after two periods.
        refused: The largest share of requests refused.
        late_refused: The same after two periods.
        refusals_in_ten: The most refusals in ten periods, after two.
        refused_texts: The largest share of texts refused.
        p99: The most seconds that a query waits.
        slowest: The least that the slowest process has by the mean.
        recovery: The most periods until a raised limit is used.
        is_exact: Whether the share is of what is left by a client that cannot know when it was
            counted, and so waits a latency longer for each period.
        may_end: Whether it may end in an error of ours, if each text is paid for once.
    """

    what: str
    share: float | None = None
    late: float | None = None
    refused: float | None = None
    late_refused: float | None = None
    refusals_in_ten: float | None = None
    refused_texts: float | None = None
    p99: float | None = None
    slowest: float | None = None
    recovery: float | None = None
    is_exact: bool = False
    may_end: bool = False


GOALS = {
    "known": Goal(
        what="known limit; sliding, fixed, full bucket; alone",
        share=0.98,
        refused=0.0,
        is_exact=True,
    ),
    "known-clock": Goal(
        what="known limit, clock up to 1 % off", share=0.97, refusals_in_ten=1.0, is_exact=True
    ),
    "known-burst": Goal(what="known limit, burst smaller than a batch, GCRA", late=0.9),
    "named": Goal(
        what="unknown, named in refusals",
        share=0.98,
        refusals_in_ten=1.0,
        refused_texts=0.01,
        is_exact=True,
    ),
    "delay": Goal(what="unknown, only a delay; alone", share=0.93, late_refused=0.04),
    "delay-beside": Goal(
        what="unknown, only a delay; beside a foreign client", share=0.88, late_refused=0.04
    ),
    "nothing": Goal(what="unknown, nothing named; alone", share=0.85, late_refused=0.1),
    "nothing-beside": Goal(
        what="unknown, nothing named; beside a foreign client", share=0.75, late_refused=0.1
    ),
    "estimate": Goal(what="tokens 4x the estimate; claimed 2x the truth", late=0.9),
    "one": Goal(what="one refusal, then healthy, queries at 1/s: p99", p99=2.0 + 0.3),
    "forty": Goal(what="one refusal, or forty of 5 s, then healthy", share=1 / 1.2),
    "raised-named": Goal(what="limit raised tenfold midway, named", recovery=25.0),
    "raised": Goal(what="limit raised tenfold midway, not named", recovery=10.0),
    "processes": Goal(
        what="several processes, one key, nothing shared", share=0.92, refused=0.1, slowest=0.8
    ),
    "ends": Goal(what="a daily limit; an hour of 503s; a delay of years", may_end=True),
    "beside": Goal(
        what="queries at 1/s beside a load, known or named, after two periods: p99",
        p99=2.0,
        late=0.96,
    ),
}
"""What is to be reached, with four hours of ideal time."""

_SMALL = ("bucket-tenth", "bucket-small", "gcra-one", "gcra-small")


_RULES: tuple[tuple[str, Callable[[Scenario], bool]], ...] = (
    ("ends", lambda s: s.counts == "day" or s.trouble == "outage" or s.told == "huge"),
    ("one", lambda s: s.trouble == "one" and s.load == "queries"),
    ("forty", lambda s: s.short),
    ("raised-named", lambda s: s.change > 1 and s.told == "named"),
    ("raised", lambda s: s.change > 1),
    ("nothing-beside", lambda s: s.foreign > 0 and not _tells(s)),
    ("delay-beside", lambda s: s.foreign > 0),
    ("nothing", lambda s: not _tells(s) and (s.processes > 1 or s.misleads or not s.claimed)),
    ("processes", lambda s: s.processes > 1),
    ("estimate", lambda s: s.misleads),
    ("forty", lambda s: s.trouble != "none" and _is_known(s)),
    ("delay", lambda s: not _is_known(s)),
    ("known-burst", lambda s: s.service in _SMALL),
    ("known-clock", lambda s: s.clock != 0),
    ("beside", lambda s: _is_known(s) and s.load == "both"),
    ("known", lambda s: s.claimed > 0),
    ("named", lambda _: True),
)
"""The first that fits decides."""


def goal_of(scenario: Scenario) -> str:
    """Return which goal a row is held against."""
    return next(name for name, fits in _RULES if fits(scenario))


def _tells(scenario: Scenario) -> bool:
    """Tell whether a refusal says when to come back."""
    return scenario.told in ("named", "delay")


def _is_known(scenario: Scenario) -> bool:
    """Tell whether the user or a refusal names the limit."""
    return scenario.claimed > 0 or scenario.told == "named"


def misses(goal: Goal, scenario: Scenario, figures: Figures) -> list[str]:
    """Return what of a goal is missed, in words."""
    return list(_misses(goal, scenario, figures))


def _misses(goal: Goal, scenario: Scenario, figures: Figures) -> Iterator[str]:
    if goal.may_end and figures.error and not figures.fault:
        if figures.paid > 1 + 1e-9:
            yield f"texts were paid for {figures.paid:.2f} times"
        return
    if figures.outcome != "done":
        yield figures.outcome
        return
    exact = PERIOD / (PERIOD + scenario.latency) if goal.is_exact else 1.0
    for name in ("share", "late", "slowest"):
        least, value = getattr(goal, name), getattr(figures, name)
        least = least and least * exact
        if least is not None and value is not None and value < least - _ROUNDING:
            yield f"{name} {value:.3f} < {least:.3f}"
    for name in (
        "refused",
        "late_refused",
        "refusals_in_ten",
        "refused_texts",
        "p99",
        "recovery",
    ):
        most, value = getattr(goal, name), getattr(figures, name)
        if name == "p99" and most is not None:
            most += 1.1 * scenario.latency
        if most is not None and value is not None and value > most + _ROUNDING:
            yield f"{name} {value:.3f} > {most:.3f}"


_ROUNDING = 1e-6


def badness(goal: Goal, scenario: Scenario, figures: Figures) -> tuple[float, ...]:
    """Return how bad a row is for its goal: the larger the worse."""
    ended = goal.may_end and figures.error and not figures.fault
    wrong = figures.outcome != "done" and not ended
    parts = [float(wrong), float(len(misses(goal, scenario, figures)))]
    for name in ("p99", "recovery"):
        if getattr(goal, name) is not None:
            value = getattr(figures, name)
            parts.append(math.inf if value is None else value)
    for name in ("late", "share"):
        if getattr(goal, name) is not None:
            value = getattr(figures, name)
            parts.append(0.0 if value is None else -value)
    return (*parts, figures.late_refused)
