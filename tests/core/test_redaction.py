from __future__ import annotations

import base64
import json
import re
import traceback
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from gemini_embed.redaction import (
    Secrets,
    Url,
    forgetful,
    of_client_args,
    of_headers,
    of_url,
    shown_url,
)

PLANTED = 'AIza "planted"/key+0123='
"""Holds what JSON, addresses and reprs escape."""


@pytest.mark.parametrize(
    "shown",
    [
        PLANTED,
        quote(PLANTED),
        re.sub("%..", lambda code: code[0].lower(), quote(PLANTED, safe="")),
        json.dumps(PLANTED),
        repr(f"it's {PLANTED}"),
        base64.b64encode(PLANTED.encode()).decode(),
        base64.urlsafe_b64encode(PLANTED.encode()).decode(),
    ],
    ids=["plain", "percent", "small percent", "JSON", "repr", "base64", "url-safe base64"],
)
def test_a_secret_is_found_in_every_form_it_takes(shown: str) -> None:
    """Whatever a server or a library does to a secret before it quotes it, it is taken out."""
    text = f"the server said {shown}, and no more"

    assert "[secret]" in Secrets([PLANTED]).without(text)
    assert "planted" not in Secrets([PLANTED]).without(text)
    assert shown not in Secrets([PLANTED]).without(text)


def test_a_secret_is_found_wherever_it_is_in_an_answer() -> None:
    """Keys of objects, lists, bytes: the answer is told as it was, but for the secret."""
    key = "AIza-planted-key"
    answer = {key: [f"a {key}", key.encode(), (1, key)], "code": 400}

    assert Secrets([key]).without(answer) == {
        "[secret]": ["a [secret]", b"[secret]", (1, "[secret]")],
        "code": 400,
    }


def test_the_beginning_of_a_secret_is_one_too() -> None:
    """Libraries cut off what is long; what they leave of a key is not shown."""
    key = "AIzaSyPLANTED0123456789abcdefghijklmno"

    assert Secrets([key]).without(f"bad line: {key[:30]}...") == "bad line: [secret]"


def test_ordinary_words_stay() -> None:
    """A short key, as a stand-in takes it, makes no message unreadable."""
    text = "any test of this is a test of any"

    assert Secrets(["any", "test", ""]).without(text) == text


@pytest.mark.parametrize(
    ("header", "secrets"),
    [
        ({"Authorization": "Bearer the-t0ken-itself"}, {"the-t0ken-itself"}),
        ({"Authorization": "Basic " + base64.b64encode(b"user:passw0rd").decode()}, {"passw0rd"}),
        ({"cookie": "session=5e5510n-id; theme=dark"}, {"5e5510n-id"}),
        ({"x-gateway-key": SecretStr("the-gateway's-key")}, {"the-gateway's-key"}),
    ],
)
def test_the_secret_in_a_header_is_a_secret_alone(
    header: dict[str, Any], secrets: set[str]
) -> None:
    """A server that quotes a token without `Bearer` shows it no more than with it."""
    assert secrets <= set(of_headers(header))


def test_headers_that_everybody_sends_are_no_secrets() -> None:
    """`application/json` is not blacked out in messages because a header says it."""
    assert (
        set(of_headers({"Content-Type": "application/json", "User-Agent": "a-program/1"})) == set()
    )


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://a-user:passw0rd@proxy.example"},
        {"proxy": httpx.Proxy("http://proxy.example", auth=("a-user", "passw0rd"))},
        {"mounts": {"https://": "http://a-user:passw0rd@proxy.example"}},
        {"auth": ("a-user", "passw0rd")},
        {"auth": httpx.BasicAuth("a-user", "passw0rd")},
        {"headers": {"authorization": "Basic " + base64.b64encode(b"a-user:passw0rd").decode()}},
        {"params": {"password": "passw0rd"}},
        {"cookies": {"session": "passw0rd"}},
    ],
)
def test_passwords_in_the_options_of_http_libraries_are_secrets(options: dict[str, Any]) -> None:
    """Proxies, cookies, headers and logins; hosts and the like are not."""
    secrets = set(of_client_args(options))

    assert "passw0rd" in secrets
    assert "proxy.example" not in secrets


def test_an_address_is_shown_without_what_lets_one_in() -> None:
    """User, password and query of a gateway's address are secrets; where it is, is not."""
    url = "https://us%40er:passw0rd@gateway.example:8443/path?key=the-query-key&a-flag"

    assert {"us@er", "passw0rd", "the-query-key", "a-flag"} <= set(of_url(url))
    assert shown_url(url) == "https://gateway.example:8443/path"
    assert repr(Url(url)) == "'https://gateway.example:8443/path'"
    assert Url(url) == url


def raised(work: Any) -> Exception:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


KEY = "AIza-planted-key-" + "0123456789"  # in two parts: tracebacks show this line
BODY = KEY.encode()


@pytest.mark.parametrize(
    "error",
    [
        raised(lambda: json.loads(f"not JSON: {KEY}")),
        raised((BODY + b"\xff").decode),
        raised(lambda: TypeAdapter(list[float]).validate_python([KEY])),
        raised(lambda: TypeAdapter(dict[str, float]).validate_python({KEY: "no"})),
        OSError(111, f"no route to {KEY}"),
        RuntimeError(f"http://user:{KEY}@proxy.example is down"),
        RuntimeError({KEY: [BODY]}),
        RuntimeError(httpx.URL(f"http://example/?key={KEY}")),
        ExceptionGroup("several", [ValueError(KEY), ExceptionGroup("more", [ValueError(KEY)])]),
        httpx.HTTPStatusError(
            KEY,
            request=httpx.Request("GET", "http://example", headers={"x-goog-api-key": KEY}),
            response=httpx.Response(400, text=KEY),
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_shows_a_secret_that_it_quoted(error: Exception) -> None:
    """Neither its text nor its attributes; its name stays, for whoever looks for it."""
    error.add_note(f"by the way: {KEY}")
    above = raised(lambda: (_ for _ in ()).throw(ValueError(KEY), None, None))
    above.__cause__ = error

    clean = Secrets([KEY]).cleaned(above)

    assert clean.__cause__ is not None
    assert type(clean.__cause__).__name__ == type(error).__name__
    shown = "".join(traceback.format_exception(clean))
    for one in (clean, clean.__cause__):
        shown += f"{one} {one!r} {one.args!r} {vars(one)!r} {getattr(one, 'object', None)}"
    assert "planted" not in shown


def test_an_error_without_secrets_stays_itself() -> None:
    """Code that looks at the cause's class and attributes finds them."""
    error = ConnectionRefusedError(111, "refused")

    assert Secrets([KEY]).cleaned(error) is error
    assert (error.errno, error.strerror) == (111, "refused")


def test_causes_that_go_in_a_circle_come_to_an_end() -> None:
    """An error may be its own cause's context."""
    one, other = ValueError(KEY), ValueError(KEY)
    one.__context__, other.__cause__ = other, one

    assert str(Secrets([KEY]).cleaned(one)) == "[secret]"


def test_variables_of_the_frames_below_are_forgotten() -> None:
    """`pytest -l`, Sentry and rich print them; those of HTTP libraries hold headers."""

    def sends(headers: dict[str, str]) -> None:
        raise OSError(f"no connection for {len(headers)} headers")

    error = raised(lambda: sends({"x-goog-api-key": KEY}))

    Secrets([KEY]).cleaned(error)

    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert KEY not in "".join(told.format())
    assert [frame.name for frame in told.stack][-1] == "sends"


def test_a_validation_error_says_where_without_what() -> None:
    """Pydantic quotes the two ends of a long value: neither is shown."""
    long = f"{KEY}{'-' * 100}{KEY}"
    error = raised(lambda: TypeAdapter(list[float]).validate_python([long]))
    assert isinstance(error, ValidationError)

    assert str(Secrets([long]).cleaned(error)).startswith("0: Input should be a valid number")


def test_a_function_that_was_given_a_secret_forgets_it_with_its_error() -> None:
    """An option that cannot work is told without the key that was given beside it."""

    @forgetful
    def build(api_key: str, *, wrong: bool) -> str:
        try:
            _ = 1 / (not wrong)
        except ZeroDivisionError:
            raise ValueError("it is wrong") from None
        return api_key

    error = raised(lambda: build(KEY, wrong=True))

    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in told.stack if frame.name in {"build", "wrapper"}]
    assert len(frames) == 2
    assert KEY not in f"{[frame.locals for frame in frames]}"
    assert build(KEY, wrong=False) == KEY


def test_what_the_caller_was_handling_stays_as_it_is() -> None:
    """An embedder may be built in an `except` block: the caller's own frames are left alone."""

    def fails(detail: str) -> None:
        raise LookupError(f"{len(detail)} letters")

    @forgetful
    def build(api_key: str) -> None:
        raise ValueError(f"{len(api_key)} letters")

    def falls_back() -> None:
        try:
            fails("what the caller wants to see")
        except LookupError:
            build(KEY)

    error = raised(falls_back)

    assert error.__context__ is not None
    told = traceback.TracebackException.from_exception(error.__context__, capture_locals=True)
    assert told.stack[-1].locals == {"detail": "'what the caller wants to see'"}
