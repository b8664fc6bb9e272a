"""The results as Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.results import Duel, Section, Table
    from benchmarks.targets import Target

_NOISE = 1.05
_SMALL_PRINT = """\
Everything runs on one machine: the stand-in that answers (hash vectors, a process of its own)
and the client that asks share its cores, so at 0 ms latency the client is not alone. Contestants
take turns, and a figure is the median of the runs ({repeats}) unless it says otherwise. All use
gemini-embedding-001 with texts of about ten words. "Official" are langchain-google-genai and
llama-index-embeddings-google-genai, in an environment of their own on google-genai 2.x; the
latter with embed_batch_size=100, where its default of 10 would send ten times the requests, and
its async side sends everything at once. The bare SDK is driven as a careful user would: async
client, plain dicts, 100 texts a call, a semaphore, no retries; once on our google-genai and once
on 2.x. Ours run with defaults (8 requests at once) unless a row says otherwise."""


@dataclass(frozen=True, kw_only=True)
class About:
    """The circumstances of a run.

    Attributes:
        date: Of the run.
        machine: In general terms.
        versions: Of the packages, for each environment.
        repeats: Runs of which the median counts.
        is_small: Whether the sizes are below those that the targets are meant for.
    """

    date: str
    machine: str
    versions: Mapping[str, Mapping[str, str]]
    repeats: int
    is_small: bool


def markdown(sections: Mapping[str, Section], about: About) -> str:
    """Return the whole report."""
    return "\n".join(_lines(sections, about)).rstrip() + "\n"


def _lines(sections: Mapping[str, Section], about: About) -> Iterator[str]:
    yield from ("# Comparison", "", f"{about.date}. {about.machine}.", "")
    yield from (_SMALL_PRINT.format(repeats=about.repeats), "")
    if about.is_small:
        yield from ("**A quick run: too small to be held against the targets.**", "")
    yield from held_to(TARGETS, sections)
    yield from _losses([duel for section in sections.values() for duel in section.duels])
    for section in sections.values():
        yield from section_lines(section)
    yield from version_lines(about.versions)


def section_lines(section: Section) -> Iterator[str]:
    """Return one section as Markdown."""
    yield from (f"## {section.title}", "")
    if section.how:
        yield from (section.how, "")
    if section.failure:
        yield from (f"**Failed:** {section.failure}", "")
    for table in section.tables:
        yield from table_lines(table)


def held_to(targets: Mapping[str, Target], sections: Mapping[str, Section]) -> Iterator[str]:
    """Return what was measured beside its targets, as Markdown."""
    figures = {name: value for s in sections.values() for name, value in s.figures.items()}
    yield from ("## Targets", "", "| | target | measured | |", "|---|---|---|---|")
    for name, target in targets.items():
        bound = f"{'>=' if target.is_at == 'least' else '<='} {target.bound:g}{target.unit}"
        if name not in figures:
            yield f"| {target.what} | {bound} | - | not measured |"
            continue
        value = figures[name]
        shown = f"{value:.2f}{target.unit}" if target.unit else f"{value:.0f}"
        if not math.isfinite(value):
            shown = "gave up"
        verdict = "met" if target.met(value) else "**not met**"
        yield f"| {target.what} | {bound} | {shown} | {verdict} |"
    yield ""


def _losses(duels: Sequence[Duel]) -> Iterator[str]:
    lost = sorted(
        (duel for duel in duels if duel.times_better * _NOISE < 1), key=lambda d: d.times_better
    )
    yield from ("## Where we lose", "")
    if not duels:
        yield from ("Nothing was compared.", "")
        return
    yield f"Of {len(duels)} comparisons, ours is worse by more than 5 % in {len(lost)}."
    yield ""
    if not lost:
        return
    yield from ("| | ours | theirs | times worse |", "|---|---|---|---|")
    for duel in lost:
        ours = f"{duel.ours}: {_number(duel.our_value)}"
        theirs = f"{duel.theirs}: {_number(duel.their_value)}"
        yield f"| {duel.what} | {ours} | {theirs} | {1 / duel.times_better:.2f} |"
    yield ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits


def table_lines(table: Table) -> Iterator[str]:
    """Return one table as Markdown."""
    if table.title:
        yield from (f"**{table.title}**", "")
    yield f"| {' | '.join(table.columns)} |"
    yield "|---" + "|---:" * (len(table.columns) - 1) + "|"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def version_lines(versions: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Return the versions of packages as Markdown."""
    yield from (
        "## Versions",
        "",
        f"| | {' | '.join(versions)} |",
        "|---" * (1 + len(versions)) + "|",
    )
    for name in dict.fromkeys(name for found in versions.values() for name in found):
        yield f"| {name} | {' | '.join(found.get(name, '-') for found in versions.values())} |"
