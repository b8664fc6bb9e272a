"""Where requests go: understood however it is spelled, or refused where it is given."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google import genai
from helpers import vectors_of

from gemini_embed import (
    ConfigurationError,
    FingerprintMismatchError,
    GeminiEmbedder,
    check_fingerprint,
)
from gemini_embed.service_address import read_address, sent_to
from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

GOOGLE = "gemini-embedding-2.3072.retrieval.prefix.unit"


@pytest.mark.parametrize(
    "written",
    [
        "https://generativelanguage.googleapis.com",
        "https://generativelanguage.googleapis.com/",
        "HTTPS://GenerativeLanguage.googleapis.com:443/",
        " https://generativelanguage.googleapis.com/v1beta ",
        "https://generativelanguage.googleapis.com/v1/",
        "https://aiplatform.googleapis.com",
        "https://us-central1-aiplatform.googleapis.com/",
        "https://aiplatform.eu.rep.googleapis.com",
        "",
        "  ",
    ],
)
def test_googles_own_address_spelled_out_is_google(written: str) -> None:
    """An index and a cache made without `base_url` go on serving with it, and a blank is none."""
    assert GeminiEmbedder(base_url=written).fingerprint == GOOGLE


@pytest.mark.parametrize(
    "written",
    [
        "https://generativelanguage.googleapis.com.example",
        "http://generativelanguage.googleapis.com",
        "https://generativelanguage.googleapis.com:8443",
        "https://gateway.example/generativelanguage.googleapis.com",
    ],
)
@pytest.mark.filterwarnings("ignore:the key or access token goes to")
def test_what_only_looks_like_google_is_another_service(written: str) -> None:
    """Its vectors are not taken for Google's."""
    assert GeminiEmbedder(base_url=written).fingerprint != GOOGLE


def test_spellings_of_one_gateway_are_one_service() -> None:
    """Capitals, the usual port, a slash, a version, a name and a password change nothing."""
    spellings = [
        "https://gateway.example/gemini",
        "https://gateway.example/gemini/",
        "HTTPS://Gateway.Example:443/gemini",
        "https://gateway.example/gemini/v1beta",
        "https://somebody:s3cret@gateway.example/gemini",
        "https://gateway.example/gemini?team=s3cret",
    ]

    made = [GeminiEmbedder(base_url=spelling) for spelling in spellings]

    assert len({one.fingerprint for one in made}) == 1
    assert not any("s3cret" in repr(one) for one in made)
    assert GeminiEmbedder(base_url="https://gateway.example/other").fingerprint not in {
        one.fingerprint for one in made
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("gateway.example", "must begin with http:// or https://"),
        ("127.0.0.1:8080", "must begin with http"),
        ("ftp://gateway.example", "must begin with http"),
        ("https://", "names no host"),
        ("https://:8080", "names no host"),
        ("http://gate way.example", "holds characters"),
        ("https://gateway.example\n", None),
        ("http://gate\nway.example", "holds characters"),
        ("http://gateway.example:80800", "has a port or brackets"),
        ("http://gateway.example:port", "has a port or brackets"),
        ("http://[::1", "has a port or brackets"),
        ("http://gateway.example:0", "names no host"),
        ("http://gateway!.example", "names no host"),
        ("http://gateway.example/#part", "no part after #"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "has no path"),
        (b"http://gateway.example", "must be a string"),
    ],
)
def test_what_is_no_address_is_refused_where_it_is_given(
    written: str, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option or the variable that holds it, when the embedder is built."""
    if said is None:
        GeminiEmbedder(base_url=written)
        return
    with pytest.raises(ConfigurationError, match=f"^base_url.*{said}"):
        GeminiEmbedder(base_url=written)
    if isinstance(written, str):
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", written)
        with pytest.raises(ConfigurationError, match=f"^GOOGLE_GEMINI_BASE_URL.*{said}"):
            GeminiEmbedder()


def test_an_address_that_is_refused_is_not_shown() -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError) as caught:
        GeminiEmbedder(base_url="https://somebody:s3cret@gateway.example:port")

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "api_version", "expected"),
    [
        ("https://gw.example/v1", None, ("https://gw.example", "v1")),
        ("https://gw.example/a/v1beta1/", "v1beta1", ("https://gw.example/a", "v1beta1")),
        ("https://gw.example/v1/", "v1beta", ("https://gw.example/v1", "v1beta")),
        ("https://gw.example/a/", "v1", ("https://gw.example/a", "v1")),
        ("https://gw.example/v1/account", None, ("https://gw.example/v1/account", None)),
    ],
)
def test_a_version_in_the_address(
    written: str, api_version: str | None, expected: tuple[str, str | None]
) -> None:
    """At its end it is the API version, unless another one is given, too."""
    address = read_address(written, "base_url")

    assert address is not None
    assert sent_to(address, api_version) == expected


def test_two_versions_of_googles_own_are_refused() -> None:
    """Which one was meant is not guessed."""
    with pytest.raises(ConfigurationError, match="v1beta, and api_version v1"):
        GeminiEmbedder(
            base_url="https://generativelanguage.googleapis.com/v1beta", api_version="v1"
        )


@pytest.mark.parametrize("end", ["", "/", "/v1beta", "/v1beta/"])
def test_requests_go_to_the_address_however_it_ends(
    end: str, server: Standin, embedder: Maker
) -> None:
    """No slash and no version is doubled."""
    embedder(base_url=server.url + end).embed(["a"], role="query")

    path = server.log[0].path
    assert path.startswith("/v1beta/models/" if "v1beta" in end else "/v1")
    assert path.count("/v1") == path.count("//") + 1 == 1


def test_the_address_in_the_environment_is_read_once(
    server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests and cache keys go by the same one, also where it is set after building."""
    options: dict[str, Any] = {
        "api_key": "any",
        "cache": tmp_path / "vectors",
        "max_retries": 0,
        "timeout": 5,
    }
    made = GeminiEmbedder(**options)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    before = made.embed(["a"], role="query").vectors
    with Standin() as other:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", other.url)
        made.close()
        again = made.embed(["b"], role="query").vectors
        elsewhere = GeminiEmbedder(**options)
        elsewhere.embed(["a"], role="query")

        assert len(server.log) == 2
        assert len(other.log) == 1
    assert made.fingerprint != elsewhere.fingerprint
    as_sent = [f"task: search result | query: {text}" for text in "ab"]
    right = vectors_of(server, as_sent, model="gemini-embedding-2")
    assert (np.concatenate([before, again]) == right).all()


def test_clients_of_two_services_share_nothing(server: Standin, tmp_path: Path) -> None:
    """One gets no vector that the other's service made, and their indexes are told apart."""

    def by(url: str) -> GeminiEmbedder:
        client = genai.Client(api_key="k", vertexai=False, http_options={"base_url": url})
        return GeminiEmbedder(client=client, cache=tmp_path / "vectors")

    with Standin() as other:
        here, there, again = by(server.url), by(other.url), by(server.url + "/")
        for made in (here, there, again):
            made.embed(["a"], role="query")

        assert (len(server.log), len(other.log)) == (1, 1)
    assert here.fingerprint == again.fingerprint != there.fingerprint
    google = GeminiEmbedder(client=genai.Client(api_key="k", vertexai=False))
    assert google.fingerprint == GeminiEmbedder().fingerprint


class NoAddress:
    """A client that does not say whom it asks."""

    aio = None


def test_a_client_that_does_not_say_whom_it_asks_needs_a_name_to_be_cached(tmp_path: Path) -> None:
    """Its vectors would lie among those of another service."""
    with pytest.raises(ConfigurationError, match="cache needs service_name"):
        GeminiEmbedder(client=NoAddress(), cache=tmp_path / "vectors")  # type: ignore[arg-type] # no SDK's
    GeminiEmbedder(client=NoAddress(), cache=tmp_path / "vectors", service_name="ours")  # type: ignore[arg-type] # likewise


def test_a_gateway_that_moves_keeps_index_and_cache(
    server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """By a name of its own, or by its earlier address."""
    cache = tmp_path / "vectors"
    old = embedder(cache=cache)
    old.embed(["a"], role="query")
    named = embedder(cache=cache, service_name="ours")
    named.embed(["a"], role="query")
    check_fingerprint(old.fingerprint, named)
    with Standin() as moved:
        for name, before in (("ours", named), (server.url + "/", old)):
            there = embedder(base_url=moved.url, cache=cache, service_name=name)
            there.embed(["a"], role="query")
            check_fingerprint(before.fingerprint, there)

        assert (len(server.log), len(moved.log)) == (1, 0)


def test_another_service_is_called_so() -> None:
    """Not another model: what to do about it is another thing."""
    stored = GeminiEmbedder(base_url="https://old.example").fingerprint

    with pytest.raises(FingerprintMismatchError, match=r"service is 'Google' and was '\w{8}'"):
        check_fingerprint(stored, GeminiEmbedder())
    with pytest.raises(FingerprintMismatchError, match="set service_name") as caught:
        check_fingerprint(stored, GeminiEmbedder(base_url="https://new.example"))
    assert "model is" not in str(caught.value)


def plain_http_warnings(build: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build()
    assert {one.filename for one in caught} <= {__file__}
    return [str(one.message) for one in caught if "plain http" in str(one.message)]


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("http://gateway.example", True),
        ("http://192.168.1.2:8080", True),
        ("https://gateway.example", False),
        ("http://localhost:8080", False),
        ("http://gateway.localhost", False),
        ("http://127.8.9.1:8080", False),
        ("http://[::1]:8080", False),
    ],
)
@pytest.mark.parametrize("build", [GeminiEmbedder, GeminiEmbeddings, GeminiEmbedding])
def test_a_key_in_plain_http_is_warned_about_once(
    build: Callable[..., object], host: str, *, warned: bool
) -> None:
    """Where it leaves the machine; the host is named, the key is not."""
    url = host.replace("//", "//user:passw0rd@") + "/path"

    said = plain_http_warnings(lambda: build(api_key="a-key", base_url=url))

    assert len(said) == warned
    assert "passw0rd" not in str(said)
    assert "a-key" not in str(said)
    assert not warned or host.removeprefix("http://") in said[0]


def test_plain_http_of_the_environment_and_of_clients_is_warned_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However the address comes, and once only: the calls are quiet."""
    url = "http://gateway.example"
    client = genai.Client(api_key="a-key", http_options={"base_url": url})
    assert len(plain_http_warnings(lambda: GeminiEmbedder(client=client))) == 1

    made = GeminiEmbedder(api_key="a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
    assert len(plain_http_warnings(lambda: made.embed([], role="query"))) == 1
    assert not plain_http_warnings(lambda: made.embed([], role="query"))
    assert len(plain_http_warnings(lambda: GeminiEmbedder(api_key="a-key"))) == 1
