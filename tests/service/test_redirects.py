"""Where a redirect may lead.

Through both HTTP libraries that the SDK may send through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers import vectors_of
from tls import tls_front

from gemini_embed import GeminiEmbedder, RequestError, ServiceUnavailableError
from gemini_embed.service.redirects import check_redirect
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

AS_SENT = ["title: none | text: a", "title: none | text: b"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_the_host_is_followed(status: int, server: Standin, maker: Maker) -> None:
    """Texts and key go along, and each text gets its vector."""
    path = "/v1beta/models/gemini-embedding-2:batchEmbedContents"
    for location in (path, server.url + path):
        server.script.append((status, b"moved", {"Location": location}))
        vectors = maker().embed(["a", "b"], role="document").vectors

        assert (vectors == vectors_of(server, AS_SENT, model="gemini-embedding-2")).all()
        first, second = server.log[-2:]
        assert first.body == second.body
        assert second.headers["x-goog-api-key"] == "a-key"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(
    status: int, server: Standin, maker: Maker, *, fast: bool
) -> None:
    """Neither key nor headers nor texts go there; the error names both places. No second try."""
    with Standin() as other:
        port = other.url.rpartition(":")[2]
        elsewhere = f"http://user:secret@localhost:{port}/v1beta?key=secret"
        server.script.append((status, b"moved", {"Location": elsewhere}))
        with pytest.raises(RequestError) as caught:
            maker(fast_decode=fast).embed(["a"], role="document")

        assert not other.log
    assert len(server.log) == 1
    assert caught.value.status == status
    assert server.url in str(caught.value)
    assert f"http://localhost:{port}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_redirect_that_asks_for_a_get_is_not_followed(server: Standin, maker: Maker) -> None:
    """A GET holds no texts, so what it gets is no answer to them."""
    server.script.append((303, b"", {"Location": "/v1beta/models"}))

    with pytest.raises(RequestError, match="asks for a GET"):
        maker().embed(["a"], role="document")

    assert len(server.log) == 1


def test_a_redirect_in_a_circle_ends(server: Standin, maker: Maker) -> None:
    """It is no broken connection that a retry could mend."""
    path = "/v1beta/models/gemini-embedding-2:batchEmbedContents"
    server.script.extend([(308, b"", {"Location": path})] * 100)

    with pytest.raises(RequestError, match="without end") as caught:
        maker().embed(["a"], role="document")

    assert not isinstance(caught.value, ServiceUnavailableError)
    assert len(server.log) < 30


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("http://a.example/v1", "https://a.example/v1"),
        ("http://a.example:8080/v1", "https://a.example:8443/v1"),
        ("https://a.example/v1", "/v2"),
        ("https://a.example/v1", "https://A.example.:443/v2?x=1"),
        ("https://user:word@a.example/v1", "https://a.example/v2"),
        ("http://[::1]:80/", "http://[::1]/"),
    ],
)
def test_a_redirect_may_lead_to_the_same_host(asked: str, location: str) -> None:
    """A path of its own, and from http to https."""
    check_redirect(308, asked, location)


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("https://a.example/v1", "http://a.example/v1"),
        ("https://a.example/v1", "https://b.example/v1"),
        ("https://a.example/v1", "//b.example/v1"),
        ("https://a.example/v1", "https://a.example.b.example/"),
        ("https://a.example/v1", "https://a.example:444/"),
        ("http://a.example/v1", "http://a.example:81/"),
        ("https://a.example/v1", "https://a.example@b.example/"),
        ("https://a.example/v1", "https://b.example@a.example/"),
        ("https://a.example/v1", "https://a.example\\@b.example/"),
        ("https://a.example/v1", "https:\\\\b.example/"),
        ("https://a.example/v1", "https://b.example\\.a.example/"),
        ("https://a.example/v1", "https://a.example%2eb.example/"),
        ("https://a.example/v1", "https://a.example:x/"),
        ("https://a.example/v1", "https://[a.example/"),
        ("https://a.example/v1", "ftp://a.example/"),
        ("https://a.example/v1", "https://\u0430.example/"),
    ],
)
def test_a_redirect_may_not_lead_elsewhere(asked: str, location: str) -> None:
    """However it is spelled: what libraries could read in two ways is not followed."""
    with pytest.raises(RequestError, match="308: the redirect from"):
        check_redirect(308, asked, location)


def test_a_redirect_from_http_to_https_is_followed(
    server: Standin, maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same host, with texts and key."""
    with tls_front(server.url, tmp_path) as front:
        monkeypatch.setenv("SSL_CERT_FILE", str(front.certificate))
        path = "/v1beta/models/gemini-embedding-2:batchEmbedContents"
        server.script.append((301, b"", {"Location": front.url + path}))
        made = maker()
        vectors = made.embed(["a", "b"], role="document").vectors
        made.close()

    assert (vectors == vectors_of(server, AS_SENT, model="gemini-embedding-2")).all()
    assert [exchange.status for exchange in server.log] == [301, 200]
    assert server.log[-1].headers["x-goog-api-key"] == "a-key"
