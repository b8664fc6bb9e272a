"""Where keys come from, and that nothing shows them."""

from __future__ import annotations

import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import AuthenticationError, ConfigurationError, GeminiEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


def test_a_key_that_google_quotes_is_not_shown(server: Standin, embedder: Maker) -> None:
    """Google names the key when it is suspended; neither our error nor its cause does."""
    key = pickle.__name__ + "-key"  # written nowhere in the lines that a traceback shows
    message = f"Consumer 'api_key:{key}' has been suspended."
    details = [{"reason": "CONSUMER_SUSPENDED", "metadata": {"consumer": f"api_key:{key}"}}]
    error = {"message": message, "status": "PERMISSION_DENIED", "details": details}
    server.script.append((403, {"error": error}, {}))

    with pytest.raises(AuthenticationError, match="has been suspended") as caught:
        embedder(api_key=key).embed(["a"], role="query")

    assert key not in "".join(traceback.format_exception(caught.value))


def test_no_key_is_told_at_the_first_call(server: Standin) -> None:
    """Building needs no key; calling without one names the variables that were looked at."""
    made = GeminiEmbedder(base_url=server.url)

    with pytest.raises(ConfigurationError, match="GOOGLE_API_KEY or GEMINI_API_KEY"):
        made.embed(["a"], role="query")


@pytest.mark.parametrize(
    ("environment", "used"),
    [
        ({"GOOGLE_API_KEY": "g", "GEMINI_API_KEY": "m"}, "g"),
        ({"GOOGLE_API_KEY": "", "GEMINI_API_KEY": " m\n"}, "m"),
        ({"GEMINI_API_KEY": "m"}, "m"),
    ],
)
def test_the_key_comes_from_the_environment(
    environment: dict[str, str], used: str, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GOOGLE_API_KEY, then GEMINI_API_KEY; empty counts as unset; even when set late."""
    made = GeminiEmbedder(base_url=server.url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    made.embed(["a"], role="query")

    assert server.log[0].headers["x-goog-api-key"] == used


def test_nothing_shows_the_key(embedder: Maker) -> None:
    """Neither repr nor the attributes print a key or a header's value."""
    made = embedder(api_key="s3cret", additional_headers={"authorization": "t0ken"})

    shown = f"{made!r} {made} {vars(made)}"

    assert "s3cret" not in shown
    assert "t0ken" not in shown


@pytest.mark.parametrize("wrong", ["AIza\u200bSECRET", "AIza\nSECRET", "AIza\x00SECRET"])
def test_a_key_that_cannot_be_sent_is_told_without_showing_it(wrong: str) -> None:
    """What slips in when a key is copied is found before it fails somewhere deep."""
    given: list[dict[str, Any]] = [
        {"api_key": wrong},
        {"api_key": "k", "additional_headers": {"x": wrong}},
    ]
    for options in given:
        with pytest.raises(
            ConfigurationError, match="characters that a header cannot hold"
        ) as caught:
            GeminiEmbedder(**options)
        assert "SECRET" not in str(caught.value)


def test_secrets_of_headers_and_clients_are_not_shown_either(server: Standin) -> None:
    """A gateway that echoes a header, or a client's own key, does not put it into an error."""
    from google import genai  # noqa: PLC0415 - needed here only

    secret = pickle.__name__ + "-secret"  # written nowhere in the lines that a traceback shows
    body = {"error": {"message": f"not for {secret}", "status": "PERMISSION_DENIED"}}
    client = genai.Client(api_key=secret, http_options={"base_url": server.url})
    for made in (
        GeminiEmbedder(api_key="k", base_url=server.url, additional_headers={"x-auth": secret}),
        GeminiEmbedder(client=client),
    ):
        server.script.append((403, body, {}))
        with pytest.raises(AuthenticationError, match=r"not for \[secret\]") as caught:
            made.embed(["a"], role="query")
        assert secret not in "".join(traceback.format_exception(caught.value))
    client.close()
