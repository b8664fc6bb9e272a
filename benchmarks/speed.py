"""Sections about a service that works: throughput, stalls, single queries, memory, start-up."""

from __future__ import annotations

from collections import defaultdict
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks import environments
from benchmarks.field import ASYNC, BARE, ENTRIES, LARGE, OURS, STANDARD, Bench, Entry, settings
from benchmarks.processes import Broken, Server, Worker
from benchmarks.results import Bars, Duel, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

_WARM_UP = 200
_MEGABYTE = 1_000_000
_ALLOWANCE = 150 * _MEGABYTE
_IMPORTS = (
    # framework, whose environment, module, class, what it is
    ("LangChain", "langchain", "langchain_core.embeddings", "Embeddings", "base class"),
    ("LangChain", "langchain", "langchain_gemini_embed", "GeminiEmbeddings", "our adapter"),
    (
        "LangChain",
        "langchain-official",
        "langchain_google_genai",
        "GoogleGenerativeAIEmbeddings",
        "official integration",
    ),
    ("LlamaIndex", "llamaindex", "llama_index.core.embeddings", "BaseEmbedding", "base class"),
    ("LlamaIndex", "llamaindex", "llamaindex_gemini_embed", "GeminiEmbedding", "our adapter"),
    (
        "LlamaIndex",
        "llamaindex-official",
        "llama_index.embeddings.google_genai",
        "GoogleGenAIEmbedding",
        "official integration",
    ),
)


def throughput(bench: Bench) -> Section:
    """Texts a second at three latencies, and the processor time of a text."""
    rates: dict[float, dict[str, float]] = {}
    costs: dict[float, dict[str, float]] = {}
    sizes = bench.sizes
    bench.crew.gather(ENTRIES)
    for latency in sizes.latencies:
        with Server(latency=latency) as server:
            seconds, cpu = _rounds(bench, server.url)
        rates[latency] = {label: sizes.texts / median(s) for label, s in seconds.items()}
        costs[latency] = {label: median(c) / sizes.texts * 1000 for label, c in cpu.items()}
    section = Section(
        "Throughput and processor time",
        f"{sizes.texts:,} texts, 3072 dimensions, 100 texts a request. In brackets: times the "
        "contestant it stands in for (the official integration; for the core, the bare SDK with "
        "as many requests at once). Processor time includes all threads.",
    )
    rows = []
    for entry in ENTRIES:
        cells = [
            _beside(rates[latency], entry, ".0f", more_is_better=True)
            for latency in sizes.latencies
        ]
        cost = _against(costs[0.0], entry.label, BARE, ".3f")
        rows.append((entry.label, *cells, cost))
    heads = tuple(f"texts/s, {latency * 1000:.0f} ms" for latency in sizes.latencies)
    section.tables.append(
        Table(
            "Texts a second, and milliseconds of processor time a text at 0 ms (times the bare "
            "SDK's)",
            ("", *heads, "CPU ms/text"),
            rows,
        )
    )
    for latency in sizes.latencies:
        name = f"texts/s at {latency * 1000:.0f} ms"
        section.bars.append(Bars(name, rates[latency]))
        section.duels += _duels(name, rates[latency], ENTRIES, more_is_better=True)
    section.bars.append(Bars("CPU ms per text, 0 ms", costs[0.0]))
    section.duels += [
        Duel("CPU ms per text", entry.label, BARE, costs[0.0][entry.label], costs[0.0][BARE], False)
        for entry in ENTRIES
        if entry.is_ours
    ]
    section.figures |= _speed_figures(rates, costs[0.0])
    return section


def _rounds(bench: Bench, url: str) -> tuple[dict[str, list[float]], ...]:
    """Warm everybody up, then let them run in turns."""
    seconds: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for entry in ENTRIES:
        job = {"op": "embed", "settings": settings(entry, url), "count": _WARM_UP}
        bench.crew.measure(entry, job)
    for _ in range(bench.sizes.repeats):
        for entry in ENTRIES:
            job = {"op": "embed", "settings": settings(entry, url), "count": bench.sizes.texts}
            answer = bench.crew.measure(entry, job)
            seconds[entry.label].append(answer["seconds"])
            cpu[entry.label].append(answer["cpu"])
    return seconds, cpu


def _speed_figures(
    rates: dict[float, dict[str, float]], cost: dict[str, float]
) -> dict[str, float]:
    slow, instant = rates[0.3], rates[0.0]

    def over(ours: str, theirs: str) -> float:
        return slow[ours] / slow[theirs]

    figures = {
        "langchain-sync": over("our LangChain, sync", "LangChain official, sync"),
        "langchain-async": over("our LangChain, async", "LangChain official, async"),
        "llamaindex-sync": over("our LlamaIndex, sync", "LlamaIndex official, sync"),
        "llamaindex-async": over("our LlamaIndex, async, 30 at once", "LlamaIndex official, async"),
    }
    for product in OURS:
        labels = [entry.label for entry in STANDARD if entry.kind == product]
        figures[f"zero-{product}"] = min(instant[label] for label in labels) / instant[BARE]
        figures[f"cpu-{product}"] = max(cost[label] for label in labels) / cost[BARE]
    return figures


def _turns(bench: Bench, each: Sequence[T]) -> Iterator[tuple[T, bool]]:
    """Return each in turn, as often as is measured, and whether it counts.

    The first time does not: it finds files on disk, not in memory, and no connection.
    """
    for number in range(bench.sizes.repeats + 1):
        for one in each:
            yield one, number > 0


def stall(bench: Bench) -> Section:
    """How long an async call holds up the caller's own loop."""
    sizes = bench.sizes
    longest: dict[str, list[float]] = defaultdict(list)
    bench.crew.gather(ASYNC)
    with Server() as server:
        for entry, counts in _turns(bench, ASYNC):
            job = {
                "op": "embed",
                "settings": settings(entry, server.url),
                "count": sizes.texts if counts else _WARM_UP,
                "heartbeat": True,
            }
            answer = bench.crew.measure(entry, job)
            if counts:
                longest[entry.label].append(answer["stall"] * 1000)
    middle = {label: median(values) for label, values in longest.items()}
    section = Section(
        "Stalls of the caller's event loop",
        f"The longest time that a 1 ms heartbeat on the caller's loop is held up while "
        f"{sizes.texts:,} texts are embedded at 0 ms latency, after a first call.",
    )
    rows = [(e.label, _beside(middle, e, ".0f", more_is_better=False)) for e in ASYNC]
    section.tables.append(Table("Longest stall (in brackets: times better)", ("", "ms"), rows))
    section.duels += _duels("longest stall, ms", middle, ASYNC, more_is_better=False)
    section.figures |= {f"stall-{e.kind}": middle[e.label] for e in ASYNC if e.is_ours}
    return section


def query(bench: Bench) -> Section:
    """How long one query takes."""
    sizes = bench.sizes
    latencies: dict[str, list[float]] = defaultdict(list)
    bench.crew.gather(STANDARD)
    with Server() as server:
        for entry, counts in _turns(bench, STANDARD):
            job = {"op": "queries", "settings": settings(entry, server.url)}
            answer = bench.crew.measure(entry, job | {"count": sizes.queries if counts else 10})
            if counts:
                latencies[entry.label] += [value * 1000 for value in answer["latencies"]]
    p50 = {label: median(values) for label, values in latencies.items()}
    p99 = {label: quantiles(values, n=100)[98] for label, values in latencies.items()}
    section = Section(
        "A single query",
        f"{sizes.repeats} x {sizes.queries} queries, one after the other, at 0 ms latency.",
    )
    section.tables.append(
        Table(
            "Milliseconds (in brackets: times the bare SDK's)",
            ("", "p50", "p99"),
            [
                (entry.label, _against(p50, entry.label, BARE, ".2f"), f"{p99[entry.label]:.2f}")
                for entry in STANDARD
            ],
        )
    )
    section.duels += _duels("single query p50, ms", p50, STANDARD, more_is_better=False)
    section.duels += _duels("single query p99, ms", p99, STANDARD, more_is_better=False)
    section.figures["query"] = max(p50[e.label] for e in STANDARD if e.is_ours) - p50[BARE]
    return section


def memory(bench: Bench) -> Section:
    """The highest memory of a process that embeds many texts, each in a fresh one."""
    sizes = bench.sizes
    section = Section(
        "Peak memory",
        f"Resident memory of a fresh process, in MB: after imports and a first call, at its "
        f"highest while {sizes.memory_texts:,} texts are embedded, and what the result itself "
        "takes: a list of Python floats at 32 bytes a number, the core's float32 array at 4. "
        "One run.",
    )
    ratios: list[float] = []
    for dimension in sizes.memory_dimensions:
        with Server() as server:
            answers = {
                entry.label: _alone(entry, server.url, dimension, sizes.memory_texts)
                for entry in LARGE
            }
            ratios += [
                answers[entry.label]["peak"]
                / _alone(entry, server.url, dimension, sizes.memory_texts, fast_decode=False)[
                    "peak"
                ]
                for entry in LARGE
                if entry.is_ours
            ]
        rows, grown = [], {}
        for entry in LARGE:
            answer = answers[entry.label]
            grown[entry.label] = (answer["peak"] - answer["before"]) / _MEGABYTE
            parts = ("before", "peak", "returned")
            allowed = 1.2 * answer["returned"] + _ALLOWANCE
            numbers = [f"{answer[part] / _MEGABYTE:,.0f}" for part in parts]
            rows.append((entry.label, *numbers, f"{answer['peak'] / allowed:.2f}"))
        heads = ("", "before", "peak", "returned", "peak over (1.2 x returned + 150)")
        section.tables.append(Table(f"{dimension} dimensions", heads, rows))
        section.duels += _duels(
            f"memory on top, MB, {dimension} dimensions", grown, LARGE, more_is_better=False
        )
        if dimension == sizes.memory_dimensions[0]:
            section.figures["memory"] = max(float(row[-1]) for row in rows if _own_row(row))
    section.figures["memory-fast"] = max(ratios)
    return section


def _own_row(row: tuple[str, ...]) -> bool:
    return any(entry.label == row[0] and entry.is_ours for entry in LARGE)


def _alone(entry: Entry, url: str, dimension: int, count: int, **options: Any) -> dict[str, Any]:
    job = {
        "op": "embed",
        "mode": entry.mode,
        "settings": settings(entry, url, dimension=dimension, **options),
        "start": 0,
        "count": _WARM_UP,
    }
    with Worker(entry.kind) as worker:
        worker.ask(job, 120)
        answer: dict[str, Any] = worker.ask(job | {"start": _WARM_UP, "count": count}, 300)
    if answer["error"] is not None:
        raise Broken(f"{entry.label}: {answer['error']}")
    return answer


def imports(bench: Bench) -> Section:
    """How long imports take, each in a fresh interpreter."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (framework, kind, module, name, what), counts in _turns(bench, _IMPORTS):
        took = environments.import_seconds(kind, module, name)
        if counts:
            seconds[framework, what].append(took)
    middle = {key: median(values) for key, values in seconds.items()}
    section = Section("Import time", "Seconds, each in a fresh interpreter.")
    kinds = ("base class", "our adapter", "official integration")
    section.tables.append(
        Table(
            "Seconds to import",
            ("", *kinds),
            [
                (framework, *(f"{middle[framework, kind]:.2f}" for kind in kinds))
                for framework in ("LangChain", "LlamaIndex")
            ],
        )
    )
    for framework in ("LangChain", "LlamaIndex"):
        ours, theirs = middle[framework, kinds[1]], middle[framework, kinds[2]]
        names = (f"our {framework}", f"{framework} official")
        section.duels.append(Duel("import, s", *names, ours, theirs, False))
    section.figures["import"] = max(
        middle[framework, kinds[1]] - middle[framework, kinds[0]]
        for framework in ("LangChain", "LlamaIndex")
    )
    return section


def first_call(bench: Bench) -> Section:
    """How long the very first call holds up a loop that runs already."""
    took: dict[str, dict[str, list[float]]] = {
        part: defaultdict(list) for part in ("import", "stall", "call", "whole")
    }
    with Server() as server:
        for entry, counts in _turns(bench, ASYNC):
            job = {"op": "first-call", "settings": settings(entry, server.url)}
            with Worker(entry.kind) as worker:
                answer = worker.ask(job, 60)
            if answer["error"] is not None:
                raise Broken(f"{entry.label}: {answer['error']}")
            if not counts:
                continue
            answer["whole"] = answer["import"] + answer["call"]
            for part, values in took.items():
                values[entry.label].append(answer[part] * 1000)
    middle = {
        part: {label: median(values) for label, values in by_label.items()}
        for part, by_label in took.items()
    }
    section = Section(
        "First call",
        "In a fresh process whose loop runs and has imported the class: build it and embed one "
        "query. Ours loads the SDK then, on its own thread; for the others importing the class "
        "has loaded it already, so the last column adds the import.",
    )
    rows = [(e.label, *(f"{middle[part][e.label]:.0f}" for part in middle)) for e in ASYNC]
    heads = ("import", "longest stall of the loop", "until the vector", "import to vector")
    section.tables.append(Table("Milliseconds", ("", *heads), rows))
    named = {
        "stall": "first call's stall, ms",
        "call": "first call until the vector, ms",
        "whole": "import to first vector, ms",
    }
    for part, what in named.items():
        section.duels += _duels(what, middle[part], ASYNC, more_is_better=False)
    section.figures["first-call"] = max(middle["stall"][e.label] for e in ASYNC if e.is_ours)
    return section


def _duels(
    what: str, values: dict[str, float], entries: Sequence[Entry], *, more_is_better: bool
) -> list[Duel]:
    return [
        Duel(
            what, entry.label, entry.rival, values[entry.label], values[entry.rival], more_is_better
        )
        for entry in entries
        if entry.rival in values
    ]


def _beside(values: dict[str, float], entry: Entry, form: str, *, more_is_better: bool) -> str:
    """Return a value, and how many times better it is than the rival's."""
    value = values[entry.label]
    if entry.rival not in values:
        return f"{value:,{form}}"
    duel = Duel("", entry.label, entry.rival, value, values[entry.rival], more_is_better)
    return f"{value:,{form}} ({duel.times_better:.2f}x)"


def _against(values: dict[str, float], label: str, base: str, form: str) -> str:
    """Return a value, and how many times the base's it is."""
    if label == base:
        return f"{values[label]:{form}}"
    return f"{values[label]:{form}} ({values[label] / values[base]:.2f}x)"
