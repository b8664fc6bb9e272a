"""What happens between an embedder and the network: answers' lengths, redirects, hopeless faults.

All of it through both HTTP libraries that the SDK may send through.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import vectors_of
from tls import tls_front

from gemini_embed import (
    BadResponseError,
    GeminiEmbedder,
    GeminiEmbedError,
    ModelNotFoundError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.bounded import Body, most_bytes
from gemini_embed.redirects import check_redirect
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from gemini_embed.retry import Retry

    Maker = Callable[..., GeminiEmbedder]

WIRES = ["title: none | text: a", "title: none | text: b"]


@pytest.fixture(params=["aiohttp", "httpx"])
def maker(request: pytest.FixtureRequest, embedder: Maker) -> Maker:
    """Return a maker of embedders whose SDK sends through one HTTP library or the other."""

    def make(**options: Any) -> GeminiEmbedder:
        if request.param == "httpx":
            options.setdefault("client_args", {"follow_redirects": True})
        return embedder(**options)

    return make


def read_request(connection: socket.socket) -> None:
    got = b""
    while b"\r\n\r\n" not in got:
        if not (received := connection.recv(2**16)):
            raise OSError("the client went")
        got += received
    lines, _, body = got.partition(b"\r\n\r\n")
    length = next(
        int(line[15:])
        for line in lines.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(2**16)


@contextmanager
def raw_server(pieces: Iterable[bytes]) -> Generator[tuple[str, list[int]]]:
    """Answer every request with these bytes; yield the address, and how many bytes went out."""
    sent: list[int] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    read_request(connection)
                    for piece in pieces:
                        connection.sendall(piece)
                        sent.append(len(piece))
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        listener.shutdown(socket.SHUT_RDWR)


def head(status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def test_vectors_printed_for_people_are_read(server: Standin, maker: Maker) -> None:
    """100 vectors of 3072 numbers, each on an indented line of its own: the longest honest answer.

    Plain and compressed, it is read, whoever reads the numbers.
    """
    rows = np.random.default_rng(0).standard_normal((100, 3072)) * 1e-7
    body = {"embeddings": [{"values": row.tolist()} for row in rows]}
    printed = json.dumps(body, indent=8).encode()
    texts = [f"text {number}" for number in range(100)]
    assert len(printed) > 40 * rows.size

    for fast in (True, False):
        for encoded, headers in (
            (printed, {}),
            (gzip.compress(printed, 1), {"Content-Encoding": "gzip"}),
            (zlib.compress(printed, 1), {"Content-Encoding": "deflate"}),
        ):
            server.script.append((200, encoded, {"Content-Type": "application/json", **headers}))
            asking = maker(normalize=False, fast_decode=fast)
            vectors = asking.embed(texts, role="document").vectors
            assert (vectors == rows.astype(np.float32)).all()


@pytest.mark.parametrize("fast", [True, False])
def test_no_more_is_read_of_an_answer_than_it_can_need(maker: Maker, *, fast: bool) -> None:
    """Megabytes of gzip that hold gigabytes, and an answer without an end, are an error at once."""
    blanks = b" " * 2**20
    packed = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packed.compress(blanks) for _ in range(256)) + packed.flush()
    endless = (chunk(blanks) for _ in range(10_000))
    empty_blocks = (chunk(b"\0\0\0\xff\xff" * 2**16) for _ in range(10_000))
    gzip_start = chunk(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
    for pieces in (
        [head(Content_Encoding="gzip", Content_Length=str(len(bomb))), bomb],
        [head(Transfer_Encoding="chunked"), *[chunk(blanks)] * 64],
        (piece for some in ([head(Transfer_Encoding="chunked")], endless) for piece in some),
        (
            piece
            for some in (
                [head(Transfer_Encoding="chunked", Content_Encoding="gzip"), gzip_start],
                empty_blocks,
            )
            for piece in some
        ),
    ):
        with raw_server(pieces) as (url, sent):
            asking = maker(base_url=url, max_retries=0, fast_decode=fast)
            with pytest.raises(BadResponseError, match=r"longer than the \d+ bytes") as caught:
                asking.embed(["a"], role="document")
            asking.close()

        assert sum(sent) < 2**26
        assert str(most_bytes(1, 3072)) in str(caught.value)


def test_the_longest_answer_is_what_was_asked_for() -> None:
    """A number, a text and the rest each have their share."""
    assert most_bytes(100, 3072) == 100 * 3072 * 64 + 100 * 1024 + 2**20


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_only_what_was_asked_for_is_decompressed(encoding: str, maker: Maker) -> None:
    """Another compression, and one within another, is named."""
    answer = [head(Content_Encoding=encoding, Content_Length="4"), b"abcd"]
    told = f"compressed with '{encoding}'"
    with raw_server(answer) as (url, _), pytest.raises(BadResponseError, match=told):
        maker(base_url=url, max_retries=0).embed(["a"], role="document")


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (gzip.compress(b"{}" * 500)[:-9], "ends within its compression"),
        (gzip.compress(b"{}") + b"more", "goes on after the end"),
        (b"no gzip at all", "could not be decompressed"),
        (gzip.compress(b"{}")[:-8] + bytes(8), "could not be decompressed"),
    ],
)
def test_damaged_compression_is_named(damaged: bytes, told: str) -> None:
    """It never is half an answer."""
    for size in (1, 7, 1000):

        def read(size: int = size) -> bytes:
            body = Body(10_000, "gzip")
            for start in range(0, len(damaged), size):
                body.take(damaged[start : start + size])
            return body.whole()

        with pytest.raises(BadResponseError, match=told):
            read()


def test_an_error_without_an_end_is_told_by_its_status(maker: Maker) -> None:
    """However long, damaged or mislabelled an error's body is, its status counts."""
    blanks = b" " * 2**20
    for pieces in (
        [head(403, Transfer_Encoding="chunked"), *[chunk(blanks)] * 64],
        [head(403, Content_Encoding="gzip", Content_Length="4"), b"abcd"],
        [head(403, Content_Length="6"), b"<html>"],
        [head(403, Content_Length="2"), b"\xff\xfe"],
        [head(403, Content_Length="0")],
        [head(403, Content_Length="100000"), b"[" * 100_000],
    ):
        with raw_server(pieces) as (url, _), pytest.raises(RequestError) as caught:
            maker(base_url=url).embed(["a"], role="document")
        assert caught.value.status == 403


def test_answers_are_utf_8_whatever_their_headers_say(server: Standin, maker: Maker) -> None:
    """JSON is UTF-8; a charset of another kind, or an unknown one, does not matter."""
    body = {"embeddings": [{"values": [0.25] * 3072}], "more": "ö"}
    for charset in ("utf-16", "no-such-thing"):
        for fast in (True, False):
            encoded = json.dumps(body, ensure_ascii=False).encode()
            headers = {"Content-Type": f"application/json; charset={charset}"}
            server.script.append((200, encoded, headers))
            vectors = maker(fast_decode=fast).embed(["a"], role="document").vectors
            assert vectors[0, 0] == 0.25


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_the_host_is_followed(status: int, server: Standin, maker: Maker) -> None:
    """Texts and key go along, and each text gets its vector."""
    path = "/v1beta/models/gemini-embedding-2:batchEmbedContents"
    for location in (path, server.url + path):
        server.script.append((status, b"moved", {"Location": location}))
        vectors = maker().embed(["a", "b"], role="document").vectors

        assert (vectors == vectors_of(server, WIRES, model="gemini-embedding-2")).all()
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


def failure(make: Maker, **options: Any) -> tuple[GeminiEmbedError, list[Retry]]:
    """Return the error of a call, and what was tried again before."""
    retries: list[Retry] = []
    with pytest.raises(GeminiEmbedError) as caught:
        make(on_retry=retries.append, **options).embed(["a", "b"], role="document")
    return caught.value, retries


def test_https_to_a_plain_port_is_told_at_once(server: Standin, maker: Maker) -> None:
    """No retry helps, and nothing was sent: it is not said that the answer could not be read."""
    error, retries = failure(maker, base_url=server.url.replace("http:", "https:"))

    assert "no TLS connection to the server" in str(error)
    assert type(error) is RequestError
    assert not retries
    assert not server.log


def test_a_refused_connection_is_tried_again(maker: Maker) -> None:
    """The service may be back in a moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    error, retries = failure(maker, base_url=url, max_retries=2)

    assert isinstance(error, ServiceUnavailableError)
    assert len(retries) == 2


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
    assert "no answer within 0.2 s" in str(error)
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

    assert (vectors == vectors_of(server, WIRES, model="gemini-embedding-2")).all()
    assert [exchange.status for exchange in server.log] == [301, 200]
    assert server.log[-1].headers["x-goog-api-key"] == "a-key"


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
