"""`client_args` are httpx's options: each is refused where it is given, or counts.

Whichever library the SDK would send through, and on both backends' clients.
"""

from __future__ import annotations

import importlib
import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from helpers import vectors_of
from tls import tls_front, write_certificate

from gemini_embed import ConfigurationError, GeminiEmbedder, RequestError
from gemini_embed.service.backend import sdk_version
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

AS_SENT = "task: search result | query: a"


def httpx() -> Any:
    """Return the library that the SDK takes where aiohttp is not to be used."""
    return importlib.import_module("httpx2" if sdk_version() >= (3, 4) else "httpx")


def asked(server: Standin, make: Maker, **client_args: Any) -> dict[str, str]:
    """Return the headers of a request that was sent with these options, and rightly answered."""
    vectors = make(client_args=client_args).embed(["a"], role="query").vectors
    assert (vectors == vectors_of(server, [AS_SENT], model="gemini-embedding-2")).all()
    return server.log[-1].headers


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("prxy", "http://proxy.example", "did you mean 'proxy'"),
        ("verfy", False, "did you mean 'verify'"),
        ("ssl", False, "httpx calls it 'verify'"),
        ("base_url", "http://a.example", "give base_url to the embedder"),
        ("default_encoding", "latin-1", "UTF-8"),
        ("verify", None, "must be True, False, a path, or an SSLContext"),
        ("verify", "", "must not be empty"),
        ("verify", 1, "must be True, False, a path, or an SSLContext"),
        ("cert", 1, "must be a path"),
        ("cert", ("a", "b", "c", "d"), "must be a path"),
        ("headers", "x-team: 1", "must be a mapping"),
        ("headers", {"x-team\n": "1"}, "cannot be the name of a header"),
        ("headers", {"x-team": "1\r\nx-more: 2"}, "characters that a header cannot hold"),
        ("headers", {"x-team": 1}, "must be a string"),
        ("headers", [("x-team",)], "must be a mapping"),
        ("cookies", 1, "must be a mapping"),
        ("params", 1, "must be a mapping"),
        ("timeout", "30", "must be more than 0 seconds"),
        ("timeout", 0, "must be more than 0 seconds"),
        ("timeout", float("nan"), "must be more than 0 seconds"),
        ("timeout", (1, 2), "must be more than 0 seconds"),
        ("trust_env", "no", "must be True or False"),
        ("http2", 1, "must be True or False"),
        ("follow_redirects", None, "must be True or False"),
        ("max_redirects", -1, "must be a whole number"),
        ("limits", 10, "must be a Limits of httpx"),
        ("proxy", "127.0.0.1:3128", "must be an address that begins with"),
        ("proxy", 3128, "must be an address that begins with"),
        ("mounts", {"https": None}, "no pattern of addresses"),
        ("mounts", {"https://": 1}, "must be an async transport"),
        ("transport", "http://", "must be an async transport"),
        ("auth", "user:password", "must be \\(user, password\\)"),
        ("event_hooks", {"answer": []}, "has no option 'answer'"),
        ("event_hooks", {"request": print}, "must be a list of functions"),
        ("event_hooks", {"request": [1]}, "must be a list of functions"),
    ],
)
def test_what_httpx_does_not_take_is_refused_when_the_embedder_is_built(
    option: str, value: object, told: str
) -> None:
    """A typing error in a name, and a value of the wrong kind: both are named."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        GeminiEmbedder(api_key="a-key", client_args={option: value})

    assert option in str(caught.value)


def test_a_refused_proxy_shows_no_password() -> None:
    """What was meant as an address may hold one."""
    with pytest.raises(ConfigurationError) as caught:
        GeminiEmbedder(api_key="a-key", client_args={"proxy": "user:hidden-word@proxy"})

    assert "hidden-word" not in str(caught.value)


def test_a_transport_of_sync_clients_is_refused() -> None:
    """It could not send anything, and httpx would only say so then."""
    with pytest.raises(ConfigurationError, match="must be an async transport"):
        GeminiEmbedder(api_key="a-key", client_args={"transport": httpx().HTTPTransport()})


def test_what_a_transport_would_drop_is_refused() -> None:
    """Httpx says nothing, and verifies as the transport does."""
    given = {"transport": httpx().AsyncHTTPTransport(), "verify": False}
    with pytest.raises(ConfigurationError, match="give verify to the transport"):
        GeminiEmbedder(api_key="a-key", client_args=given)


def test_httpx_is_not_loaded_to_check() -> None:
    """Building an embedder stays quick."""
    script = """
import sys
from gemini_embed import GeminiEmbedder
GeminiEmbedder(api_key="a-key", client_args={"verify": False, "timeout": 3, "headers": {"a": "b"}})
sys.exit(bool({"httpx", "httpx2", "aiohttp", "google.genai"} & sys.modules.keys()))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - our own


def test_simple_options_count(server: Standin, embedder: Maker) -> None:
    """Headers, cookies, a user's password, limits, and a timeout reach the service or hold."""
    assert asked(server, embedder, headers={"x-team": "1"})["x-team"] == "1"
    assert asked(server, embedder, headers=[(b"x-team", b"2")])["x-team"] == "2"
    assert asked(server, embedder, cookies={"a": "b"})["cookie"] == "a=b"
    assert asked(server, embedder, auth=("user", "word"))["authorization"].startswith("Basic ")
    asked(server, embedder, params={"team": "1"}, limits=httpx().Limits(max_connections=1))
    asked(server, embedder, timeout=30)
    asked(server, embedder, timeout=(1, None, 3, 4))
    asked(server, embedder, timeout=httpx().Timeout(30), http1=True, max_redirects=3)


def test_a_timeout_holds(embedder: Maker) -> None:
    """The caller's counts beside the embedder's own, which is longer here."""
    with Standin(latency=5) as slow, pytest.raises(RequestError, match="Timeout"):
        embedder(base_url=slow.url, client_args={"timeout": 0.2}, timeout=60, max_retries=0).embed(
            ["a"], role="query"
        )


def test_hooks_may_be_async_or_not(server: Standin, embedder: Maker) -> None:
    """Those written for sync clients are called as well, in the order given."""
    called: list[Any] = []

    async def later(request: Any) -> None:
        called.append(request.method)

    def now(response: Any) -> None:
        called.append(response.status_code)

    asked(server, embedder, event_hooks={"request": [later], "response": [now]})

    assert called == ["POST", 200]


def test_an_auth_may_ask_for_its_token_first(server: Standin, embedder: Maker) -> None:
    """Through the same client: what it sends and reads is its own, and no answer to texts."""
    shown: list[Any] = []
    path = "/v1/models/tokens:embedContent"  # where the stand-in answers as it is told

    class Auth(httpx().Auth):  # type: ignore[misc] # known when it runs
        requires_response_body = True

        def auth_flow(self, request: Any) -> Any:
            shown.append((yield httpx().Request("POST", server.url + path, json={})))
            request.headers["authorization"] = f"Bearer {shown[-1].json()['access_token']}"
            yield request

    server.script.append((200, b'{"access_token": "t"}', {"Content-Type": "application/json"}))

    assert asked(server, embedder, auth=Auth(), timeout=30)["authorization"] == "Bearer t"
    assert server.log[0].path == path
    assert "timeout" not in shown[0].request.extensions


def test_redirects_may_be_switched_off(server: Standin, embedder: Maker) -> None:
    """Even those within the host."""
    path = "/v1beta/models/gemini-embedding-2:batchEmbedContents"
    server.script.append((308, b"", {"Location": path}))

    with pytest.raises(RequestError, match="308"):
        asked(server, embedder, follow_redirects=False)

    assert len(server.log) == 1


@pytest.mark.parametrize("kind", ["False", "file", "path", "folder", "context"])
def test_verify_counts(kind: str, server: Standin, embedder: Maker, tmp_path: Path) -> None:
    """A company's own authority is trusted, or nobody is asked for one."""
    with tls_front(server.url, tmp_path) as front:
        folder = tmp_path / "folder"
        folder.mkdir()
        context = ssl.create_default_context(cafile=front.certificate)
        digest = "openssl", "x509", "-hash", "-noout", "-in", str(front.certificate)
        if kind == "folder":  # OpenSSL finds certificates there by a hash of their subject
            name = subprocess.check_output(digest, text=True).strip()  # noqa: S603 - our own
            (folder / f"{name}.0").write_bytes(front.certificate.read_bytes())
        verify = {
            "False": False,
            "file": str(front.certificate),
            "path": front.certificate,
            "folder": str(folder),
            "context": context,
        }[kind]
        made = embedder(base_url=front.url, client_args={"verify": verify})
        made.embed(["a"], role="query")
        made.close()

    assert len(server.log) == 1


def test_a_certificate_of_the_clients_is_shown(
    server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """A gateway that lets nobody in without one."""
    own = tmp_path / "own"
    own.mkdir()
    certificate, key = write_certificate(own)
    with tls_front(server.url, tmp_path, client_must_show=certificate) as front:
        given = {"verify": front.certificate, "cert": (certificate, str(key))}
        made = embedder(base_url=front.url, client_args=given)
        made.embed(["a"], role="query")
        made.close()
        with pytest.raises(RequestError):
            embedder(
                base_url=front.url, client_args={"verify": front.certificate}, max_retries=0
            ).embed(["a"], role="query")

    assert len(server.log) == 1


def test_a_missing_file_is_named(embedder: Maker) -> None:
    """At the first call, which needs it."""
    with pytest.raises(ConfigurationError, match="FileNotFoundError"):
        embedder(client_args={"verify": "/no/such.pem"}).embed(["a"], role="query")


@pytest.mark.filterwarnings("ignore:the key or access token goes to service.invalid")
def test_a_proxy_and_mounts_count(server: Standin, embedder: Maker) -> None:
    """Requests go through what the caller names."""
    elsewhere = embedder(base_url="http://service.invalid", client_args={"proxy": server.url})
    elsewhere.embed(["a"], role="query")
    assert server.log[-1].headers["host"] == "service.invalid"

    mounts = {"all://service.invalid": httpx().AsyncHTTPTransport(proxy=server.url)}
    elsewhere = embedder(base_url="http://service.invalid", client_args={"mounts": mounts})
    elsewhere.embed(["b"], role="query")
    assert len(server.log) == 2


@pytest.mark.filterwarnings("ignore:the key or access token goes to service.invalid")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_environments_proxies_count(
    variable: str, scheme: str, server: Standin, embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each spelling, with and without a scheme; `NO_PROXY` and `trust_env=False` keep away."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Standin() as proxy:
        monkeypatch.setenv(variable, scheme + proxy.url.removeprefix("http://"))
        embedder(base_url="http://service.invalid").embed(["a"], role="query")
        assert proxy.log[-1].headers["host"] == "service.invalid"

        embedder(client_args={"trust_env": False}).embed(["a"], role="query")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        embedder().embed(["b"], role="query")

        assert len(proxy.log) == 1
    assert len(server.log) == 2


def test_a_proxy_that_cannot_be_used_is_named(
    embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOCKS needs a package of its own: the error says which."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")

    with pytest.raises(ConfigurationError, match="socksio"):
        embedder().embed(["a"], role="query")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_a_netrc_file_that_cannot_be_read_is_none(
    server: Standin, embedder: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe, nonsense, and an entry for any host: nothing is sent, and nothing hangs."""
    pipe, nonsense, of_any = tmp_path / "pipe", tmp_path / "nonsense", tmp_path / "any"
    os.mkfifo(pipe)
    nonsense.write_text("machine", encoding="utf-8")
    of_any.write_text("default login somebody password secret\n", encoding="utf-8")
    of_any.chmod(0o600)
    for file in (pipe, nonsense, of_any):
        monkeypatch.setenv("NETRC", str(file))
        embedder().embed(["a"], role="query")
        assert "authorization" not in server.log[-1].headers
