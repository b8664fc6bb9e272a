"""Requests with bodies of our own, against servers that answer whatever they like."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from service.raw import chunk, head, raw_server

from gemini_embed import BadResponseError, GeminiEmbedder, RequestError, ServiceUnavailableError
from gemini_embed.background import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from gemini_embed.service.batches import Batches

WAYS: dict[str, dict[str, Any]] = {"aiohttp": {}, "httpx": {"client_args": {"headers": {"x": "y"}}}}

LINES = [b'{"key": "%d", "text": "\\u6587"}' % n for n in range(20_000)]


def gzipped(body: bytes) -> bytes:
    made = zlib.compressobj(wbits=31)
    return made.compress(body) + made.flush()


@pytest.fixture(params=WAYS)
def asked(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[Iterable[bytes], Callable[[Batches], Any]], Any]:
    """Return what asks a server that answers with these bytes, through either library."""

    def ask(answer: Iterable[bytes], what: Callable[[Batches], Any]) -> Any:
        with raw_server(answer) as (url, _), embedder(url, request.param, tmp_path) as made:

            async def work() -> Any:
                service: Any = await made._batch_service()
                return await what(service)

            return loop.run(work)

    return ask


@contextmanager
def embedder(url: str, way: str, folder: Path) -> Generator[GeminiEmbedder]:
    made = GeminiEmbedder(
        api_key="k", base_url=url, cache=folder / "v.sqlite3", timeout=2, **WAYS[way]
    )
    with made:
        yield made


async def lines(service: Batches) -> list[bytes]:
    return [line async for line in service.lines("files/x", 1000)]


@pytest.mark.parametrize("packed", [True, False])
def test_results_are_read_as_they_come(asked: Any, *, packed: bool) -> None:
    """Compressed or not, in pieces of any size."""
    body = b"\n".join(LINES)
    sent = gzipped(body) if packed else body
    more = {"Content_Encoding": "gzip"} if packed else {}
    pieces = [chunk(sent[at : at + 7_001]) for at in range(0, len(sent), 7_001)]

    found = asked([head(200, Transfer_Encoding="chunked", **more), *pieces, chunk(b"")], lines)

    assert found == LINES


@pytest.mark.parametrize("packed", [True, False])
def test_results_that_break_off_are_an_error(asked: Any, *, packed: bool) -> None:
    """Nobody takes a part for the whole."""
    body = b"\n".join(LINES)
    sent = gzipped(body) if packed else body
    more = {"Content_Encoding": "gzip"} if packed else {}
    half = sent[: len(sent) // 2]

    with pytest.raises((ServiceUnavailableError, BadResponseError)):
        asked([head(200, Content_Length=str(len(sent)), **more), half], lines)


@pytest.mark.parametrize("body", [b"", b"[]", b"not JSON", b"[" * 100_000, b'{"name": "x"}'])
def test_an_answer_that_names_no_job_is_none(asked: Any, body: bytes) -> None:
    """A job may exist then: what is not known to have been refused is looked for."""
    answer = [head(Content_Length=str(len(body))), body]

    with pytest.raises(BadResponseError):
        asked(answer, lambda service: service.create("m", "ours", "files/x"))


def test_an_answer_is_read_no_further_than_it_may_be(asked: Any) -> None:
    """However long it goes on."""
    endless = [head(Transfer_Encoding="chunked"), *[chunk(b" " * 2**20)] * 40]

    with pytest.raises(BadResponseError, match="longer than"):
        asked(endless, lambda service: service.list())


def test_a_list_without_an_end_is_an_error(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same page again and again."""
    monkeypatch.setattr("gemini_embed.service.requests._PAGES", 3)
    body = b'{"operations": [], "nextPageToken": "more"}'

    with pytest.raises(BadResponseError, match="more than 3 pages"):
        asked([head(Content_Length=str(len(body))), body], lambda service: service.list())


def test_a_redirect_to_another_host_gets_neither_key_nor_texts(asked: Any) -> None:
    """As for every other request."""
    answer = [head(307, Location="http://localhost:9/x", Content_Length="0")]

    with pytest.raises(RequestError, match="is not followed"):
        asked(answer, lambda service: service.get("batches/x"))


def test_an_upload_goes_to_the_host_that_was_asked(asked: Any) -> None:
    """Of the address that the service names, only the path is taken."""
    answer = [
        head(
            Content_Length="2",
            X_Goog_Upload_URL="http://198.51.100.1:9/upload?id=1",
            X_Goog_Upload_Status="final",
        ),
        b"{}",
    ]

    async def upload(service: Batches) -> None:
        async def nothing() -> None:
            """Nobody has to be asked."""

        await service.upload("files/x", [b"text"], 4, nothing)

    asked(answer, upload)


def test_an_upload_that_is_not_finished_is_an_error(asked: Any) -> None:
    """The service has to say that it has all."""
    answer = [
        head(Content_Length="2", X_Goog_Upload_URL="/u", X_Goog_Upload_Status="active"),
        b"{}",
    ]

    async def upload(service: Batches) -> None:
        async def nothing() -> None:
            """Nobody has to be asked."""

        await service.upload("files/x", [b"text"], 4, nothing)

    with pytest.raises(BadResponseError, match="did not take a file to its end"):
        asked(answer, upload)
