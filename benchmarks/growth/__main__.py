"""`python -m benchmarks.growth`: from one load to a million texts, from one process to several.

Writes `growth.md` and `growth.json`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from benchmarks import environments, report
from benchmarks.growth.amounts import PLAIN, QUICK
from benchmarks.growth.day import day
from benchmarks.growth.sharing import processes, ray
from benchmarks.growth.sizes import sizes
from benchmarks.growth.targets import TARGETS
from benchmarks.results import Section, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.growth.amounts import Amounts

_SMALL_PRINT = """\
Everything runs on this one machine, the service's stand-ins included, which share its cores.
Google's service was not asked."""

_WHEN = " Measured {date}{small}; when it began, {busy:.1f} processes were at work here already."

SECTIONS: dict[str, Callable[[Amounts], Section]] = {
    "sizes": sizes,
    "processes": processes,
    "ray": ray,
    "day": day,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return the exit status: 0, met or not, if every part ran."""
    given = _parser().parse_args(argv)
    amounts = QUICK if given.quick else PLAIN
    amounts = replace(amounts, texts=tuple(n for n in amounts.texts if n <= given.most))
    path = given.output / "growth.json"
    sections = _kept(path) | {name: _run(name, amounts) for name in given.only}
    write(path, {name: sections[name] for name in SECTIONS if name in sections})
    return int(any(sections[name].failure for name in given.only))


def _kept(path: Path) -> dict[str, Section]:
    """Return the sections of earlier runs: each run measures only what it is asked for."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))["sections"]
    return {
        name: Section(**one | {"tables": [Table(**table) for table in one["tables"]]})
        for name, one in found.items()
    }


def _run(name: str, amounts: Amounts) -> Section:
    began, busy = time.monotonic(), os.getloadavg()[0]
    try:
        section = SECTIONS[name](amounts)
    except Exception as error:  # noqa: BLE001 - one section's failure must not cost the others
        section = Section(name.capitalize(), failure=f"{type(error).__name__}: {error}")
    section.how += _WHEN.format(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        small="" if amounts == PLAIN else ", a small run",
        busy=busy,
    )
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return section


def write(path: Path, sections: Mapping[str, Section]) -> None:
    """Write what was measured as JSON, and beside it as Markdown."""
    machine, versions = environments.machine(), environments.versions("core")
    found = {name: asdict(one) for name, one in sections.items()}
    whole = {"machine": machine, "versions": versions, "sections": found}
    text = "\n".join(_lines(sections, machine, versions)).rstrip() + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def _lines(
    sections: Mapping[str, Section], machine: str, versions: Mapping[str, str]
) -> Iterator[str]:
    yield from ("# Growth", "", f"{machine}. {_SMALL_PRINT}", "")
    yield from report.held_to(TARGETS, sections)
    for section in sections.values():
        yield from report.section_lines(section)
    yield from report.version_lines({"ours": versions})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything: a minute")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=[*SECTIONS],
        metavar="NAME",
        help=f"of {', '.join(SECTIONS)}",
    )
    parser.add_argument(
        "--most",
        type=int,
        default=max(PLAIN.texts),
        metavar="TEXTS",
        help="no load, by size, of more texts than these",
    )
    environments.add_output(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
