"""Reading an answer's numbers ourselves changes nothing but the time it takes."""

from __future__ import annotations

import contextlib
import gc
import gzip
import importlib
import json
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fuzz import answers
from helpers import vectors_of
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import BadResponseError, GeminiEmbedder
from gemini_embed.service import json_vectors
from gemini_embed.service.backend import sdk_version
from gemini_embed.service.json_vectors import Report, split_answer

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
        | st.dictionaries(
            st.sampled_from(["embeddings", "embedding", "predictions", "values", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)

BOTH_WAYS = pytest.mark.parametrize("fast", [True, False], ids=["pysimdjson", "json"])


def in_json(answer: dict[str, Any]) -> list[list[float]]:
    """Return the vectors of an answer, by way of the standard library."""
    if "predictions" in answer:
        held = [prediction["embeddings"] for prediction in answer["predictions"]]
    else:
        held = answer["embeddings"] if "embeddings" in answer else [answer["embedding"]]
    return [embedding["values"] for embedding in held]


def same_bits(rows: list[Any], expected: list[list[float]]) -> bool:
    with np.errstate(over="ignore"):
        return [np.array(row, np.float32).tobytes() for row in rows] == [
            np.array(row, np.float32).tobytes() for row in expected
        ]


@BOTH_WAYS
@given(
    written=st.lists(arrays(), min_size=1, max_size=4),
    shape=st.sampled_from(["many", "one", "predict"]),
)
def test_numbers_are_the_same_to_the_bit(written: list[str], shape: str, *, fast: bool) -> None:
    """In every notation that JSON has, a number becomes the float32 that the SDK's way gives."""
    match shape:
        case "many":
            listed = ",".join(f'{{"values":{array}}}' for array in written)
            body = f'{{"embeddings":[{listed}],"usageMetadata":{{"promptTokenCount":3}}}}'
            report = Report(3)
        case "one":
            body = f'{{"embedding": {{"values": {written[0]}}}, "truncated": true}}'
            report = Report(some_truncated=True)
        case _:
            listed = ",".join(
                f'{{"embeddings":{{"statistics":{{"token_count":4}},"values":{array}}}}}'
                for array in written
            )
            body = f'{{"predictions":[{listed}],"metadata":{{"billableCharacterCount":12}}}}'
            report = Report(4 * len(written), truncated=[])

    parted = split_answer(body.encode(), fast=fast)

    assert same_bits(parted.rows, in_json(json.loads(body)))
    assert parted.report == report


@BOTH_WAYS
@pytest.mark.parametrize("name", ["promptTokenDetails", "promptTokensDetails"])
def test_tokens_are_told_by_kind_of_input(name: str, *, fast: bool) -> None:
    """As the Gemini API spells it, whose details the SDK drops, and as Vertex AI does."""
    details = [{"modality": "IMAGE", "tokenCount": 258}, {"modality": "TEXT", "tokenCount": 3}]
    usage = {"promptTokenCount": 261, name: details}
    body = {"embeddings": [{"values": [1.0]}], "usageMetadata": usage}

    report = split_answer(json.dumps(body).encode(), fast=fast).report

    assert report == Report(261, {"IMAGE": 258, "TEXT": 3})


@pytest.mark.parametrize(
    ("count", "details"),
    [
        (7, "TEXT"),
        (7, [{"modality": "TEXT"}]),
        (7, [{"modality": "TEXT", "tokenCount": -1}]),
        (7, [{"modality": "TEXT", "tokenCount": 1.5}]),
        (7, [{"modality": "TEXT", "tokenCount": True}]),
        (7, [{"modality": "a text", "tokenCount": 7}]),
        (7, [{"modality": "A" * 1000, "tokenCount": 7}]),
        (7, [{"modality": f"A{number}", "tokenCount": 0} for number in range(1000)]),
        (7, [None, 1, []]),
    ],
)
def test_details_that_are_no_counts_are_none(count: int, details: object) -> None:
    """What is told of all tokens holds without them; nothing of any length is kept."""
    usage = {"promptTokenCount": count, "promptTokenDetails": details}
    body = {"embeddings": [{"values": [1.0]}], "usageMetadata": usage}

    assert split_answer(json.dumps(body).encode()).report == Report(count)


def test_a_long_answer_is_read_with_pauses() -> None:
    """Reading 100 vectors does not keep other threads waiting until all are read."""
    body = {"embeddings": [{"values": [float(i), 1.0]} for i in range(100)]}
    pauses: list[None] = []

    parted = split_answer(json.dumps(body).encode(), lambda: pauses.append(None))

    assert [row[0] for row in parted.rows if row is not None] == list(range(100))
    assert len(pauses) == 3


@BOTH_WAYS
@given(body=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_the_bytes_no_other_vectors_are_found(body: bytes, *, fast: bool) -> None:
    """A body of any other form is refused, never half read."""
    assert answers.found(body, fast=fast) == answers.expected(body)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ('{"embeddings":[{"values":[1],"values":[2]}]}', [[2]]),
        (
            '{"embeddings":[{"values":[1]}],"embeddings":[{"values":[2]},{"values":[3]}]}',
            [[2], [3]],
        ),
        ('{"embeddings":[{"values":[1]}],"embeddings":null}', []),
        ('{"embeddings":[{"values":[1]}],"embedding":null}', [[1]]),
        ('{"embeddings":[{"values":[1],"more":[2]}],"more":[3]}', [[1]]),
        ('{"embeddings":[{"values":[1],"more":"[2]"}]}', [[1]]),
        ('{"[7]":[8],"embeddings":[{"\\u0076alues":[-0, 1e0 , 1.0]}]}', [[0, 1, 1]]),
        ('{"embeddings":[{"values":[123456789012345678901234567890]}]}', [[1.2345679e29]]),
        ('{"x":NaN,"y":[5],"embeddings":[{"values":[1]}]}', [[1]]),
        ("{}", []),
    ],
)
def test_unusual_answers_are_read_as_json_reads_them(
    body: str, rows: list[list[float]], *, fast: bool
) -> None:
    """Repeated names, arrays elsewhere, escapes: each vector is the one in its place."""
    assert same_bits(split_answer(body.encode(), fast=fast).rows, rows)


@BOTH_WAYS
@pytest.mark.parametrize(
    "values",
    ["[true]", "[1,false]", '["0.5"]', "[null]", "[1,[2]]", "[[1]]", '[{"a":1}]', '"[1]"', "1"],
)
def test_only_numbers_are_numbers(values: str, *, fast: bool) -> None:
    """`true` is not 1 and "0.5" not 0.5; no other array of the answer stands in for the vector."""
    body = f'{{"debug":[0.5,1],"embeddings":[{{"values":[1]}},{{"values":{values}}}]}}'

    with pytest.raises(BadResponseError, match="vector 1 of the answer holds something other than"):
        split_answer(body.encode(), fast=fast)


def test_pysimdjson_need_not_be_installed() -> None:
    """Without it answers are read as strictly, if more slowly."""
    program = """
import sys
sys.modules["simdjson"] = None
from gemini_embed.service.json_vectors import split_answer
print([row.tolist() for row in split_answer(b'{"embeddings":[{"values":[0.5,1]}]}').rows])
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[[0.5, 1.0]]"


def test_a_word_that_is_no_json_takes_no_array() -> None:
    """NaN stands for nothing else, in any encoding that `json` reads."""
    for body in (
        '{"x":"[1]","embeddings":[{"values":NaN}]}',
        '{"x":"\u315b\u205d","embeddings":[{"values":NaN}]}',  # in UTF-16 its bytes hold [1]
    ):
        for encoding in ("utf-8", "utf-16-le", "utf-8-sig"):
            with pytest.raises(BadResponseError, match="vector 0 of the answer holds something"):
                split_answer(body.encode(encoding))


@BOTH_WAYS
@pytest.mark.parametrize(
    "body",
    [
        '{"embeddings":[{"values":[1]}],"embedding":{"values":[2]}}',
        '{"embeddings":[{"values":[1]}',
        '{"embeddings":[{"values":[1]}]}]',
        '{"embeddings":[{"values":[01]}]}',
        '{"embeddings":{"values":[1]}}',
        f'{{"embeddings":[{"{}," * 1000}{{}}]}}',
        "[1]",
        "[" * 2000,
        "",
    ],
)
def test_what_is_no_answer_is_refused(body: str, *, fast: bool) -> None:
    """Nobody guesses which of two vectors is meant, or how a cut body would go on."""
    with pytest.raises(BadResponseError, match="the answer could not be read"):
        split_answer(body.encode(), fast=fast)


@BOTH_WAYS
@pytest.mark.parametrize("embedding", ["{}", '{"values":null}', "null", "1", "[1]"])
def test_an_embedding_without_values_is_told_from_a_missing_one(
    embedding: str, *, fast: bool
) -> None:
    """It has its place among the others."""
    body = f'{{"embeddings":[{{"values":[1]}},{embedding},{{"values":[2]}}]}}'

    first, second, third = split_answer(body.encode(), fast=fast).rows

    assert second is None
    assert same_bits([first, third], [[1], [2]])


@BOTH_WAYS
@pytest.mark.parametrize(
    "repeated",
    [
        *("[", "[1,", '"[",', "[[1],", "[1],", "[],", "{},", "]", '{"a":', '{"":[1]},', "[NaN],"),
        *("1", "1,", " ", '\\"', '"', '{"values":[1]},', "9" * 4000 + ",", "true,", "-", "[ "),
    ],
)
def test_reading_takes_time_in_proportion(repeated: str, *, fast: bool) -> None:
    """Half a megabyte of anything is read or refused at once: else one answer would hold up all."""
    inner = repeated * (500_000 // len(repeated))
    began = time.monotonic()

    for body in (f'{{"embeddings":[{inner}', f'{{"x":"{inner}"]}}', f'{{"embeddings":[{inner}1]}}'):
        with contextlib.suppress(BadResponseError):
            split_answer(body.encode(), fast=fast)

    assert time.monotonic() - began < 30  # in square time it would be hours


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
AS_SENT = [f"title: none | text: {text}" for text in TEXTS]


@BOTH_WAYS
async def test_the_sdk_never_sees_the_numbers(
    server: Standin, maker: Maker, monkeypatch: pytest.MonkeyPatch, *, fast: bool
) -> None:
    """Through both HTTP libraries, sync and async, the SDK reads no numbers, and ours are right."""
    seen: list[str] = []
    loads = json.loads

    def noting(text: Any, **more: Any) -> Any:
        if isinstance(text, str) and not more:  # as the SDK calls it
            seen.append(text)
        return loads(text, **more)

    monkeypatch.setattr(json, "loads", noting)
    made = maker(fast_decode=fast)

    synchronous = made.embed(TEXTS, role="document").vectors
    asynchronous = (await made.aembed(TEXTS, role="document")).vectors

    expected = vectors_of(server, AS_SENT, model="gemini-embedding-2")
    assert (synchronous == expected).all()
    assert (asynchronous == expected).all()
    assert len(server.log) == 6
    assert not any("values" in text for text in seen)


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
    ours = held.filter_traces([tracemalloc.Filter(True, json_vectors.__file__)])
    assert sum(trace.size for trace in ours.traces) < 50 * 3072 * 4  # one request's vectors


def test_it_can_be_switched_off(server: Standin, maker: Maker) -> None:
    """`fast_decode=False` does without pysimdjson; vectors and usage are the same."""
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
    server.script.extend((fault,) * 4)
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


@BOTH_WAYS
@pytest.mark.parametrize(
    "values", ["[true]", '["0.5"]', "[NaN]", "[Infinity]", "[null]", "[1e400]"]
)
def test_what_is_no_number_never_becomes_one(
    values: str, server: Standin, maker: Maker, *, fast: bool
) -> None:
    """However the answer travels and is read, it is an error that names the vector."""
    right = "[1" + ",0" * 127 + "]"
    wrong = values.removesuffix("]") + ",0" * 127 + "]"
    body = f'{{"debug":{right},"embeddings":[{{"values":{right}}},{{"values":{wrong}}}]}}'
    server.script.extend([(200, body.encode(), {"Content-Type": "application/json"})] * 2)
    made = maker(fast_decode=fast, max_retries=1, output_dimensionality=128)

    with pytest.raises(BadResponseError, match="vector 1 of the answer holds") as caught:
        made.embed(["a", "b"], role="document")

    assert caught.value.indexes == (0, 1)
    assert len(server.log) == 2


def test_a_hook_that_reads_the_answer_is_no_hindrance(server: Standin, embedder: Maker) -> None:
    """A caller's hook may read bodies, for a log; numbers are still numbers only."""
    seen = []

    async def hook(response: Any) -> None:
        seen.append(await response.aread())

    given = {
        "transport": _http_library().AsyncHTTPTransport(),
        "event_hooks": {"response": [hook]},
    }

    vectors = embedder(client_args=given, timeout=5).embed(["a"], role="query").vectors

    as_sent = ["task: search result | query: a"]
    assert (vectors == vectors_of(server, as_sent, model="gemini-embedding-2")).all()
    assert b"values" in seen[0]
    server.script.append((200, b'{"embeddings":[{"values":[true]}]}', {}))
    with pytest.raises(BadResponseError, match="something other than numbers"):
        embedder(client_args=given, timeout=5, max_retries=0).embed(["a"], role="query")


def test_a_number_too_large_for_float32_is_an_error(server: Standin, maker: Maker) -> None:
    """It would be infinite; the error says which vector."""
    body = {"embeddings": [{"values": [0.5] * 3072}, {"values": [1e39] * 3072}]}
    server.script.extend([(200, body, {})] * 2)

    with pytest.raises(
        BadResponseError, match="vector 1 of the answer holds a number that is not finite"
    ):
        maker(max_retries=1).embed(["a", "b"], role="document")


@pytest.mark.parametrize(
    ("told", "count"),
    [
        *((7, 7), (0, 0), ("7", 7), (7.0, 7)),
        *((-1, None), ("-1", None), (7.5, None), (True, None), ("", None), ("7" * 20, None)),
        *(("\u0667", None), (1e400, None), ([7], None), (None, None)),
    ],
)
def test_a_count_is_a_whole_number(told: object, count: int | None) -> None:
    """As a number or in a string, which is how Google prints 64 bits; nothing else is believed."""
    assert json_vectors.count_of(told) == count
