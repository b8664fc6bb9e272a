"""How much of an answer is read, and as what.

All of it through both HTTP libraries that the SDK may send through.
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from service.raw import chunk, head, raw_server

from gemini_embed import BadResponseError, GeminiEmbedder, RequestError
from gemini_embed.service.bounded import Body, most_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


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
        (gzip.compress(b"{}" * 500, mtime=0)[:-9], "ends within its compression"),
        (gzip.compress(b"{}", mtime=0) + b"more", "goes on after the end"),
        (b"no gzip at all", "could not be decompressed"),
        (gzip.compress(b"{}", mtime=0)[:-8] + bytes(8), "could not be decompressed"),
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
