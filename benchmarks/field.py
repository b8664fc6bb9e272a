"""Who takes part, and the standing workers they run in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.contestants import Settings
from benchmarks.processes import Broken, Server, Worker
from benchmarks.texts import BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.sizes import Sizes

Mode = Literal["sync", "async"]


@dataclass(frozen=True)
class Entry:
    """One way to embed.

    Attributes:
        label: In tables.
        kind: Of contestant; see `benchmarks.contestants`.
        mode: Sync or async.
        concurrency: Requests at once; None for the contestant's own default.
        rival: Label of the one it is held against.
    """

    label: str
    kind: str
    mode: Mode
    concurrency: int | None = None
    rival: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is part of this project."""
        return self.kind in OURS


OURS = ("core", "langchain", "llamaindex")
BARE = "bare SDK, async, 8 at once"
_BARE_30 = "bare SDK, async, 30 at once"

ENTRIES = (
    Entry(BARE, "bare", "async", 8),
    Entry(_BARE_30, "bare", "async", 30),
    Entry("bare SDK 2.x, async, 8 at once", "bare-2", "async", 8),
    Entry("LangChain official, sync", "langchain-official", "sync"),
    Entry("LangChain official, async", "langchain-official", "async"),
    Entry("LlamaIndex official, sync", "llamaindex-official", "sync"),
    Entry("LlamaIndex official, async", "llamaindex-official", "async"),
    Entry("our core, sync", "core", "sync", rival=BARE),
    Entry("our core, async", "core", "async", rival=BARE),
    Entry("our core, async, 30 at once", "core", "async", 30, _BARE_30),
    Entry("our LangChain, sync", "langchain", "sync", rival="LangChain official, sync"),
    Entry("our LangChain, async", "langchain", "async", rival="LangChain official, async"),
    Entry("our LlamaIndex, sync", "llamaindex", "sync", rival="LlamaIndex official, sync"),
    Entry("our LlamaIndex, async", "llamaindex", "async", rival="LlamaIndex official, async"),
    Entry(
        "our LlamaIndex, async, 30 at once",
        "llamaindex",
        "async",
        30,
        "LlamaIndex official, async",
    ),
)

STANDARD = tuple(entry for entry in ENTRIES if entry.concurrency != 30)  # noqa: PLR2004 - the variant
ASYNC = tuple(entry for entry in STANDARD if entry.mode == "async")
LARGE = tuple(entry for entry in STANDARD if entry.kind == "bare" or entry.mode == "sync")
"""For memory: sync, except the bare SDK, which has no concurrent sync side."""
OWN = tuple(entry for entry in STANDARD if entry.is_ours)
INTEGRATIONS = tuple(entry for entry in STANDARD if not entry.kind.startswith("bare"))


def settings(entry: Entry, url: str, *, dimension: int | None = None, **options: Any) -> Any:
    """Return the settings of a contestant, as a job carries them."""
    given = Settings(
        base_url=url,
        dimension=dimension,
        concurrency=entry.concurrency,
        options=options if entry.is_ours else {},
    )
    return asdict(given)


class Crew:
    """One standing worker for each kind of contestant and mode, so that repeats find it warm."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, Mode], Worker] = {}
        self._start = 0

    def gather(self, entries: Sequence[Entry]) -> None:
        """Start the workers that are missing, and let each load all it needs."""
        missing = {
            (entry.kind, entry.mode): entry
            for entry in entries
            if (entry.kind, entry.mode) not in self._workers
        }
        if not missing:
            return
        for key in missing:
            self._workers[key] = Worker(key[0])
        with Server() as server, ThreadPoolExecutor(len(missing)) as pool:
            list(pool.map(lambda entry: self._warm(entry, server.url), missing.values()))

    def _warm(self, entry: Entry, url: str) -> None:
        self.measure(entry, {"op": "embed", "settings": settings(entry, url), "count": BATCH})

    def try_out(self, entry: Entry, job: dict[str, Any], timeout: float = 120.0) -> dict[str, Any]:
        """Give a job to the entry's worker; its `error` is None or says what went wrong.

        Without a `start` in the job, its texts are ones that nobody has seen before.
        """
        self._start += job["count"]
        whole = {"mode": entry.mode, "start": self._start, **job}
        try:
            answer: dict[str, Any] = self._workers[entry.kind, entry.mode].ask(whole, timeout)
        except Broken as broken:
            self._workers.pop((entry.kind, entry.mode)).close()
            answer = {"error": str(broken)}
        return answer

    def measure(self, entry: Entry, job: dict[str, Any]) -> dict[str, Any]:
        """Do the same where nothing may go wrong.

        Raises:
            Broken: The worker died, or the job failed.
        """
        answer = self.try_out(entry, job)
        if answer["error"] is not None:
            raise Broken(f"{entry.label}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers.values():
            worker.close()


@dataclass(frozen=True)
class Bench:
    """What every section is given."""

    sizes: Sizes
    crew: Crew
