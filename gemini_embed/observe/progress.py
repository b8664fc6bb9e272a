"""A progress bar, whose troubles cost no vector."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gemini_embed.durations import duration
from gemini_embed.observe.events import Ended, Placed, Waiting

if TYPE_CHECKING:
    from collections.abc import Generator

    from gemini_embed.observe.events import Event


class ProgressBar:
    """A bar of tqdm's on standard error; none where it cannot be drawn."""

    sees: tuple[type[Event], ...] = (Placed, Waiting, Ended)

    def __init__(self, total: int) -> None:
        self._bar: Any = None
        if sys.stderr is not None:  # as in a program without a console
            with suppress(Exception):
                self._bar = _bar(total)

    def __call__(self, event: Placed | Waiting | Ended) -> None:
        """Draw what has happened."""
        if self._bar is None:
            return
        with suppress(Exception):
            match event:
                case Placed(texts):
                    self._bar.set_postfix_str("", refresh=False)
                    self._bar.update(texts)
                case Waiting(seconds, quota=quota):
                    what = "for quota" if quota else "to try again"
                    self._bar.set_postfix_str(f"waiting {duration(max(1, round(seconds)))} {what}")
                case Ended():
                    self._bar.close()


@contextmanager
def drawn(total: int, *, wanted: bool) -> Generator[list[ProgressBar]]:
    """Draw a bar, if one is wanted, from now until the block ends: what is to be done, and 0 %."""
    bars = [ProgressBar(total)] if wanted else []
    try:
        yield bars
    finally:
        for bar in bars:
            bar(Ended())


class _Console:
    """Standard error, where a write that fails does not interrupt tqdm, which holds a lock then."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        with suppress(Exception):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(Exception):
            self._stream.flush()


def _bar(total: int) -> Any:
    kind = _kind()
    in_notebook = any(cls.__module__ == "tqdm.notebook" for cls in kind.__mro__)
    file = None if in_notebook else _Console(sys.stderr)
    return kind(total=total, desc="Generating embeddings", unit="text", file=file)


def _kind() -> type[Any]:
    """Return tqdm's class; without widgets its choice for notebooks only complains of that."""
    name = "tqdm.auto" if find_spec("ipywidgets") is not None else "tqdm"
    kind: type[Any] = import_module(name).tqdm
    return kind
