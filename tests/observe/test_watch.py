"""What whoever watches a call is told of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from virtual import Service, engine, request

from gemini_embed.errors import GeminiEmbedError, ServiceUnavailableError
from gemini_embed.observe.events import (
    Answered,
    Ended,
    Event,
    Failed,
    Placed,
    Recalled,
    Retry,
    Sent,
    Waiting,
)
from gemini_embed.observe.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gemini_embed import GeminiEmbedder


class Notes(list[Event]):
    """All that happened, in order."""

    def __init__(self, *kinds: type[Event]) -> None:
        super().__init__()
        self.sees: Sequence[type[Event]] = kinds

    def __call__(self, event: Event) -> None:
        self.append(event)


def watched(service: Service, texts: list[str], **options: Any) -> Notes:
    notes = Notes(Sent, Answered, Failed, Retry, Waiting, Recalled, Placed, Ended)

    async def main() -> None:
        await engine(service, observers=[notes], **options).embed(*request(texts))

    virtual.run(main())
    return notes


def test_each_request_is_told_once_and_never_each_text() -> None:
    """250 texts are three requests, three answers, and three times that vectors came."""
    notes = watched(Service(), [f"{i:x}" for i in range(250)])

    assert Counter(map(type, notes)) == {Sent: 3, Answered: 3, Placed: 3, Ended: 1}
    assert sorted(note.texts for note in notes if isinstance(note, Placed)) == [50, 100, 100]
    assert notes[-1] == Ended()


def test_what_went_wrong_and_what_was_waited_for_is_told() -> None:
    """In the order in which it happened, with the attempt and the seconds."""
    outcomes = iter([ServiceUnavailableError("503", retry_after=7.0)])
    service = Service(trouble=lambda _: next(outcomes, (0.25, 0.25)))

    notes = watched(service, ["a", "b", "a"])

    assert [type(note) for note in notes] == [
        *(Sent, Failed, Retry, Waiting),
        *(Sent, Answered, Placed, Ended),
    ]
    sent, failed, retry, waiting, again, answered, placed, _ = notes
    assert (sent, again) == (Sent(2, 1), Sent(2, 2))
    assert isinstance(failed, Failed)
    assert (failed.texts, failed.attempt) == (2, 1)
    assert isinstance(failed.error, ServiceUnavailableError)
    assert isinstance(retry, Retry)
    assert (retry.wait, retry.indexes) == (7.0, (0, 1, 2))
    assert isinstance(waiting, Waiting)
    assert (waiting.seconds, waiting.done, waiting.total) == (7.0, 0, 3)
    assert (answered, placed) == (Answered(2, 2, 0.5, None), Placed(3))


def test_the_end_is_told_where_a_call_fails_too() -> None:
    """Whoever holds something for the call, as a progress bar does, lets go of it."""
    notes = Notes(Ended)
    failing = Service(trouble=lambda _: ServiceUnavailableError("503"))

    async def main() -> None:
        made = engine(failing, observers=[notes])
        with pytest.raises(GeminiEmbedError):
            await made.embed(*request(["a"], max_retries=0))

    virtual.run(main())

    assert notes == [Ended()]


def test_what_was_found_in_the_cache_is_told(
    embedder: Callable[..., GeminiEmbedder], tmp_path: Path
) -> None:
    """Nothing is sent for it."""
    made = embedder(cache=tmp_path / "vectors")
    made.embed(["a", "b"], role="document")
    assert made._engine is not None
    notes = Notes(Sent, Recalled, Placed)
    made._engine._observers = [notes]

    made.embed(["b", "a", "b"], role="document")

    assert notes == [Recalled(2), Placed(3)]


class Counted(Placed):
    """A record that counts how many of its kind there are."""

    __slots__ = ()
    made = 0

    def __init__(self, texts: int) -> None:
        super().__init__(texts)
        Counted.made += 1


def test_no_record_is_made_that_nobody_sees() -> None:
    """Watching costs only where somebody watches."""
    Watch([Notes(Ended)]).tell(Counted, 3)
    assert Counted.made == 0

    Watch([Notes(Counted)]).tell(Counted, 3)
    assert Counted.made == 1
