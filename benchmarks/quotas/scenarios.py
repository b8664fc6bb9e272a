"""What a service may be like, and how it is asked: one row of the bench of services. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ServiceKind = Literal[
    "sliding", "fixed", "bucket", "bucket-tenth", "gcra-one", "gcra-small", "bucket-small", "none"
]
"""How it counts:

- `sliding`: any stretch of a period.
- `fixed`: from one stroke of the service's clock to the next.
- `bucket`: a bucket of a whole period's amount; `bucket-tenth`: of a tenth, which a full batch is
  larger than; `bucket-small`: of ten texts.
- `gcra-one`: one request at a time, paced by what it counts for; `gcra-small`: six seconds' worth
  at once.
- `none`: not at all.
"""

Counts = Literal["texts", "tokens", "both", "day"]
"""What is limited; `both` lets tokens be the scarcer, and `day` ends in the middle of the load."""

Told = Literal["delay", "named", "per-minute", "nothing", "tiny", "huge"]
"""What a refusal tells: limit and delay; the delay only; "per minute", in words; nothing; a delay
of a millisecond, whatever the truth is; one of 30 years."""

Trouble = Literal["none", "one", "forty", "outage"]
"""`one`: the first request is refused, "retry in 0.3 s". `forty`: the first forty, for 5 s.
`outage`: 503 for an hour, from the middle of the load on."""

Load = Literal["documents", "queries", "both"]
"""What is sent: documents at once, queries at one a second (Poisson), or both."""

PERIOD = 60.0
LIMIT = 600
"""Texts in a period."""

BATCH = 100
WIDTH = 8
"""Requests at once, of one process."""

TOKENS = 11.0
"""That a text is estimated to have where tokens are limited; the middle."""

BOTH_TOKENS = 0.8
"""Where both are limited, the share of the texts that the tokens are enough for."""

OUTAGE = 3600.0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row.

    Attributes:
        service: How it counts.
        counts: What.
        told: What a refusal tells.
        claimed: The limit that the user gives, in times of the true one; 0 for none.
        clock: By which share the service's minute is longer than ours.
        latency: Seconds there and back.
        uneven: Whether the latency is anything from 0.05 s to that.
        foreign: The share of the limit that somebody else takes, at random.
        trouble: What goes wrong once.
        change: What the limit is multiplied by in the middle of the load.
        processes: Each with a client of its own.
        load: What is sent.
        tokens: How many tokens a text has, in times of the estimate.
        reports: Whether an answer tells its tokens.
        short: Whether the load is one of some 200 seconds, however long others are.
    """

    service: ServiceKind = "sliding"
    counts: Counts = "texts"
    told: Told = "delay"
    claimed: float = 0.0
    clock: float = 0.0
    latency: float = 0.2
    uneven: bool = False
    foreign: float = 0.0
    trouble: Trouble = "none"
    change: float = 1.0
    processes: int = 1
    load: Load = "documents"
    tokens: float = 1.0
    reports: bool = True
    short: bool = False

    @property
    def name(self) -> str:
        """What it is told from the base by; `parse` reads it."""
        base = Scenario()
        told = ["told=" + self.told]
        told += [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if field.name != "told" and getattr(self, field.name) != getattr(base, field.name)
        ]
        return " ".join(told)

    @property
    def limit(self) -> float:
        """Texts in a period of ours, before any change; a tenth of what it may be raised to."""
        return LIMIT / 5 if self.change > 1 else LIMIT

    @property
    def largest(self) -> int:
        """The texts that fit in a request, all the time."""
        burst = {"bucket-tenth": 1 / 10, "bucket-small": 1 / 60}.get(self.service, 1.0)
        return max(1, min(BATCH, int(burst * self.passing * min(1.0, self.change))))

    @property
    def passing(self) -> float:
        """Texts that pass in a period, before any change: fewer where tokens are scarcer."""
        return self.limit * (BOTH_TOKENS if self.counts == "both" else 1.0)

    @property
    def misleads(self) -> bool:
        """Whether what the user says, or what a text seems to hold, is not the truth."""
        is_dense = self.counts_tokens and self.tokens > 1
        return is_dense or self.claimed * max(1.0, 1 / self.change) > 1

    @property
    def tokens_per_text(self) -> float:
        """Tokens of a text as the service counts them; the middle."""
        return TOKENS * self.tokens

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited."""
        return self.counts in ("tokens", "both")


def parse(name: str) -> Scenario:
    """Return the scenario of a name, for instance `"told=named service=bucket"`.

    Raises:
        ValueError: A field or a value that does not exist.
    """
    hints = get_type_hints(Scenario)
    given: dict[str, Any] = {}
    for part in name.split():
        field, _, value = part.partition("=")
        if field not in hints:
            raise ValueError(f"unknown: {field}; one of {', '.join(hints)}")
        given[field] = _read(value, hints[field])
    return Scenario(**given)


def _read(value: str, hint: Any) -> Any:
    if known := get_args(hint):
        if value not in known:
            raise ValueError(f"unknown: {value}; one of {', '.join(known)}")
        return value
    return value == "True" if hint is bool else hint(value)


VALUES: dict[str, Sequence[Any]] = {
    "service": (
        "sliding",
        "fixed",
        "bucket",
        "bucket-tenth",
        "bucket-small",
        "gcra-one",
        "gcra-small",
    ),
    "counts": ("texts", "tokens", "both", "day"),
    "told": get_args(Told),
    "claimed": (0.0, 1.0, 2.0),
    "clock": (0.0, 0.001, -0.001, 0.01, -0.01),
    "latency": (0.2, 0.05, 1.0, 5.0),
    "uneven": (False, True),
    "foreign": (0.0, 0.4, 0.8),
    "trouble": get_args(Trouble),
    "change": (1.0, 10.0, 0.5),
    "processes": (1, 2, 4),
    "load": ("documents", "both"),
    "tokens": (1.0, 4.0),
    "reports": (True, False),
}
"""Every value of every field that a combination may have."""

BASES = (
    Scenario(claimed=1.0, told="named"),
    Scenario(told="named"),
    Scenario(),
    Scenario(told="nothing"),
)


def alone() -> list[Scenario]:
    """Return the base rows, and each value alone against each of them."""
    rows: dict[Scenario, None] = {}
    for base in BASES:
        rows[base] = None
        for field, values in VALUES.items():
            for value in values:
                changed = replace(base, **{field: value})
                if field in ("tokens", "reports"):
                    changed = replace(changed, counts="tokens")
                if not (base.claimed and changed.change > 1):
                    rows[changed] = None
        rows[replace(base, counts="tokens", tokens=4.0, reports=False)] = None
        rows[replace(base, latency=5.0, uneven=True)] = None
        rows[replace(base, service="none", trouble="one", load="queries")] = None
        rows[replace(base, trouble="one", load="queries")] = None
        rows[replace(base, service="none", trouble="forty", latency=5.0, short=True)] = None
        rows[replace(base, trouble="forty", short=True)] = None
    return list(rows)


def combined(count: int, seed: int = 1) -> list[Scenario]:
    """Return `count` combinations that, if they are enough, hold each pair of values."""
    return [_sensible(Scenario(**row)) for row in cover(VALUES, count, seed)]


def _sensible(scenario: Scenario) -> Scenario:
    """Return a combination without what no client could do well.

    Whoever gives a limit is taken at his word when it is raised. And where hardly more than one
    request passes at a time, others' requests, or an uneven way, decide which.
    """
    if scenario.change > 1:
        scenario = replace(scenario, claimed=0.0)
    if scenario.service in ("bucket-small", "gcra-one"):
        scenario = replace(scenario, uneven=False, foreign=0.0, processes=1)
    return scenario


def cover(values: Mapping[str, Sequence[Any]], count: int, seed: int) -> list[dict[str, Any]]:
    """Return rows with a value for each name, which cover all pairs of values early on.

    Greedy: of some random rows that hold a pair that no row holds yet, the one that holds most.
    The first value of a name is drawn as often as all others: where everything is unusual at once,
    most rows end early for the same reason.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    missing = dict.fromkeys(_all_pairs(values))
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        wanted: dict[str, Any] = dict(rng.choice(list(missing))) if missing else {}
        tried = [
            {
                name: wanted[name] if name in wanted else rng.choice((known[0], rng.choice(known)))
                for name, known in values.items()
            }
            for _ in range(_CANDIDATES if missing else 1)
        ]
        best = max(
            tried, key=lambda row: sum(pair in missing for pair in combinations(row.items(), 2))
        )
        for pair in combinations(best.items(), 2):
            missing.pop(pair, None)
        rows.append(best)
    return rows


_CANDIDATES = 30

_Pair = tuple[tuple[str, Any], tuple[str, Any]]


def _all_pairs(values: Mapping[str, Sequence[Any]]) -> Iterator[_Pair]:
    for (name, known), (other, others) in combinations(values.items(), 2):
        for value in known:
            yield from (((name, value), (other, beside)) for beside in others)
