"""We write the body of a request for several texts: it is the one that the SDK would send."""

from __future__ import annotations

import json
import threading
import warnings
from functools import wraps
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from google import genai
from google.genai.models import AsyncModels
from google.oauth2.credentials import Credentials
from helpers import vectors_of
from hypothesis import given
from hypothesis import strategies as st
from service.vertex import texts_of

from gemini_embed import GeminiEmbedder
from gemini_embed.service.backend import sdk_version
from gemini_embed.service.bodies import written
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # half of a pair of surrogates is no text
TEXTS = ["one", 'the "second"', "drei\n", "\u56db \U0001f600"]


@pytest.fixture(scope="module")
def service() -> Iterator[Standin]:
    with Standin() as standin:
        yield standin


def identity(backend: str) -> dict[str, Any]:
    if backend == "gemini":
        return {"vertexai": False, "api_key": "a-key"}
    credentials = Credentials(token="a-token")  # type: ignore[no-untyped-call] # noqa: S106 - google-auth is untyped here; opens nothing
    return {"vertexai": True, "project": "p", "location": "global", "credentials": credentials}


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("dimension", [None, 256])
@pytest.mark.parametrize(
    "asked",
    [
        ("gemini", "gemini-embedding-001", "RETRIEVAL_DOCUMENT", "T"),
        ("gemini", "gemini-embedding-001", "CLUSTERING", None),
        ("gemini", "gemini-embedding-2", None, None),
        ("vertex", "gemini-embedding-001", "RETRIEVAL_DOCUMENT", "T"),
        ("vertex", "gemini-embedding-2", None, None),
        ("vertex", "text-embedding-005", "RETRIEVAL_DOCUMENT", "T"),
        ("vertex", "text-embedding-005", "CLUSTERING", None),
    ],
)
def test_what_leaves_is_what_the_sdk_would_send(
    service: Standin,
    asked: tuple[str, str, str | None, str | None],
    dimension: int | None,
    size: int,
) -> None:
    """Address and body are the SDK's own, for every route, one text or several."""
    backend, model, task_type, title = asked
    texts = TEXTS[:size]
    if (
        backend == "vertex"
        and model == "gemini-embedding-2"
        and sdk_version() < (3, 4)
        and size > 1
    ):
        pytest.skip("google-genai 2 refuses several texts of this model")
    bare = genai.Client(http_options={"base_url": service.url}, **identity(backend))
    with GeminiEmbedder(
        model=model,
        base_url=service.url,
        output_dimensionality=dimension,
        task_prefix=False,
        **identity(backend),
    ) as made:
        made.embed(
            texts,
            role="document",
            task_type=task_type,
            titles=[title] * size if title else None,
        )
    ours = service.log[-1]
    config = {"task_type": task_type, "title": title, "output_dimensionality": dimension}
    contents: Any = [{"parts": [{"text": text}]} for text in texts]
    bare.models.embed_content(
        model=model,
        contents=contents,
        config={name: value for name, value in config.items() if value is not None},  # type: ignore[arg-type] # a mapping of these
    )
    theirs = service.log[-1]

    assert ours is not theirs
    assert (ours.path, ours.body) == (theirs.path, theirs.body)


@pytest.mark.parametrize("client_args", [None, {"timeout": 20.0}])
@pytest.mark.parametrize("size", [1, 4])
def test_texts_leave_as_utf8(
    service: Standin, size: int, client_args: dict[str, Any] | None
) -> None:
    """No letter is escaped that UTF-8 writes in half, whichever HTTP library sends it."""
    texts = ["\u6587\u672c \U0001f600", "\\u6587 \x01\x7f", "plain", '"\u00e9"'][:size]
    with GeminiEmbedder(
        base_url=service.url, task_prefix=False, client_args=client_args, api_key="a-key"
    ) as made:
        made.embed(texts, role="document")
    sent = service.log[-1]

    body = json.dumps(sent.body, ensure_ascii=False).encode()
    assert [one["content"]["parts"][0]["text"] for one in sent.body["requests"]] == texts
    assert int(sent.headers["content-length"]) == len(body)


@pytest.mark.parametrize("letter", ["x", "\u6587", '"', "\n", "\x01"])
def test_no_body_is_above_the_limit(service: Standin, letter: str) -> None:
    """100 texts of 8,000 letters share requests of at most 4 MiB, however these are written."""
    service.log.clear()
    texts = [f"{i:03}" + letter * 8_000 for i in range(100)]
    with warnings.catch_warnings(), GeminiEmbedder(base_url=service.url, api_key="a-key") as made:
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "gemini-embedding-2 reads")  # they may be too long for it
        made.embed(texts, role="document", output_dimensionality=128)

    lengths = [int(sent.headers["content-length"]) for sent in service.log]
    assert max(lengths) <= 4 * 2**20
    assert len(lengths) == (2 if letter == "\x01" else 1)


@given(st.recursive(TEXT | st.integers(), lambda inner: st.dictionaries(TEXT, inner)))
def test_what_is_written_reads_the_same(value: Any) -> None:
    """Whatever a text holds, the service reads it as it is, and no letter is longer than in it."""
    body = written({"": value})

    assert json.loads(body) == {"": value}
    assert len(body) <= len(json.dumps({"": value}))


@pytest.mark.parametrize(
    ("backend", "model"),
    [
        ("gemini", "gemini-embedding-001"),
        ("vertex", "gemini-embedding-001"),
        ("vertex", "text-embedding-005"),
    ],
)
def test_a_request_carries_a_title_for_each_text(
    service: Standin, backend: str, model: str
) -> None:
    """Documents with titles of their own cost one request, not one each."""
    titles = ["T", None, "U", "T"]
    service.log.clear()
    with GeminiEmbedder(model=model, base_url=service.url, **identity(backend)) as made:
        vectors = made.embed(TEXTS, role="document", titles=titles).vectors

    expected = [
        vectors_of(service, [text], model=model, task_type="RETRIEVAL_DOCUMENT", title=title)[0]
        for text, title in zip(TEXTS, titles, strict=True)
    ]
    assert (vectors == expected).all()
    assert len(service.log) == 1


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS])
def test_what_a_client_adds_to_every_body_stays_in_it(service: Standin, texts: list[str]) -> None:
    """A caller's own client may have an `extra_body`: no request leaves without it."""
    options: Any = {"base_url": service.url, "extra_body": {"parameters": {"autoTruncate": False}}}
    client = genai.Client(http_options=options, **identity("vertex"))
    made = GeminiEmbedder(model="text-embedding-005", client=client)
    made.embed(texts, role="document")

    body = service.log[-1].body
    assert body["parameters"] == {"autoTruncate": False}
    assert [instance["content"] for instance in body["instances"]] == texts


class Gateway(BaseHTTPRequestHandler):
    """A gateway on Vertex AI's routes with a model of its own."""

    asked: ClassVar[list[tuple[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body))
        rows = [{"embeddings": {"values": [row + 1.0] * 768}} for row, _ in enumerate(TEXTS)]
        answer = json.dumps({"predictions": rows}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("known", "method"),
    [
        ("text-embedding-005", "predict"),
        ("gemini-embedding-001", "batchEmbedContents" if sdk_version() >= (3, 4) else "predict"),
    ],
)
def test_a_gateways_own_model_gets_all_texts(known: str, method: str) -> None:
    """By a name that no table has, a model is asked the way of the one that it behaves like."""
    Gateway.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with GeminiEmbedder(
            model="ours/an-embedding",
            behaves_like=known,
            output_dimensionality=768,
            normalize=False,
            base_url=f"http://127.0.0.1:{server.server_port}",
            **identity("vertex"),
        ) as made:
            vectors = made.embed(TEXTS, role="document").vectors
        server.shutdown()

    ((path, body),) = Gateway.asked
    assert path.endswith(f"/publishers/ours/models/an-embedding:{method}")
    assert texts_of(body) == TEXTS
    assert vectors[:, 0].tolist() == [1, 2, 3, 4]


def test_a_callers_client_is_asked_with_all_texts(
    service: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What watches a client of the caller's, such as a tracer, sees what is embedded."""
    client = genai.Client(http_options={"base_url": service.url}, **identity("gemini"))
    asked: list[Any] = []
    embed_content = client.aio.models.embed_content

    async def watched(*, contents: Any, **more: Any) -> Any:
        asked.append(contents)
        return await embed_content(contents=contents, **more)

    monkeypatch.setattr(client.aio.models, "embed_content", watched)
    GeminiEmbedder(client=client, task_prefix=False).embed(TEXTS, role="document")

    assert asked == [[{"parts": [{"text": text}]} for text in TEXTS]]


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS])
def test_what_watches_the_sdk_sees_our_requests(
    service: Standin, monkeypatch: pytest.MonkeyPatch, texts: list[str]
) -> None:
    """A tracer that is put into the SDK for the whole program loses none, and no vector changes."""
    asked: list[Any] = []
    embed_content = AsyncModels.embed_content

    @wraps(embed_content)
    async def watched(self: AsyncModels, *, contents: Any, **more: Any) -> Any:
        asked.append(contents)
        return await embed_content(self, contents=contents, **more)

    made = GeminiEmbedder(base_url=service.url, api_key="a-key", task_prefix=False)
    before = made.embed(texts, role="document")
    monkeypatch.setattr(AsyncModels, "embed_content", watched)
    after = made.embed(texts, role="document")

    assert asked == [[{"parts": [{"text": text}]} for text in texts]]
    assert (before.vectors == after.vectors).all()
    assert before.usage == after.usage
