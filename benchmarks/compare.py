"""`python -m benchmarks.compare`: this project against the bare SDK and the official integrations.

Writes `comparison.md`, `comparison.png` and `comparison.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks import cached, environments, report, speed, traced, trouble
from benchmarks.field import Bench, Crew
from benchmarks.quotas.section import quotas
from benchmarks.results import Section
from benchmarks.sizes import FULL, PLAIN, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.sizes import Sizes

SECTIONS: dict[str, Callable[[Bench], Section]] = {
    "throughput": speed.throughput,
    "stall": speed.stall,
    "query": speed.query,
    "memory": speed.memory,
    "unknown-quota": trouble.unknown_quota,
    "known-quota": trouble.known_quota,
    "quotas": quotas,
    "storm": trouble.storm,
    "cache": cached.cache,
    "traces": traced.traces,
    "import": speed.imports,
    "first-call": speed.first_call,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; return the exit status: 0, met or not, if every section ran."""
    options = _parser().parse_args(argv)
    sizes = QUICK if options.quick else FULL if options.full else PLAIN
    environments.make_peers()
    bench, sections = Bench(sizes, Crew()), {}
    with contextlib.closing(bench.crew):
        for name in options.only:
            began = time.monotonic()
            sections[name] = _run(name, bench)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    _write(options.output, sections, sizes)
    return int(any(section.failure for section in sections.values()))


def _run(name: str, bench: Bench) -> Section:
    try:
        return SECTIONS[name](bench)
    except Exception as error:  # noqa: BLE001 - one section's failure must not cost the others
        return Section(
            name.replace("-", " ").capitalize(), failure=f"{type(error).__name__}: {error}"
        )


def _write(folder: Path, sections: dict[str, Section], sizes: Sizes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = report.About(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=environments.machine(),
        versions={
            "ours": environments.versions("core"),
            "official": environments.versions("bare-2"),
        },
        repeats=sizes.repeats,
        is_small=sizes == QUICK,
    )
    text = report.markdown(sections, about)
    results = asdict(about) | {
        "sizes": asdict(sizes),
        "sections": {name: asdict(section) for name, section in sections.items()},
    }
    (folder / "comparison.md").write_text(text, encoding="utf-8")
    (folder / "comparison.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(text)


def _names(value: str) -> list[str]:
    names = value.split(",")
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(unknown)}; one of {', '.join(SECTIONS)}"
        )
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--quick", action="store_true", help="little of everything: two minutes")
    how_much.add_argument(
        "--full", action="store_true", help="the known quota too, and more queries"
    )
    parser.add_argument(
        "--only",
        type=_names,
        default=list(SECTIONS),
        metavar="NAME[,NAME]",
        help=", ".join(SECTIONS),
    )
    environments.add_output(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
