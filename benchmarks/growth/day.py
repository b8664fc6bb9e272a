"""A simulated day: a large load at the limits that Google has published, on a virtual clock."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.quotas import virtual_time
from benchmarks.quotas.client import Client
from benchmarks.quotas.virtual_time import now, wall
from benchmarks.results import Section, Table
from benchmarks.texts import numbered
from gemini_embed.errors import DailyQuotaError
from gemini_embed.pacing.day import day_at
from gemini_embed.service.answer import Answer
from gemini_embed.service.refusals import refusal
from gemini_embed.standin.gemini_errors import quota_exceeded
from gemini_embed.standin.model_quota import ModelQuota, QuotaLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.growth.amounts import Amounts
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch

_LATENCY = 0.3
_MINUTE = 60.0


class Tier(NamedTuple):
    """What Google lets through: texts and tokens a minute, and texts a day."""

    name: str
    texts: int
    tokens: int
    a_day: int | None


TIERS = (Tier("free", 100, 30_000, 1000), Tier("1", 3000, 1_000_000, None))
"""The row "Gemini Embedding" of https://ai.google.dev/gemini-api/docs/rate-limits, as it was last
published, late in 2025. Since then a project's limits are shown in AI Studio alone. Users report
as many texts a minute for gemini-embedding-2. Of a day, there was a limit for the free tier only.
"""

_HOW = (
    "{texts:,} texts of ten words at the limits last published for the Gemini API (free: 100 texts "
    "and 30,000 tokens a minute, 1,000 texts a day; tier 1: 3,000 texts and 1,000,000 tokens a "
    "minute, no limit of a day). Through the project's own engine, on a virtual clock that begins "
    "at midnight Pacific time, at a model of the service that takes 0.3 s for a request. Used is "
    "what was let through, of the limit of all minutes that it took."
)


class Day(NamedTuple):
    """What a load came to.

    Attributes:
        passed: Texts that the service let through.
        taken: Seconds until the last of them had its vector.
        used: The share of the minutes' limit.
        refused: Requests that were refused.
        resets: Seconds until it can go on, if the day's limit has ended it; else None.
    """

    passed: int
    taken: float
    used: float
    refused: int
    resets: float | None


def day(amounts: Amounts) -> Section:
    """Return what a day of each tier comes to, its limits told or not."""
    section = Section("A simulated day", _HOW.format(texts=amounts.a_day))
    rows = []
    for tier in TIERS:
        for is_told in (True, False):
            found = simulated(tier, amounts.a_day, is_told=is_told)
            rows.append((f"{tier.name}, {'told' if is_told else 'not told'}", *_cells(found)))
            if is_told and tier.name == "1":
                section.figures["day-used"] = 100 * found.used
    heads = ("tier, its limits", "texts embedded", "in", "used", "refused", "ended by the day")
    section.tables.append(Table("", heads, rows))
    return section


def simulated(tier: Tier, texts: int, *, is_told: bool) -> Day:
    """Let a load run on a virtual clock until it has all vectors, or the day's limit is used up."""
    logger = logging.getLogger("gemini_embed")
    was_disabled, logger.disabled = logger.disabled, True  # hours are waited
    try:
        return virtual_time.run(_embed(tier, numbered(0, texts), is_told=is_told))
    finally:
        logger.disabled = was_disabled


async def _embed(tier: Tier, texts: list[str], *, is_told: bool) -> Day:
    service = _Service(tier)
    client = Client(
        service,
        requests=tier.texts if is_told else None,
        tokens=tier.tokens if is_told else None,
        period=_MINUTE,
        a_day=tier.a_day if is_told else None,
        name=f"{tier.name} {is_told}",
    )
    found, is_over = await _embedded(client, texts)
    if any(vector[0] != place for place, vector in found.items()) or len(found) != service.passed:
        raise AssertionError("a text has another's vector, or none")
    minutes = math.floor(service.last / _MINUTE) + 1
    used = service.passed / (tier.texts * minutes)
    resets = day_at(wall()).ends - wall() if is_over else None
    return Day(service.passed, now(), used, service.refused, resets)


async def _embedded(client: Client, texts: list[str]) -> tuple[Mapping[int, Any], bool]:
    """Return the vectors by their places, and whether the day's limit ended it."""
    try:
        return dict(enumerate(await client.embed(texts, "document"))), False
    except DailyQuotaError as error:
        return error.partial, True


class _Service:
    """Counts as the stand-in does, and answers each text with its own number."""

    def __init__(self, tier: Tier) -> None:
        self._quota = ModelQuota(
            QuotaLimits(requests=tier.texts, tokens=tier.tokens, requests_per_day=tier.a_day)
        )
        self.passed = self.refused = 0
        self.last = 0.0

    async def send(self, batch: Batch, _: Ask) -> Answer:
        """Go there, be counted, and come back."""
        await asyncio.sleep(_LATENCY / 2)
        at, texts = now(), batch.texts
        over = self._quota.take(len(texts), batch.tokens, at, day_at(wall()).number)
        await asyncio.sleep(_LATENCY / 2)
        if over is not None:
            self.refused += 1
            delay = over.delay or 0.0
            told = quota_exceeded(over.violations, delay, "gemini-embedding-2", silent=False)
            raise refusal(told.status, told.body)
        self.passed, self.last = self.passed + len(texts), at
        return Answer([(float(text.split(" ", 3)[2]), 1.0) for text in texts], batch.tokens)

    async def aclose(self) -> None:
        """Nothing is open."""


def _cells(found: Day) -> tuple[str, ...]:
    ended = "no" if found.resets is None else f"yes, for {_duration(found.resets)}"
    return (
        f"{found.passed:,}",
        _duration(found.taken),
        f"{found.used:.1%}",
        f"{found.refused}",
        ended,
    )


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{seconds / _MINUTE:.1f} min"
