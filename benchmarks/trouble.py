"""Sections about a service that refuses: quotas and faults."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.field import INTEGRATIONS, OWN, Bench, Crew, Entry, settings
from benchmarks.processes import Server
from benchmarks.results import Section, Table
from benchmarks.texts import MODEL, TASK_TYPE, numbered
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_REFUSED = 429
_UNKNOWN_LIMIT = 300
_KNOWN_LIMIT = 600
_KNOWN_TEXTS = 1500
_KNOWN_WINDOW = 60.0
_STORM = {"503": 0.15, "500": 0.10, "reset": 0.05, "half": 0.05, "html": 0.05}
_STORM_RETRIES = 12
_TOGETHER = (
    "The contestants run at the same time, each against a stand-in of its own, since they mostly "
    "wait; one run."
)
_CLOSE = 1e-6
_SMALL = 128  # dimensions, where ten contestants share the machine and only waiting counts


@dataclass(frozen=True)
class _Trial:
    """What became of one contestant.

    Attributes:
        seconds: Until it returned or gave up.
        error: What it raised, or None.
        refused: Refused requests in each window, by the window's number.
        requests: All requests.
        wrong: Texts without their own vector.
    """

    seconds: float
    error: str | None
    refused: Counter[int]
    requests: int
    wrong: int

    @property
    def later_refusals(self) -> int:
        """The most refused requests in a window after the first."""
        return max((count for window, count in self.refused.items() if window), default=0)


def unknown_quota(bench: Bench) -> Section:
    """A quota that nobody told the client about, and a 429 that tells the delay only."""
    sizes = bench.sizes
    trials = _all_at_once(
        bench,
        INTEGRATIONS,
        lambda entry: _trial(
            bench.crew,
            entry,
            sizes.quota_texts,
            window=sizes.quota_window,
            dimension=_SMALL,
            server={
                "requests": _UNKNOWN_LIMIT,
                "window": sizes.quota_window,
                "silent_quota": True,
            },
        ),
    )
    ideal = _ideal(sizes.quota_texts, _UNKNOWN_LIMIT, sizes.quota_window)
    section = Section(
        "Unknown quota",
        f"{sizes.quota_texts:,} texts, {_SMALL} dimensions; the service takes {_UNKNOWN_LIMIT} in "
        f"any {sizes.quota_window:g} s, and a refusal tells only how long to wait. "
        f"Ideal: {ideal:g} s. {_TOGETHER}",
        tables=[_quota_table(trials, ideal)],
    )
    section.figures |= _quota_figures(
        trials, ideal, "unknown-quota", lambda trial: trial.later_refusals
    )
    return section


def known_quota(bench: Bench) -> Section:
    """A quota that the client was told."""
    if not bench.sizes.known_quota:
        return Section("Known quota", "Takes more than two minutes: only with --full.")
    trials = _all_at_once(
        bench,
        OWN,
        lambda entry: _trial(
            bench.crew,
            entry,
            _KNOWN_TEXTS,
            window=_KNOWN_WINDOW,
            dimension=_SMALL,
            server={"requests": _KNOWN_LIMIT, "window": _KNOWN_WINDOW},
            options={"requests_per_minute": _KNOWN_LIMIT},
        ),
    )
    ideal = _ideal(_KNOWN_TEXTS, _KNOWN_LIMIT, _KNOWN_WINDOW)
    section = Section(
        "Known quota",
        f"{_KNOWN_TEXTS:,} texts, {_SMALL} dimensions, with requests_per_minute={_KNOWN_LIMIT}; "
        f"the service takes as many in any {_KNOWN_WINDOW:g} s. Ideal: {ideal:g} s. "
        f"The official integrations have no such option. {_TOGETHER}",
        tables=[_quota_table(trials, ideal)],
    )
    section.figures |= _quota_figures(
        trials, ideal, "known-quota", lambda trial: trial.refused.total()
    )
    return section


def storm(bench: Bench) -> Section:
    """Four requests in ten fail; every vector is compared with the true one."""
    count = bench.sizes.storm_texts
    truth = _truth(count)
    with tempfile.TemporaryDirectory() as folder:

        def trial(entry: Entry) -> _Trial:
            return _trial(
                bench.crew,
                entry,
                count,
                server={"faults": _STORM, "seed": 1},
                options={"max_retries": _STORM_RETRIES},
                truth=truth,
                save=Path(folder) / f"{entry.kind}-{entry.mode}.npy",
            )

        trials = _all_at_once(bench, INTEGRATIONS, trial)
    shares = ", ".join(f"{share:.0%} {kind}" for kind, share in _STORM.items())
    rows = [
        (
            entry.label,
            f"{trial.seconds:.1f}",
            f"{trial.requests}",
            f"{count - trial.wrong:,}",
            trial.error or "done",
        )
        for entry, trial in trials.items()
    ]
    section = Section(
        "Fault storm",
        f"{count:,} texts; of the requests, {shares}. Ours with max_retries={_STORM_RETRIES}: with "
        "the default of 6, four failures in ten end one call of 50 requests in twelve. Every "
        f"vector is compared with the stand-in's own. {_TOGETHER}",
        tables=[Table("", ("", "seconds", "requests", "right vectors", "outcome"), rows)],
    )
    section.figures["storm"] = max(trial.wrong for entry, trial in trials.items() if entry.is_ours)
    return section


def _all_at_once(
    bench: Bench, entries: Sequence[Entry], trial: Callable[[Entry], _Trial]
) -> dict[Entry, _Trial]:
    bench.crew.gather(entries)
    with ThreadPoolExecutor(len(entries)) as pool:
        return dict(zip(entries, pool.map(trial, entries), strict=True))


def _trial(
    crew: Crew,
    entry: Entry,
    count: int,
    *,
    server: dict[str, Any],
    window: float = math.inf,
    dimension: int | None = None,
    options: dict[str, Any] | None = None,
    truth: np.ndarray[Any, Any] | None = None,
    save: Path | None = None,
) -> _Trial:
    """Let one contestant embed `count` texts once, against a server of its own."""
    with Server(keep_log=True, **server) as standin:
        job = {
            "op": "embed",
            "settings": settings(entry, standin.url, dimension=dimension, **(options or {})),
            "start": 0,
            "count": count,
            "save": str(save) if save else None,
        }
        answer = crew.try_out(entry, job, timeout=400)
        log = standin.log()
    began = min((at for at, _, _ in log), default=0.0)
    refused = Counter(int((at - began) // window) for at, _, status in log if status == _REFUSED)
    right = 0
    if answer["error"] is None:
        right = count if truth is None or save is None else _right(truth, save)
    return _Trial(
        seconds=answer.get("seconds", 0.0),
        error=answer["error"],
        refused=refused,
        requests=len(log),
        wrong=count - right,
    )


def _truth(count: int) -> np.ndarray[Any, Any]:
    standin = Standin("hash")
    return np.array(
        [standin.vector(text, TASK_TYPE, MODEL) for text in numbered(0, count)], np.float32
    )


def _right(truth: np.ndarray[Any, Any], saved: Path) -> int:
    """Count the texts that have their own vector."""
    vectors = np.load(saved)
    if vectors.shape != truth.shape:
        return 0
    return int((np.abs(vectors - truth).max(axis=1) < _CLOSE).sum())


def _ideal(count: int, limit: int, window: float) -> float:
    return window * (math.ceil(count / limit) - 1)


def _quota_table(trials: dict[Entry, _Trial], ideal: float) -> Table:
    rows = [
        (
            entry.label,
            f"{trial.seconds:.1f}" + ("" if trial.error else f" ({trial.seconds / ideal:.2f}x)"),
            f"{trial.requests}",
            f"{trial.refused[0]}",
            f"{trial.later_refusals}",
            trial.error or "done",
        )
        for entry, trial in trials.items()
    ]
    heads = ("", "seconds (times ideal)", "requests", "refused, 1st window")
    return Table("", (*heads, "refused, worst later window", "outcome"), rows)


def _quota_figures(
    trials: dict[Entry, _Trial],
    ideal: float,
    name: str,
    refusals: Callable[[_Trial], int],
) -> dict[str, float]:
    """Return the worst of ours; one that gave up has no time, and so no share of the ideal."""
    own = [trial for entry, trial in trials.items() if entry.is_ours]
    return {
        f"{name}-time": max(math.inf if trial.error else trial.seconds / ideal for trial in own),
        f"{name}-refused": max(refusals(trial) for trial in own),
    }
