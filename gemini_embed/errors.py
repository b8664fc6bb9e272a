"""Every error gemini-embed raises. This module imports nothing of ours.

```
GeminiEmbedError
├─ ConfigurationError (ValueError)    no key, impossible dimension, ...: before any request
├─ InvalidInputError (ValueError)     which text, and why: before any request
├─ RequestError                       the service refused
│  ├─ AuthenticationError             the key or the credentials were not accepted
│  ├─ QuotaExceededError              429, after the last retry
│  │  └─ DailyQuotaError              the day's quota is spent; waiting minutes does not help
│  ├─ ServiceUnavailableError         5xx, broken connections, timeouts, after the last retry
│  └─ ModelNotFoundError              no such model at this address
│     └─ ModelRetiredError            Google has shut the model down; names the successor
├─ BadResponseError                   an answer with a wrong, missing or unreadable vector
│  └─ NoVectorError                   the service made no vector of one text or medium
├─ HookError                          the caller's `rate_limiter` or `on_retry` raised
└─ InternalError                      a fault of gemini-embed itself
```

All of them pickle, none of them holds a key or a response object, and an error
raised because of another keeps it as `__cause__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy import float32
    from numpy.typing import NDArray

E = TypeVar("E", bound="RequestError")


class GeminiEmbedError(Exception):
    """The base of every error of this project.

    Attributes:
        indexes: Positions, in the caller's list, of the texts this is about.
        partial: What was finished before the error: position -> vector, a float32
            array of shape (dimension,). Empty before the first answer.
    """

    def __init__(
        self,
        message: str,
        *,
        indexes: Sequence[int] = (),
        partial: Mapping[int, NDArray[float32]] | None = None,
    ) -> None:
        Exception.__init__(self, message)  # the next class may be the SDK's: see `sdk_errors`
        self.indexes: tuple[int, ...] = tuple(indexes)
        self.partial: dict[int, NDArray[float32]] = dict(partial or {})


class ConfigurationError(GeminiEmbedError, ValueError):
    """The embedder or the call is set up in a way that cannot work."""


class InvalidInputError(GeminiEmbedError, ValueError):
    """A text cannot be embedded. Nothing was sent.

    Attributes:
        index: Position of the first such text in the caller's list; None only where the error
            was made from its message alone.
        reason: What is wrong with it, for instance `"blank"`.
    """

    def __init__(self, message: str, index: int | None = None, reason: str = "") -> None:
        super().__init__(message, indexes=() if index is None else (index,))
        self.args = (message, index, reason)  # all it takes to make it again
        self.index = index
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class RequestError(GeminiEmbedError):
    """The service refused a request, or could not be reached.

    Where Google's SDK raised an error for it, this one is an instance of that class as well
    (`google.genai.errors.ClientError` or `ServerError`), with its `code` and its `details`.

    Attributes:
        status: HTTP status, or None where no answer came. The SDK calls it `code`, which it has
            as well, and calls `status` what is `reason` here.
        reason: Google's status name, for instance `"INVALID_ARGUMENT"`.
        message: What the service said, word for word.
        retry_after: Seconds the service asked to wait, or None.
    """

    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str | None = None,
        service_message: str = "",
        indexes: Sequence[int] = (),
    ) -> None:
        super().__init__(message, indexes=indexes)
        self.status = status
        self.reason = reason
        self.message = service_message

    def recast(self, error_class: type[E], message: str) -> E:
        """Return an error of another class with what the service said, and the same cause."""
        made = error_class(
            message, status=self.status, reason=self.reason, service_message=self.message
        )
        made.__cause__ = self.__cause__
        return made


class AuthenticationError(RequestError):
    """The key or the credentials were not accepted. The text says where the key came from."""


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


class DailyQuotaError(QuotaExceededError):
    """The day's quota is used up, or there is none at all.

    Attributes:
        resets_at: When it resets, at midnight Pacific time; None where the quota is zero.
    """

    resets_at: datetime | None = None


class ServiceUnavailableError(RequestError):
    """The service failed or could not be reached, every time it was tried."""


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


class HookError(GeminiEmbedError):
    """The caller's `rate_limiter` or `on_retry` raised; `__cause__` is what."""


class InternalError(GeminiEmbedError):
    """A fault of gemini-embed itself, or of what it stands on; `__cause__` is what was raised."""
