"""Every error gemini-embed raises. This module imports nothing of ours.

```
GeminiEmbedError
├─ ConfigurationError (ValueError)    no key, impossible dimension, ...: before any request
├─ InvalidInputError (ValueError)     which text or medium, and why: before it is sent
│  └─ TextTooLongError                a text that the model would not read to its end
├─ RequestError                       the service refused
│  ├─ AuthenticationError             the key or the credentials were not accepted
│  ├─ QuotaExceededError              429, after the last retry
│  │  └─ DailyQuotaError              the day's quota is spent; waiting minutes does not help
│  ├─ ServiceUnavailableError         5xx, broken connections, timeouts, after the last retry
│  └─ ModelNotFoundError              no such model at this address
│     └─ ModelRetiredError            Google has shut the model down; names the successor
├─ BadResponseError                   an answer with a wrong, missing or unreadable vector
│  └─ NoVectorError                   the service made no vector of one text or medium
├─ BatchError                         a run of the Batch API; says which
│  ├─ BatchPendingError               it is not over: wait longer, or come back later
│  ├─ BatchFailedError                texts have no vector, and why
│  ├─ BatchCancelledError             it was cancelled
│  ├─ BatchLeaseError                 another process has taken it over
│  └─ BatchDamagedError               what is written down of it cannot be read
├─ HookError                          your `rate_limiter`, `on_retry` or `on_progress` raised
└─ InternalError                      a fault of gemini-embed itself
```

All of them pickle, none of them holds a key or a response object, and an error
raised because of another keeps it as `__cause__`.

An error is whole when it is made: its text is composed from its fields, and nobody changes it
later. Whoever knows more of it makes another, by `with_context`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from numpy import float32
    from numpy.typing import NDArray

E = TypeVar("E", bound="GeminiEmbedError")
R = TypeVar("R", bound="RequestError")

_LISTED = 20
"""Positions that a message names; `indexes` has them all."""


@dataclass(eq=False, repr=False, kw_only=True)
class GeminiEmbedError(Exception):
    """The base of every error of this project.

    Attributes:
        summary: What happened. `str()` adds to it what the other fields say.
        indexes: Positions, in the caller's list, of the texts this is about.
        partial: What was finished before the error: position -> vector, a float32
            array of shape (dimension,). Empty before the first answer.
        total: How many texts the call had, or a stream had read; 0 where the error belongs to
            none.
        attempts: How often the request was sent; 0 where that is not what failed.
        one_by_one: Whether the service rejected each of these texts on its own. The summary is
            then about the first.
        deadline_passed: Whether the call ended because its `deadline` passed.
        handed_over: How many texts a stream had handed over with their vectors, from its first on;
            they are not in `partial`. 0 of a call that is no stream.
    """

    summary: str = field(kw_only=False)
    indexes: tuple[int, ...] = ()
    partial: dict[int, NDArray[float32]] = field(default_factory=dict)
    total: int = 0
    attempts: int = 0
    one_by_one: bool = False
    deadline_passed: bool = False
    handed_over: int = 0

    def __post_init__(self) -> None:
        Exception.__init__(self, self._text())  # the next class may be the SDK's: see `sdk_errors`

    def with_context(self, **more: Any) -> Self:
        """Return this error with other values in some fields, and the text that they make.

        It has the same cause, traceback and notes.
        """
        return remade(self, type(self), **more)

    def _text(self) -> str:
        late = "the deadline passed; " if self.deadline_passed else ""
        notes = self._notes()
        bracket = f" ({'; '.join(notes)})" if notes else ""
        return f"{late}{self.summary}{bracket}{self._rejected()}{self._finished()}"

    def _notes(self) -> list[str]:
        """Return what stands in brackets behind the summary."""
        notes = []
        if self.indexes and self.total > 1:
            notes.append(_named(self.indexes[:1] if self.one_by_one else self.indexes))
        if self.attempts > 1:
            notes.append(f"tried {self.attempts} times")
        return notes

    def _rejected(self) -> str:
        if not self.one_by_one or len(self.indexes) == 1:
            return ""
        listed = ", ".join(map(str, self.indexes[:_LISTED]))
        others = len(self.indexes) - _LISTED
        return f"; rejected in all: texts {listed}" + (f" and {others} more" if others > 0 else "")

    def _finished(self) -> str:
        if self.total <= 1:
            return ""
        return f"; {self._count_finished()} of {self.total} texts were finished"

    def _count_finished(self) -> int:
        return self.handed_over + len(self.partial)


def remade(error: GeminiEmbedError, error_class: type[E], **changes: Any) -> E:
    """Return an error of a class made from the fields of another, some of them changed."""
    known = {one.name: getattr(error, one.name) for one in fields(error)}
    made = error_class(**{**known, **changes})
    made.__cause__ = error.__cause__
    made.__suppress_context__ = error.__suppress_context__
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made.with_traceback(error.__traceback__)


def number_of(count: int, what: str) -> str:
    """Return so many of something in words: `1 text`, `2 texts`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def described(error: BaseException) -> str:
    """Return what an error of others is."""
    return f"{type(error).__name__}: {error}"


def _named(indexes: tuple[int, ...]) -> str:
    if len(indexes) == 1:
        return f"text {indexes[0]}"
    return f"{len(indexes)} texts between {indexes[0]} and {indexes[-1]}"


class ConfigurationError(GeminiEmbedError, ValueError):
    """The embedder or the call is set up in a way that cannot work."""


@dataclass(eq=False, repr=False, kw_only=True)
class InvalidInputError(GeminiEmbedError, ValueError):
    """A text or a medium cannot be embedded. Nothing was sent.

    Only where a file changes or goes while a call runs, others of its list were.

    Attributes:
        index: Position of the first such item in the caller's list; None where a `Media` is refused
            as it is made.
        reason: What is wrong with it, for instance `"blank"`, `"not found"`, `"wrong format"`,
            `"too large"` or `"not taken by the service"`.
    """

    index: int | None = field(default=None, kw_only=False)
    reason: str = field(default="", kw_only=False)

    def __post_init__(self) -> None:
        if not self.indexes and self.index is not None:
            self.indexes = (self.index,)
        Exception.__init__(self, self._text(), self.index, self.reason)  # all to make it again

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(eq=False, repr=False, kw_only=True)
class TextTooLongError(InvalidInputError):
    """A text has more tokens than the model reads, and was not to be cut off.

    Raised before anything is sent where that is sure by the estimate or by counting; else once the
    service says that it cut the text off.

    Attributes:
        tokens: About how many it has; None where nobody counted.
        limit: How many the model reads.
    """

    tokens: int | None = None
    limit: int = 0


@dataclass(eq=False, repr=False, kw_only=True)
class RequestError(GeminiEmbedError):
    """The service refused a request, or could not be reached.

    Where Google's SDK raised an error for it, this one is an instance of that class as well
    (`google.genai.errors.ClientError` or `ServerError`), with its `code`.

    Attributes:
        status: HTTP status, or None where no answer came. The SDK calls it `code`, which it has
            as well, and calls `status` what is `reason` here.
        reason: Google's status name, for instance `"INVALID_ARGUMENT"`.
        message: What the service said, word for word.
        details: The body of the answer, as the SDK read it; None where no answer came.
        retry_after: Seconds the service asked to wait, or None.
    """

    status: int | None = None
    reason: str | None = None
    message: str = ""
    details: Any = None
    retry_after: float | None = None

    def recast(self, error_class: type[R], **changes: Any) -> R:
        """Return an error of another class with all that is known of this one."""
        return remade(self, error_class, **changes)


class AuthenticationError(RequestError):
    """The key or the credentials were not accepted. The text says where the key came from."""


@dataclass(eq=False, repr=False, kw_only=True)
class QuotaExceededError(RequestError):
    """The service's quota is used up.

    Attributes:
        quota_id: Google's name of the quota, or None.
        quota_value: Its size, or None.
        can_pass: Whether waiting may help. False where credits are spent or billing is off.
    """

    quota_id: str | None = None
    quota_value: int | None = None
    can_pass: bool = True


@dataclass(eq=False, repr=False, kw_only=True)
class DailyQuotaError(QuotaExceededError):
    """The day's quota is used up, or there is none at all.

    The service said so, or it is known without asking: `status` is None then.

    Attributes:
        resets_at: When it resets, at midnight Pacific time; None where the quota is zero.
    """

    resets_at: datetime | None = None

    def _notes(self) -> list[str]:
        if self.resets_at is None:
            return super()._notes()
        reset = f"the day's quota resets at midnight Pacific, {self.resets_at:%Y-%m-%d %H:%M %Z}"
        return [reset, *super()._notes()]

    def _finished(self) -> str:
        finished = super()._finished()
        return finished and f"{finished}, {self.total - self._count_finished()} left"


class ServiceUnavailableError(RequestError):
    """The service failed or could not be reached, every time it was tried."""


@dataclass(eq=False, repr=False, kw_only=True)
class ModelNotFoundError(RequestError):
    """The service does not know the model.

    Attributes:
        model: The model asked for.
        backend: `"gemini"` or `"vertex"`.
        region: Vertex AI location, or None.
    """

    model: str = ""
    backend: str = "gemini"
    region: str | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class ModelRetiredError(ModelNotFoundError):
    """Google has shut the model down.

    Attributes:
        successor: The model to move to. Vectors of two models cannot be mixed: an
            index must be embedded again.
    """

    successor: str | None = None


class BadResponseError(GeminiEmbedError):
    """The service answered 200 with something that is not the vectors asked for."""


class NoVectorError(BadResponseError):
    """The service answered, but made no vector of this text or medium.

    Google does so, for instance, with a film that is declared as sound. Asking again does not
    help. Its neighbours have their vectors.
    """


@dataclass(eq=False, repr=False, kw_only=True)
class BatchError(GeminiEmbedError):
    """A run of the Batch API cannot go on here, or has no result.

    Attributes:
        run: Its id; `batch_resume` goes on with it.
    """

    run: str = ""


class BatchPendingError(BatchError):
    """The run is not over. `wait` longer, or `batch_resume` it later."""


class BatchFailedError(BatchError):
    """Texts of the run have no vector: `indexes` says which.

    The others are in `partial`, and in the cache: to embed the same texts online pays for the
    missing ones only.
    """


class BatchCancelledError(BatchError):
    """The run was cancelled. What was finished by then is in `partial`, and in the cache."""


class BatchLeaseError(BatchError):
    """Another process has taken the run over while this one was held up, and works it now."""


class BatchDamagedError(BatchError):
    """What the cache's file, or one beside it, holds of the run is not what was written there.

    Other runs are not concerned. `clean` stops its jobs and forgets it. Vectors that are in the
    cache stay. Where a file with texts or media is damaged, `indexes` says of which item, if that
    is known, and to embed the same items again mends it.
    """


class HookError(GeminiEmbedError):
    """The caller's `rate_limiter`, `on_retry` or `on_progress` raised; `__cause__` is what."""


class InternalError(GeminiEmbedError):
    """A fault of gemini-embed itself, or of what it stands on; `__cause__` is what was raised."""
