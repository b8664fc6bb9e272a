"""Finds secrets, and takes them out of texts and errors. No I/O but the environment.

Servers, gateways and proxies quote what they receive, and libraries quote servers. So every text
that may hold words of theirs passes through here last, when it is complete.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import wraps
from itertools import chain
from traceback import clear_frames
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pydantic import AfterValidator, PlainSerializer, SecretBytes, SecretStr, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

SHOWN = "[secret]"
"""What replaces a secret."""

_SHORTEST = 8
"""Characters. Google's keys are longer; a stand-in takes any, and "key" occurs in ordinary
words."""

_BEGINNING = 16
"""Characters by which a secret is known where a library cut its end off."""

_REST = r"[\w.~+/=%-]*"

_USER_INFO = re.compile(r"//[^/@\s]*@")
"""Name and password in an address."""

_WORDS = re.compile(r"[\s,;=\"]+")
"""Between the words of a header, such as `Bearer TOKEN` and `name=value; name=value`."""

_OF_CREDENTIALS = ("token", "refresh_token", "id_token", "client_secret")
"""Attributes of google-auth's credentials that a server may quote."""

_SECRET_ARGS = frozenset({"auth", "cookies", "headers", "params", "proxy_auth", "proxy_headers"})
"""Options of the HTTP libraries whose values all count as secrets."""

_PUBLIC_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "user-agent",
        "x-goog-api-client",
    }
)

_TRAFFIC = frozenset(
    {"_request", "_response", "doc", "history", "request", "request_info", "response"}
)
"""Attributes of errors that hold a request or an answer, headers included."""


class Secrets:
    """The secrets of a configuration, in every form in which they may appear.

    Args:
        values: The secrets themselves. Those so short that words hold them are left out.
    """

    def __init__(self, values: Iterable[str]) -> None:
        plain = {value for value in values if len(value) >= _SHORTEST}
        forms = {form for value in plain for form in _forms(value)}
        self._forms = sorted(forms, key=len, reverse=True)  # one may be a part of another
        beginnings = sorted({re.escape(v[:_BEGINNING]) for v in plain if len(v) > _BEGINNING})
        self._cut_off = re.compile(f"(?:{'|'.join(beginnings)}){_REST}") if beginnings else None

    def without(self, value: T) -> T:
        """Return a value with every secret replaced: a text, bytes, or what holds them."""
        replaced: T = self._replaced(value)
        return replaced

    def _replaced(self, value: Any) -> Any:
        match value:
            case str():
                return self._without(value)
            case bytes() | bytearray():
                return self._without(value.decode("latin-1")).encode("latin-1")
            case dict():
                return {self._replaced(k): self._replaced(v) for k, v in value.items()}
            case tuple() if hasattr(value, "_fields"):
                return type(value)(*map(self._replaced, value))
            case list() | tuple() | set() | frozenset():
                return type(value)(map(self._replaced, value))
            case _:
                return value

    def _without(self, text: str) -> str:
        text = _USER_INFO.sub("//", text)
        for form in self._forms:
            text = text.replace(form, SHOWN)
        return text if self._cut_off is None else self._cut_off.sub(SHOWN, text)

    def cleaned(self, error: BaseException) -> BaseException:
        """Return an error, and its causes, without secrets: the same object, or a substitute.

        The error is changed in place. It is somebody else's, and only so keeps its class: nobody
        knows how to make another of it.

        The variables of the frames that it passed are cleared: those of the SDK and of its HTTP
        libraries hold keys and headers, and tools print them.
        """
        _forget_frames(error)
        return self._cleaned(error, {})

    def _cleaned(self, error: BaseException, done: dict[int, BaseException]) -> BaseException:
        if id(error) in done:
            return done[id(error)]
        clean = done[id(error)] = self._redacted(error, done)
        cause, context = error.__cause__, error.__context__
        hides_context = error.__suppress_context__
        clean.__cause__ = None if cause is None else self._cleaned(cause, done)
        clean.__context__ = None if context is None else self._cleaned(context, done)
        clean.__suppress_context__ = hides_context
        return clean

    def _redacted(self, error: BaseException, done: dict[int, BaseException]) -> BaseException:
        """Return the error with its secrets replaced, or a substitute where that fails."""
        text = _text_of(error)
        if isinstance(error, UnicodeError | ValidationError):  # they hold the data they refused
            return self._substitute(error, text)
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                self._cleaned(one, done)
        for name, value in vars(error).items():
            vars(error)[name] = None if name in _TRAFFIC else self.without(value)
        try:
            error.args = self.without(error.args)
            shown = f"{error} {error!r} {error.args!r} {vars(error)!r}"
        except Exception:  # noqa: BLE001 - its own `__str__` may need what was replaced
            return self._substitute(error, text)
        return error if self.without(shown) == shown else self._substitute(error, text)

    def _substitute(self, error: BaseException, text: str) -> Exception:
        """Return an error of the same name that holds its text, and nothing else."""
        name = type(error).__name__
        substitute = type(name, (Exception,), {"__module__": type(error).__module__})
        made: Exception = substitute(self.without(text))
        return made.with_traceback(error.__traceback__)


def _forget_frames(error: BaseException, before: BaseException | None = None) -> None:
    """Clear the variables of every frame that an error and its causes passed.

    `before` is the error that the caller was handling already: its frames are not ours.
    """
    todo, done = [error], {id(before)}
    while todo:
        one = todo.pop()
        if id(one) in done:
            continue
        done.add(id(one))
        clear_frames(one.__traceback__)
        todo += [other for other in (one.__cause__, one.__context__) if other is not None]
        todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def forgetful(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that takes secrets: its errors leave it without its variables.

    Tools print the variables of every frame beside an error: `pytest -l`, Sentry, rich.
    """

    @wraps(function)
    def wrapper(*args: P.args, **options: P.kwargs) -> T:
        before = sys.exception()
        try:
            return function(*args, **options)
        except BaseException as error:
            del args, options
            _forget_frames(error, before)
            del before
            raise

    return wrapper


def revealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their secrets in clear, for the one call that needs them."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in options.items()
    }


class Url(str):
    """An address whose repr shows neither name and password nor the query."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(shown_url(self))


def shown_url(url: str) -> str:
    """Return an address as it may be shown: without name, password, query and fragment."""
    return _USER_INFO.sub("//", re.split(r"[?#]", url, maxsplit=1)[0])


ShownUrl = Annotated[str, AfterValidator(Url), PlainSerializer(shown_url, return_type=str)]
"""For a pydantic field: an address that works, and is shown and dumped without its secrets."""


def of_sdk_client(client: Any) -> Iterator[str]:
    """Yield the secrets that the SDK's client holds now; there is no public way to them."""
    inner = getattr(client, "_api_client", None)
    yield from _strings(getattr(inner, "api_key", None))
    yield from of_credentials(getattr(inner, "_credentials", None))
    options = getattr(inner, "_http_options", None)
    yield from of_headers(getattr(options, "headers", None))
    yield from of_url(getattr(options, "base_url", None))
    for name in ("client_args", "async_client_args"):
        yield from of_client_args(getattr(options, name, None))
    for name in ("aiohttp_client", "httpx_async_client"):
        yield from of_headers(getattr(getattr(options, name, None), "headers", None))


def of_headers(headers: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the values of headers, and the tokens and passwords in them."""
    for name, held in (headers or {}).items():
        for value in _strings(held) if name.lower() not in _PUBLIC_HEADERS else ():
            yield value
            for word in _WORDS.split(value):
                yield word
                yield from _of_basic(word)


def of_url(url: str | None) -> Iterator[str]:
    """Yield user, password and query of an address."""
    try:
        parts = urlsplit(url if url and "//" in url else f"//{url or ''}")
        user, password = parts.username, parts.password
    except ValueError:  # not an address: the check of the option refuses it
        return
    for one in (user, password):
        yield from (one, unquote(one)) if one else ()
    if parts.query:
        yield parts.query
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            yield value or name
    if user and password:
        yield _basic(unquote(user), unquote(password))


def of_client_args(options: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the secrets in the options of an HTTP library: its headers, proxies and passwords."""
    for name, value in (options or {}).items():
        yield from chain.from_iterable(map(of_url, _strings(value)))
        secret = value if name in _SECRET_ARGS else getattr(value, "auth", None)
        yield from of_headers(secret if isinstance(secret, Mapping) else {name: secret})
        match secret:
            case [str() as user, str() as password]:
                yield _basic(user, password)


def of_credentials(credentials: Any) -> Iterator[str]:
    """Yield the tokens that credentials of google-auth hold now."""
    for name in _OF_CREDENTIALS:
        yield from _strings(getattr(credentials, name, None))


def _text_of(error: BaseException) -> str:
    """Return an error's text; pydantic's without the values, which it quotes whole or in part."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    places = (".".join(map(str, one["loc"])) for one in faults)
    return "; ".join(f"{place}: {one['msg']}" for place, one in zip(places, faults, strict=True))


def _forms(secret: str) -> set[str]:
    """Return a secret as it stands in a text, an address, JSON, a repr and base64."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    percent = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {
        secret,
        *percent,
        *(re.sub("%..", lambda code: code[0].lower(), form) for form in percent),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        encoded,
        encoded.translate(str.maketrans("+/", "-_")),
    }


def _strings(value: Any) -> Iterator[str]:
    """Yield all strings inside a value, however deep, and inside httpx's own objects."""
    match value:
        case None | bool() | int() | float():
            return
        case str():
            yield value
        case bytes():
            yield value.decode("latin-1")
        case SecretStr() | SecretBytes():
            yield from _strings(value.get_secret_value())
        case Mapping():
            yield from chain.from_iterable(map(_strings, value.values()))
        case Sequence() | AbstractSet():
            yield from chain.from_iterable(map(_strings, value))
        case _ if type(value).__module__.partition(".")[0] in {"httpx", "httpx2"}:
            yield str(value)
            yield from _strings(getattr(value, "__dict__", None))


def _of_basic(word: str) -> Iterator[str]:
    """Yield user and password where a word is both of them in base64, as in `Basic WORD`."""
    with suppress(ValueError, binascii.Error):
        decoded = base64.b64decode(word + "=" * (-len(word) % 4), validate=True).decode()
        user, colon, password = decoded.partition(":")
        if colon and decoded.isprintable():
            yield from (decoded, user, password)


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
