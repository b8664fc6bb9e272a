"""A server that sends bytes, whatever they are."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import GeminiEmbedder, GeminiEmbedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from gemini_embed.observe.events import Retry

    Maker = Callable[..., GeminiEmbedder]


def read_request(connection: socket.socket) -> None:
    got = b""
    while b"\r\n\r\n" not in got:
        if not (received := connection.recv(2**16)):
            raise OSError("the client went")
        got += received
    lines, _, body = got.partition(b"\r\n\r\n")
    named = [line for line in lines.split(b"\r\n") if line.lower().startswith(b"content-length")]
    length = int(named[0][15:]) if named else 0  # a GET has no body
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


def failure(make: Maker, **options: Any) -> tuple[GeminiEmbedError, list[Retry]]:
    """Return the error of a call, and what was tried again before."""
    retries: list[Retry] = []
    with pytest.raises(GeminiEmbedError) as caught:
        make(on_retry=retries.append, **options).embed(["a", "b"], role="document")
    return caught.value, retries
