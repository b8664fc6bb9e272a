"""Connections that lead nowhere: an error that says so, at once where no retry helps.

Through both HTTP libraries that the SDK may send through.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from service.raw import chunk, failure, head, raw_server, read_request
from tls import tls_front

from gemini_embed import (
    BadResponseError,
    GeminiEmbedder,
    ModelNotFoundError,
    RequestError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


@pytest.mark.parametrize(
    "body",
    [b"<html>no such page</html>", b'{"detail": "Not Found"}', b"", b'{"error": "no route"}'],
)
def test_a_404_that_is_not_googles_names_the_address(
    body: bytes, server: Standin, maker: Maker
) -> None:
    """A wrong address of a gateway is seen at a glance; nothing secret in it is shown."""
    server.script.append((404, body, {"Content-Type": "text/html"}))
    url = server.url.replace("//", "//user:hidden-word@")

    with pytest.raises(RequestError) as caught:
        maker(base_url=url).embed(["a"], role="query")

    assert f"asked: {server.url}{server.log[-1].path}" in str(caught.value)
    assert "hidden-word" not in str(caught.value)
    assert not isinstance(caught.value, ModelNotFoundError)


def test_a_404_of_googles_names_the_model(server: Standin, maker: Maker) -> None:
    """The address was right, so it is not told."""
    body = {"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}}
    server.script.append((404, body, {}))

    with pytest.raises(ModelNotFoundError) as caught:
        maker().embed(["a"], role="query")

    assert "asked:" not in str(caught.value)


def test_https_to_a_plain_port_is_told_at_once(server: Standin, maker: Maker) -> None:
    """No retry helps, and nothing was sent: it is not said that the answer could not be read."""
    error, retries = failure(maker, base_url=server.url.replace("http:", "https:"))

    assert "no TLS connection to the server" in str(error)
    assert type(error) is RequestError
    assert not retries
    assert not server.log


@pytest.fixture
def nobody() -> str:
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_refused_connection_is_tried_again(nobody: str, maker: Maker) -> None:
    """The service may be back in a moment; the error says where it was looked for."""
    url = f"http://user:hidden-word@{nobody}/gate?key=hidden-too"
    error, retries = failure(maker, base_url=url, max_retries=2)

    assert isinstance(error, ServiceUnavailableError)
    assert len(retries) == 2
    assert f"; asked: http://{nobody}/gate (" in str(error)
    assert "hidden" not in f"{error} {error!r} {error.__cause__!r}"
    assert "object at" not in str(error)


def test_googles_own_address_is_named_too(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a way out is known by it."""

    def found(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    error, _ = failure(maker, base_url=None, max_retries=0)

    assert isinstance(error, ServiceUnavailableError)
    assert "asked: https://generativelanguage.googleapis.com" in str(error)


def test_the_proxy_on_the_way_is_named(
    nobody: str, server: Standin, embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be what is not there, whether an option or the environment names it."""
    proxy = f"http://user:hidden-word@{nobody}"
    told = f"; asked: {server.url}, by way of the proxy http://{nobody}"

    given, _ = failure(embedder, client_args={"proxy": proxy}, max_retries=0)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    named, _ = failure(embedder, max_retries=0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    embedder().embed(["a"], role="query")

    assert [told in str(error) for error in (given, named)] == [True, True]
    assert "hidden" not in f"{given} {named}"


def test_a_slow_answer_ends_with_the_timeout(maker: Maker) -> None:
    """One byte now and then does not keep a call alive."""

    def drip() -> Iterator[bytes]:
        yield head(Transfer_Encoding="chunked")
        for _ in range(500):
            time.sleep(0.01)
            yield chunk(b" ")

    with raw_server(drip()) as (url, sent):
        error, _ = failure(maker, base_url=url, timeout=0.2, max_retries=0)

    assert isinstance(error, ServiceUnavailableError)
    assert f"no answer within 0.2 s; asked: {url}" in str(error)
    assert len(sent) < 400


@pytest.mark.parametrize(
    "pieces",
    [
        [head(204)],
        [head(200, Content_Length="0")],
        [head(200, Content_Length="1000"), b'{"embeddings": ['],
        [b"HTTP/1.0 200 OK\r\n\r\n", b'{"embeddings": ['],
        [b"220 mail.example ESMTP\r\n"],
        [b""],
    ],
    ids=["204", "empty", "short", "http-1.0", "no-http", "closed"],
)
def test_what_is_no_answer_is_an_error(pieces: list[bytes], maker: Maker) -> None:
    """Of ours, whatever it is."""
    with raw_server(pieces) as (url, _):
        error, _ = failure(maker, base_url=url, max_retries=1)

    assert isinstance(error, BadResponseError | RequestError)


def test_an_untrusted_certificate_is_told_at_once(
    server: Standin, maker: Maker, tmp_path: Path
) -> None:
    """A company's own authority: no retry helps; the error says what to do."""
    with tls_front(server.url, tmp_path) as front:
        error, retries = failure(maker, base_url=front.url)

    assert "the server's certificate is not trusted" in str(error)
    assert "verify" in str(error)
    assert front.url in str(error)
    assert type(error) is RequestError
    assert not retries
    assert not server.log


def test_http_to_a_tls_port_is_told_at_once(
    server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """Such a port just hangs up; no retry helps. The error says what to change."""
    with tls_front(server.url, tmp_path) as front:
        error, retries = failure(embedder, base_url=front.url.replace("https", "http"))

    assert "let it begin with https://" in str(error)
    assert type(error) is RequestError
    assert not retries
    assert not server.log


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_that_comes_twice_is_not_taken_for_the_next(maker: Maker, *, late: bool) -> None:
    """A proxy that repeats itself, at once or later: each text still gets its own vector."""

    def answer(connection: socket.socket, number: int) -> None:
        connection.settimeout(5)
        body = json.dumps({"embeddings": [{"values": [0.25 * number] * 3072}]}).encode()
        whole = head(Content_Length=str(len(body))).replace(b"Connection: close\r\n", b"") + body
        read_request(connection)
        connection.sendall(whole if late else whole + whole)
        if late:
            time.sleep(0.1)
            connection.sendall(whole)
        read_request(connection)  # if it is used again, the answer is there already

    def serve(listener: socket.socket) -> None:
        for number in (1, 2):
            connection, _ = listener.accept()
            threads.append(threading.Thread(target=tolerant, args=(connection, number)))
            threads[-1].start()

    def tolerant(connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            answer(connection, number)

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        asking = maker(base_url=url, normalize=False)
        first = asking.embed(["a"], role="document").vectors
        time.sleep(0.3)
        second = asking.embed(["b"], role="document").vectors
        asking.close()
        for thread in threads:
            thread.join(10)

    assert (first[0, 0], second[0, 0]) == (0.25, 0.5)
