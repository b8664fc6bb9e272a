"""Answers, and how they leave: whole, in half, or not at all."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aiohttp import web

from gemini_embed.standin import google_errors
from gemini_embed.standin.faults import check_kind

if TYPE_CHECKING:
    from gemini_embed.standin.faults import FaultKind, Scripted

_JSON = "application/json; charset=UTF-8"

_HTML = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    "<body><h1>502 Bad Gateway</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; the `body` may be made while it is sent."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": _JSON})
    sent: Literal["whole", "half", "reset"] = "whole"


Handler: TypeAlias = Callable[[web.Request], Awaitable[Answer]]
AioHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def printed(body: Any, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, json.dumps(body).encode())


def refused(error: google_errors.GoogleError) -> Answer:
    """Return the answer that refuses."""
    return printed(error.body, error.status)


def instead(fault: Scripted) -> Answer | None:
    """Return what a fault answers without a look at the request, if it is one of these.

    Raises:
        ValueError: There is no such fault.
    """
    if isinstance(fault, tuple):
        return _verbatim(*fault)
    if fault is None:
        return None
    check_kind(fault)
    return _instead(fault)


def _verbatim(status: int, body: dict[str, Any] | str | bytes, headers: dict[str, str]) -> Answer:
    if isinstance(body, dict):
        answer = printed(body, status)
        return replace(answer, headers=answer.headers | headers)
    return Answer(status, body.encode() if isinstance(body, str) else body, headers)


def _instead(kind: FaultKind) -> Answer | None:
    match kind:
        case "503" | "500":
            return refused(
                google_errors.overloaded() if kind == "503" else google_errors.internal()
            )
        case "html":
            return Answer(502, _HTML.encode(), {"Content-Type": "text/html; charset=UTF-8"})
        case "not-json":
            return Answer(200, b"upstream answered", {"Content-Type": "text/plain"})
        case "reset":
            return Answer(0, sent="reset")
        case _:
            return None


async def send(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send an answer, or as much of it as it says."""
    if answer.sent == "whole" and isinstance(answer.body, bytes):
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    response = web.StreamResponse(status=answer.status or 200, headers=answer.headers)
    if answer.sent != "reset":
        with suppress(ConnectionError):  # the caller has gone
            await _write(request, response, answer)
    if answer.sent == "whole" or request.transport is None:
        return response
    if answer.sent == "half":
        request.transport.close()
    else:
        # Without lingering, closing sends a reset.
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return response


async def _write(request: web.Request, response: web.StreamResponse, answer: Answer) -> None:
    if isinstance(answer.body, bytes):
        response.content_length = len(answer.body)
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
        return
    await response.prepare(request)
    async for chunk in answer.body:
        if answer.sent == "half":
            await response.write(chunk[: len(chunk) // 2])
            return
        await response.write(chunk)
