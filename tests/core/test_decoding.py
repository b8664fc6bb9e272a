"""Reading an answer's numbers ourselves changes nothing but the time it takes."""

from __future__ import annotations

import gc
import gzip
import importlib
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import vectors_of
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import BadResponseError, GeminiEmbedder, decoding
from gemini_embed.backend import sdk_version
from gemini_embed.decoding import part

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import FaultKind, Standin

    Maker = Callable[..., GeminiEmbedder]

NUMBER = st.from_regex(
    r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
SPACE = st.text(" \t\n\r", max_size=2)


@st.composite
def arrays(draw: st.DrawFn) -> str:
    spaced = [
        draw(SPACE) + number + draw(SPACE)
        for number in draw(st.lists(NUMBER, min_size=1, max_size=8))
    ]
    return f"[{','.join(spaced)}]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["embeddings", "values", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def in_json(answer: dict[str, Any]) -> tuple[list[list[float]], dict[str, Any]]:
    """Return what `part` should make of an answer, by way of the standard library."""
    if "predictions" in answer:
        held = [prediction["embeddings"] for prediction in answer["predictions"]]
    else:
        held = answer["embeddings"] if "embeddings" in answer else [answer["embedding"]]
    rows = [embedding["values"] for embedding in held]
    for embedding in held:
        embedding["values"] = []
    if "embeddings" in answer and all(embedding == {"values": []} for embedding in held):
        answer["embeddings"] = []
    return rows, answer


def same_bits(rows: list[Any], expected: list[list[float]]) -> bool:
    with np.errstate(over="ignore"):
        return [np.array(row, np.float32).tobytes() for row in rows] == [
            np.array(row, np.float32).tobytes() for row in expected
        ]


@given(st.lists(arrays(), min_size=1, max_size=4), st.sampled_from(["many", "one", "predict"]))
def test_numbers_are_the_same_to_the_bit(written: list[str], shape: str) -> None:
    """In every notation that JSON has, a number becomes the float32 that the SDK's way gives."""
    match shape:
        case "many":
            listed = ",".join(f'{{"values":{array}}}' for array in written)
            body = f'{{"embeddings":[{listed}],"usageMetadata":{{"promptTokenCount":3}}}}'
        case "one":
            body = f'{{"embedding": {{"values": {written[0]}}}, "truncated": true}}'
        case _:
            listed = ",".join(
                f'{{"embeddings":{{"statistics":{{"token_count":4}},"values":{array}}}}}'
                for array in written
            )
            body = f'{{"predictions":[{listed}],"metadata":{{"billableCharacterCount":12}}}}'

    parted = part(body.encode())

    assert parted is not None
    rows, rest = in_json(json.loads(body))
    assert same_bits(parted.rows, rows)
    assert json.loads(parted.rest) == rest


def test_a_long_answer_is_read_with_pauses() -> None:
    """Reading 100 vectors does not keep other threads waiting until all are read."""
    body = {"embeddings": [{"values": [float(i), 1.0]} for i in range(100)]}
    pauses: list[None] = []

    parted = part(json.dumps(body).encode(), lambda: pauses.append(None))

    assert parted is not None
    assert [row[0] for row in parted.rows] == list(range(100))
    assert len(pauses) == 3


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_is_no_answer_is_left_to_the_sdk(body: bytes) -> None:
    """A body of any other form is never half read, and never raises."""
    parted = part(body)

    if parted is not None:
        rows, rest = in_json(json.loads(body))
        assert same_bits(parted.rows, rows)
        assert json.loads(parted.rest) == rest


@pytest.mark.parametrize(
    "body",
    [
        '{"embeddings":[{"values":[1,[2]]}]}',
        '{"embeddings":[{"values":[[1],[2]]}]}',
        '{"embeddings":[{"values":[1,null]}]}',
        '{"embeddings":[{"values":[1,"2"]}]}',
        '{"embeddings":[{"values":[1],"values":[2]}]}',
        '{"embeddings":[{"values":[1]}],"embeddings":[]}',
        '{"embeddings":[{"values":[1]}],"embedding":{"values":[2]}}',
        '{"embeddings":[{"values":[NaN]}]}',
        '{"embeddings":[{"values":[1e400]}]}',
        '{"embeddings":[{"values":[123456789012345678901234567890]}]}',
        '{"embeddings":[{"values":[1]},{}]}',
        '{"embeddings":[{"values":[1]}',
        '{"embeddings":[{"values":[]}]}',
        '{"embeddings":[{"values":[1],"more":[2]}]}',
        '{"embeddings":[{"values":[1],"more":"[2]"}]}',
        '{"embeddings":[{"\\u0076alues":"[1]"}]}',
        "[" * 2000,
        "{}",
        "",
    ],
)
def test_a_hostile_answer_is_left_to_the_sdk(body: str) -> None:
    """Repeated names, arrays in arrays, numbers out of range: the SDK says what they are."""
    assert part(body.encode()) is None


@pytest.fixture(params=["aiohttp", "httpx"])
def maker(request: pytest.FixtureRequest, embedder: Maker) -> Maker:
    """Return a maker of embedders whose SDK sends through one HTTP library or the other."""

    def make(**options: Any) -> GeminiEmbedder:
        if request.param == "httpx":
            options["client_args"] = {"transport": _http_library().AsyncHTTPTransport()}
        return embedder(**options)

    return make


def _http_library() -> Any:
    """Return the library that the SDK takes where aiohttp is not to be used."""
    return importlib.import_module("httpx2" if sdk_version() >= (3, 4) else "httpx")


TEXTS = [f"text {i}" for i in range(250)]
WIRES = [f"title: none | text: {text}" for text in TEXTS]


async def test_the_sdk_never_sees_the_numbers(
    server: Standin, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through both HTTP libraries, sync and async, the SDK reads no numbers, and ours are right."""
    seen: list[Any] = []
    loads = json.loads

    def noting(text: Any, **more: Any) -> Any:
        seen.append(text)
        return loads(text, **more)

    monkeypatch.setattr(json, "loads", noting)
    fast = maker()

    synchronous = fast.embed(TEXTS, role="document").vectors
    asynchronous = (await fast.aembed(TEXTS, role="document")).vectors

    expected = vectors_of(server, WIRES, model="gemini-embedding-2")
    assert (synchronous == expected).all()
    assert (asynchronous == expected).all()
    answers = [text for text in seen if isinstance(text, str) and '"embeddings"' in text]
    assert answers
    assert all(loads(text)["embeddings"] == [] for text in answers)


def test_no_answer_outlives_its_call(server: Standin, maker: Maker) -> None:
    """Memory does not grow with the number of requests, not even until timers have run out."""
    made = maker(batch_size=50)
    made.embed(TEXTS, role="document")
    tracemalloc.start()
    try:
        made.embed(TEXTS, role="document")
        gc.collect()
        held = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()

    assert len(server.log) == 10
    ours = held.filter_traces([tracemalloc.Filter(True, decoding.__file__)])
    assert sum(trace.size for trace in ours.traces) < 50 * 3072 * 4  # one request's vectors


def test_it_can_be_switched_off(server: Standin, maker: Maker) -> None:
    """`fast_decode=False` leaves all to the SDK; vectors and usage are the same."""
    fast, slow = (maker(fast_decode=on).embed(TEXTS, role="document") for on in (True, False))

    assert fast.vectors.tobytes() == slow.vectors.tobytes()
    assert fast.usage == slow.usage
    assert len(server.log) == 6


def test_compressed_answers_are_read(server: Standin, maker: Maker) -> None:
    """Google compresses its answers."""
    body = {"embeddings": [{"values": [0.25] * 3072}, {"values": [-0.5] * 3072}]}
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    server.script.append((200, gzip.compress(json.dumps(body).encode()), headers))

    vectors = maker().embed(["a", "b"], role="document").vectors

    assert vectors[:, 0].tolist() == [0.25, -0.5]


@pytest.mark.parametrize("fault", ["short", "empty", "nan", "wrong-dimension", "not-json", "half"])
def test_a_wrong_answer_is_the_same_error(fault: FaultKind, server: Standin, maker: Maker) -> None:
    """What is wrong with an answer is told in the same words either way, and asked again first."""
    server.script.extend([fault] * 4)
    told = []

    for on in (True, False):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - compared below
            maker(fast_decode=on, max_retries=1).embed(["a", "b"], role="document")
        told.append((type(caught.value), str(caught.value)))

    assert told[0] == told[1]
    assert len(server.log) == 4


def test_the_callers_own_hooks_and_options_stay(embedder: Maker) -> None:
    """An event hook of the caller's is still called, and the caller's dict is as it was."""
    called = []

    async def hook(response: Any) -> None:
        called.append(response.status_code)

    given = {
        "transport": _http_library().AsyncHTTPTransport(),
        "event_hooks": {"response": [hook]},
    }
    before = {**given, "event_hooks": {"response": [hook]}}

    embedder(client_args=given).embed(["a"], role="query")

    assert called == [200]
    assert given == before


@pytest.mark.filterwarnings("ignore:the key or access token goes to service.invalid")
def test_the_environments_proxy_is_used(
    server: Standin, embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTP_PROXY` and `NO_PROXY` mean what they mean to the SDK."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    embedder(base_url="http://service.invalid").embed(["a"], role="query")
    host = server.log[-1].headers["host"]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    embedder().embed(["b"], role="query")

    assert host == "service.invalid"
    assert server.log[-1].headers["host"] == server.url.removeprefix("http://")


def test_a_netrc_file_is_used(
    server: Standin, embedder: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the SDK would send for a gateway, from the user's `.netrc`, is sent here too."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login somebody password secret\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))

    embedder().embed(["a"], role="query")

    assert server.log[-1].headers["authorization"].startswith("Basic ")


@given(st.binary(max_size=40), st.integers(0, 10**6))
def test_a_damaged_answer_is_never_a_vector_of_its_own(noise: bytes, place: int) -> None:
    """Bytes put anywhere into an answer: it is refused here, or says the same as to `json`."""
    whole = b'{"embeddings":[{"values":[0.5,-0.25,1e-3]},{"values":[1,2,3]}],"usageMetadata":{}}'
    place %= len(whole)
    body = whole[:place] + noise + whole[place + len(noise) // 2 :]

    parted = part(body)

    if parted is not None:
        rows, _ = in_json(json.loads(body))
        assert same_bits(parted.rows, rows)


def test_a_hook_that_reads_the_answer_is_no_hindrance(server: Standin, embedder: Maker) -> None:
    """A caller's hook may read bodies, for a log; the SDK then reads the numbers."""
    seen = []

    async def hook(response: Any) -> None:
        seen.append(await response.aread())

    given = {
        "transport": _http_library().AsyncHTTPTransport(),
        "event_hooks": {"response": [hook]},
    }

    vectors = embedder(client_args=given, timeout=5).embed(["a"], role="query").vectors

    wires = ["task: search result | query: a"]
    assert (vectors == vectors_of(server, wires, model="gemini-embedding-2")).all()
    assert b"values" in seen[0]


def test_a_number_too_large_for_float32_is_an_error(server: Standin, maker: Maker) -> None:
    """It would be infinite; the error says which vector."""
    body = {"embeddings": [{"values": [0.5] * 3072}, {"values": [1e39] * 3072}]}
    server.script.extend([(200, body, {})] * 2)

    with pytest.raises(
        BadResponseError, match="vector 1 of the answer holds a number that is not finite"
    ):
        maker(max_retries=1).embed(["a", "b"], role="document")
