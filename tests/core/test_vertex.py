"""Vertex AI, played by the stand-in: the same vectors, by other routes and as somebody else."""

from __future__ import annotations

import json
import pickle
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from helpers import joined, vectors_of

from gemini_embed import (
    AuthenticationError,
    ConfigurationError,
    GeminiEmbedder,
    ModelNotFoundError,
    ModelRetiredError,
    NoVectorError,
    RequestError,
)
from gemini_embed.backend import sdk_version
from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

TOKEN = "a-token-of-somebody"  # noqa: S105 - the stand-in takes any
TEXTS = [f"text number {i}" for i in range(250)]
THREE = sdk_version() >= (3, 4)
"""Whether this SDK asks for gemini-embedding models in batches on Vertex AI."""


def credentials() -> Credentials:
    return Credentials(token=TOKEN)  # type: ignore[no-untyped-call] # google-auth is untyped here


@pytest.fixture
def vertex(embedder: Maker) -> Maker:
    """Return a maker of embedders that ask Vertex AI, as the stand-in plays it."""

    def make(**options: Any) -> GeminiEmbedder:
        given = {"api_key": None, "project": "a-project", "credentials": credentials()}
        return embedder(**{**given, **options})

    return make


def texts_of(body: Any) -> list[str]:
    """Return the texts of a request, by whichever route it came."""
    if "instances" in body:
        return [instance["content"] for instance in body["instances"]]
    requests = body.get("requests", [body])
    return [request["content"]["parts"][0]["text"] for request in requests]


def methods(server: Standin) -> set[str]:
    return {exchange.path.rpartition(":")[2] for exchange in server.log}


@pytest.mark.parametrize("fast", [True, False])
def test_600_long_texts_of_text_embedding_005(server: Standin, vertex: Maker, fast: bool) -> None:
    """Requests stay within 250 instances and 20,000 tokens; each text gets its own vector."""
    texts = [f"{i} " + "some words of a text " * 12 for i in range(600)]
    made = vertex(model="text-embedding-005", fast_decode=fast, batch_size=250)

    result = made.embed(texts, role="document")

    expected = vectors_of(server, texts, model="text-embedding-005", task_type="RETRIEVAL_DOCUMENT")
    assert (result.vectors == expected).all()
    assert all(exchange.status == 200 for exchange in server.log)
    assert sorted(joined(texts_of(e.body) for e in server.log)) == sorted(texts)
    assert {e.path.rpartition("/locations/")[2] for e in server.log} == {
        "us-central1/publishers/google/models/text-embedding-005:predict"
    }
    assert result.usage.prompt_tokens is not None


def test_what_is_too_much_after_all_is_sent_in_parts(server: Standin, vertex: Maker) -> None:
    """An estimate that was too low costs a refused request, not the call."""
    texts = [f"{i} " + "\u6f22" * 150 for i in range(200)]
    server.script.append(
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "Unable to submit request because the input token count is 21000 "
                    "but the model supports up to 20000. Reduce the input token count and try "
                    "again.",
                    "status": "INVALID_ARGUMENT",
                }
            },
            {},
        )
    )

    vectors = vertex(model="text-embedding-005").embed(texts, role="document").vectors

    expected = vectors_of(server, texts, model="text-embedding-005", task_type="RETRIEVAL_DOCUMENT")
    assert (vectors == expected).all()
    assert [e.status for e in server.log].count(400) == 1


def test_a_service_that_takes_one_instance(embedder: Maker) -> None:
    """gemini-embedding-001 took one text a request once; it says so, and is believed from then."""
    texts = TEXTS[:40]
    with Standin(model="hash", vertex_001_instances=1) as server:
        options = {"model": "gemini-embedding-001", "base_url": server.url, "max_concurrency": 1}
        made = embedder(api_key=None, project="p", credentials=credentials(), **options)
        vectors = made.embed(texts, role="document").vectors
        refused = [exchange.status for exchange in server.log].count(400)
        server.log.clear()
        again = made.embed(texts, role="document").vectors

        expected = vectors_of(
            server, texts, model="gemini-embedding-001", task_type="RETRIEVAL_DOCUMENT"
        )
        assert (vectors == expected).all()
        assert (again == expected).all()
        assert refused == (0 if THREE else 1)
        assert {exchange.status for exchange in server.log} == {200}
        assert methods(server) == ({"batchEmbedContents"} if THREE else {"predict"})


def test_a_limit_that_makes_no_sense_ends_in_an_error(server: Standin, vertex: Maker) -> None:
    """A service that refuses any number of texts with the same words is not asked for ever."""
    body = {
        "error": {
            "code": 400,
            "message": "250 instance(s) is allowed per prediction. Actual: 4",
            "status": "INVALID_ARGUMENT",
        }
    }
    server.script.extend([(400, body, {})] * 50)

    with pytest.raises(RequestError, match=r"250 instance\(s\)"):
        vertex(model="text-embedding-005").embed(["a", "b", "c", "d"], role="document")

    assert len(server.log) <= 7


@pytest.mark.parametrize("fast", [True, False])
async def test_250_texts_of_gemini_embedding_2(server: Standin, vertex: Maker, fast: bool) -> None:
    """In batches where the SDK has them, one by one where not; the caller sees no difference."""
    made = vertex(fast_decode=fast)

    vectors = (await made.aembed(TEXTS, role="document")).vectors

    wires = [f"title: none | text: {text}" for text in TEXTS]
    assert (vectors == vectors_of(server, wires, model="gemini-embedding-2")).all()
    assert sorted(joined(texts_of(e.body) for e in server.log)) == sorted(wires)
    assert methods(server) == ({"batchEmbedContents"} if THREE else {"embedContent"})
    assert len(server.log) == (3 if THREE else 250)
    assert server.log[0].path.startswith(
        "/v1beta1/projects/a-project/locations/global/publishers/google/models/gemini-embedding-2:"
    )
    assert {e.headers["authorization"] for e in server.log} == {f"Bearer {TOKEN}"}
    assert not any("x-goog-api-key" in e.headers for e in server.log)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("gemini-embedding-2", "embedContent"),
        ("gemini-embedding-001", "embedContent" if THREE else "predict"),
        ("publishers/google/models/gemini-embedding-001", "embedContent" if THREE else "predict"),
        ("text-embedding-005", "predict"),
        ("text-multilingual-embedding-002", "predict"),
    ],
)
def test_the_sdk_still_takes_this_route(
    model: str, method: str, server: Standin, vertex: Maker
) -> None:
    """An SDK that asks for a model in another way than the table says makes this fail."""
    vertex(model=model).embed(["a"], role="query")

    assert methods(server) == {method}


@pytest.mark.parametrize("like", ["gemini-embedding-2", "gemini-embedding-001"])
@pytest.mark.parametrize("name", ["gemini-ours", "ours"])
def test_a_gateways_own_name_is_sent_as_the_sdk_takes_it(
    name: str, like: str, server: Standin, vertex: Maker
) -> None:
    """However many texts: the older SDK takes one only where "gemini" is in the name."""
    with pytest.raises(ModelNotFoundError, match=f"{name}` was not"):
        vertex(model=name, behaves_like=like).embed(["a", "b"], role="query")

    assert server.log


@pytest.mark.parametrize(
    "front", ["google/", "publishers/google/models/", "projects/a-project/locations/global/"]
)
def test_googles_own_paths_of_a_model_are_the_model(
    front: str, server: Standin, vertex: Maker
) -> None:
    """By whichever SDK: the same address, task and vectors as by the bare id."""
    rest = "publishers/google/models/" if front.startswith("projects") else ""
    made = vertex(model=f"{front}{rest}gemini-embedding-001")

    vectors = made.embed(TEXTS[:3], role="document").vectors

    of = {"model": "gemini-embedding-001", "task_type": "RETRIEVAL_DOCUMENT"}
    assert (vectors == vectors_of(server, TEXTS[:3], **of)).all()
    assert methods(server) == ({"batchEmbedContents"} if THREE else {"predict"})


def test_task_title_and_dimension_reach_the_service(server: Standin, vertex: Maker) -> None:
    """Each is where the route wants it, and the vectors are of unit length."""
    made = vertex(model="gemini-embedding-001", output_dimensionality=256)

    made.embed(["a", "b"], role="document", titles=["T", "T"])
    made.embed(["q"], role="query")

    document, query = (exchange.body for exchange in server.log)
    if THREE:
        config = {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 256}
        assert [r["embedContentConfig"] for r in document["requests"]] == [config, config]
        assert query["embedContentConfig"] == {
            "taskType": "RETRIEVAL_QUERY",
            "outputDimensionality": 256,
        }
    else:
        assert document == {
            "instances": [
                {"content": text, "task_type": "RETRIEVAL_DOCUMENT", "title": "T"} for text in "ab"
            ],
            "parameters": {"outputDimensionality": 256},
        }
        assert query["instances"] == [{"content": "q", "task_type": "RETRIEVAL_QUERY"}]


def test_express_mode_sends_the_key(server: Standin, embedder: Maker) -> None:
    """A key without a project is all that express mode needs."""
    embedder(vertexai=True).embed(["a"], role="query")

    (exchange,) = server.log
    assert exchange.path.startswith("/v1beta1/publishers/google/models/gemini-embedding-2:")
    assert exchange.headers["x-goog-api-key"] == "a-key"


def test_a_key_of_the_environment_stays_at_home(
    server: Standin, vertex: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Gemini API key that happens to be set is not sent to Vertex AI, nor an error."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-other-service")

    vertex().embed(["a"], role="query")

    assert "x-goog-api-key" not in server.log[0].headers
    assert server.log[0].headers["authorization"] == f"Bearer {TOKEN}"


class Tokens(BaseHTTPRequestHandler):
    """Where a service account gets its tokens."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service_account(tmp_path: Path) -> Iterator[Path]:
    """Yield the file of a service account whose tokens come from loopback."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with HTTPServer(("127.0.0.1", 0), Tokens) as tokens:
        threading.Thread(target=tokens.serve_forever, daemon=True).start()
        path = tmp_path / "account.json"
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "p",
                    "private_key_id": "1",
                    "private_key": key.private_bytes(
                        serialization.Encoding.PEM,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    ).decode(),
                    "client_email": "somebody@p.iam.gserviceaccount.com",
                    "client_id": "1",
                    "token_uri": f"http://127.0.0.1:{tokens.server_port}/token",
                }
            )
        )
        yield path
        tokens.shutdown()


def test_a_service_account_file_is_enough(
    server: Standin, vertex: Maker, service_account: Path
) -> None:
    """Its path is an option, survives pickling, and its token is fetched and sent."""
    made = pickle.loads(pickle.dumps(vertex(credentials=str(service_account))))  # noqa: S301 - ours

    made.embed(["a"], role="query")

    assert server.log[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_service_account_file_names_its_project(
    server: Standin, vertex: Maker, service_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a project, that of the file is asked; a key in the environment changes nothing."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-other-service")

    vertex(credentials=service_account, project=None).embed(["a"], role="query")

    assert "/projects/p/locations/global/" in server.log[0].path
    assert "x-goog-api-key" not in server.log[0].headers


def test_application_default_credentials_are_found(
    server: Standin, vertex: Maker, service_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without key and credentials, those of the machine are used."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account))

    vertex(credentials=None).embed(["a"], role="query")

    assert server.log[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_credentials_that_are_not_there_are_an_error_of_the_first_call(
    vertex: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building never fails for them; the call says what is missing."""
    made = vertex(credentials=tmp_path / "none.json")
    with pytest.raises(
        ConfigurationError, match=r"none\.json cannot be read as a service account's file"
    ):
        made.embed(["a"], role="query")

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nor-this.json"))
    with pytest.raises((ConfigurationError, AuthenticationError), match=r"nor-this\.json"):
        vertex(credentials=None).embed(["a"], role="query")


def test_a_refused_token_says_whose_it_was(vertex: Maker) -> None:
    """The error names service, project and where the credentials came from, and no token."""
    bad = Credentials(token="invalid-token")  # type: ignore[no-untyped-call] # noqa: S106 - as above

    with pytest.raises(AuthenticationError) as caught:
        vertex(credentials=bad, max_retries=0).embed(["a"], role="query")

    assert "credentials from the credentials argument, for Vertex AI, project a-project" in str(
        caught.value
    )
    assert "invalid-token" not in str(caught.value)


def test_credentials_that_cannot_get_a_token_are_an_error(server: Standin, vertex: Maker) -> None:
    """google-auth's own error becomes one of ours, with the cause, and nothing is sent."""
    with pytest.raises(AuthenticationError, match="no access token") as caught:
        vertex(credentials=AnonymousCredentials(), max_retries=0).embed(["a"], role="query")  # type: ignore[no-untyped-call] # as above

    assert caught.value.__cause__ is not None
    assert server.log == []


def test_a_model_that_is_not_in_the_region_says_where_it_is(vertex: Maker) -> None:
    """A 404 names model, project and region, and the regions that serve the model."""
    with pytest.raises(ModelNotFoundError, match="it is served in global, us, eu") as caught:
        vertex(location="us-central1").embed(["a"], role="query")

    assert (caught.value.backend, caught.value.region) == ("vertex", "us-central1")


@pytest.mark.filterwarnings("ignore:gemini-embedding-exp-03-07 is")
def test_a_model_of_the_other_service_says_so(vertex: Maker) -> None:
    """The experimental model never was on Vertex AI; the error says what to move to."""
    with pytest.raises(ModelNotFoundError, match="move to gemini-embedding-001") as caught:
        vertex(model="gemini-embedding-exp-03-07").embed(["a"], role="query")

    assert not isinstance(caught.value, ModelRetiredError)


def test_a_text_that_was_cut_off_is_told(server: Standin, vertex: Maker) -> None:
    """Vertex AI says when it reads a text only in part; the warning gives the index."""
    long = "many words in a text that is too long " * 1000
    made = vertex(model="text-embedding-005")

    with pytest.warns(UserWarning, match=r"cut off by it: 1$"):
        result = made.embed(["a", long, "b"], role="document")

    assert result.usage.truncated == (1,)
    expected = vectors_of(
        server, ["a", "b"], model="text-embedding-005", task_type="RETRIEVAL_DOCUMENT"
    )
    assert (result.vectors[[0, 2]] == expected).all()


def test_a_text_that_was_cut_off_in_a_batch_is_told(vertex: Maker) -> None:
    """Where the service says so of a batch only, the texts that are long enough are named."""
    long = "many words in a text that is too long " * 1000

    with pytest.warns(UserWarning, match=r"cut off by it: 1$"):
        result = vertex().embed(["a", long, "b"], role="document")

    assert result.usage.truncated == (1,)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("model", ["gemini-embedding-2", "gemini-embedding-001"])
def test_a_single_text_that_gets_no_vector_is_named(
    server: Standin, vertex: Maker, model: str, *, fast: bool
) -> None:
    """Whichever method is asked, an embedding without values is no answer without one."""
    server.script.append("no-values")

    with pytest.raises(NoVectorError, match="no vector") as caught:
        vertex(model=model, fast_decode=fast).embed(["a"], role="document")

    assert caught.value.indexes == (0,)
    assert len(server.log) == 1


def test_a_429_without_details_is_tried_again(server: Standin, vertex: Maker) -> None:
    """Vertex AI names neither quota nor delay."""
    body = {
        "error": {"code": 429, "message": "Resource exhausted.", "status": "RESOURCE_EXHAUSTED"}
    }
    server.script.extend([(429, body, {})] * 2)

    vectors = vertex().embed(["a"], role="query").vectors

    wires = ["task: search result | query: a"]
    assert (vectors == vectors_of(server, wires, model="gemini-embedding-2")).all()
    assert len(server.log) == 3


def test_a_bad_text_does_not_sink_its_neighbours(server: Standin, vertex: Maker) -> None:
    """A refusal that names content is followed to the text, as on the Gemini API."""
    body = {"error": {"code": 400, "message": "content is bad", "status": "INVALID_ARGUMENT"}}
    server.script.extend([(400, body, {})] * 1)

    with pytest.raises(RequestError) as caught:
        vertex(model="text-embedding-005").embed(["a"], role="document")

    assert caught.value.indexes == (0,)


def test_both_services_share_a_cache(
    server: Standin, vertex: Maker, embedder: Maker, tmp_path: Path
) -> None:
    """Google's vectors are the same on both, so what one gave is not paid for at the other."""
    path = tmp_path / "vectors"
    embedder(cache=path).embed(["a"], role="query")

    vertex(cache=path).embed(["a"], role="query")

    assert len(server.log) == 1


async def test_the_adapters_ask_vertex_too(server: Standin) -> None:
    """LangChain's fields and LlamaIndex's vertexai_config mean what they mean elsewhere."""
    wires = ["title: none | text: a", "title: none | text: b"]
    langchain = GeminiEmbeddings(
        model="models/gemini-embedding-2",
        vertexai=True,
        project="p",
        location="us",
        credentials=credentials(),
        base_url=server.url,
    )
    llamaindex = GeminiEmbedding(
        "gemini-embedding-2",
        vertexai_config={"project": "p", "location": "us", "credentials": credentials()},
        http_options={"base_url": server.url},
    )

    got = [
        langchain.embed_documents(["a", "b"]),
        await langchain.aembed_documents(["a", "b"]),
        llamaindex.get_text_embedding_batch(["a", "b"]),
        await llamaindex.aget_text_embedding_batch(["a", "b"]),
    ]

    expected = vectors_of(server, wires, model="gemini-embedding-2").tolist()
    assert got == [expected] * 4
    assert all("/projects/p/locations/us/" in exchange.path for exchange in server.log)


def test_a_ready_client_of_vertex_is_used_as_it_is(server: Standin) -> None:
    """Its own service is believed: routes and limits are those of Vertex AI."""
    from google import genai  # noqa: PLC0415 - loads for a second

    client = genai.Client(
        vertexai=True,
        project="p",
        location="global",
        credentials=credentials(),
        http_options={"base_url": server.url},
    )

    vectors = GeminiEmbedder(client=client).embed(TEXTS[:3], role="document").vectors

    wires = [f"title: none | text: {text}" for text in TEXTS[:3]]
    assert (vectors == vectors_of(server, wires, model="gemini-embedding-2")).all()


def test_a_found_key_does_not_travel(vertex: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle made where a Gemini key is set holds none, and works where it is not set."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-other-service")
    made = vertex()
    pickled = pickle.dumps(made)
    monkeypatch.delenv("GOOGLE_API_KEY")

    other = pickle.loads(pickled)  # noqa: S301 - our own bytes

    assert b"key-of-the-other-service" not in pickled
    assert (repr(other), other.api_key) == (repr(made), None)
    assert len(other.embed(["a"], role="query").vectors) == 1


def test_the_environments_key_is_express_mode_only_alone(
    embedder: Maker, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing else said, it is used, and no region is made up; a location goes before it."""
    monkeypatch.setenv("GOOGLE_API_KEY", "the-environments")

    embedder(api_key=None, vertexai=True, model="text-embedding-005").embed(["a"], role="query")

    assert server.log[0].path.startswith("/v1beta1/publishers/google/models/text-embedding-005:")
    assert server.log[0].headers["x-goog-api-key"] == "the-environments"
    with pytest.raises(ConfigurationError, match="pass project"):
        embedder(api_key=None, location="eu", credentials=credentials()).embed(["a"], role="query")


def test_a_dump_stays_on_its_service(server: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are not dumped; that they meant Vertex AI is."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-other-service")
    langchain = GeminiEmbeddings(credentials=credentials(), project="p", base_url=server.url)
    llamaindex = GeminiEmbedding(credentials=credentials(), project="p", base_url=server.url)

    assert langchain.vertexai is True
    assert langchain.google_api_key is None
    assert llamaindex.to_dict()["vertexai"] is True
    assert "Vertex AI, project p" in repr(GeminiEmbedding.from_dict(llamaindex.to_dict())._embedder)


@pytest.mark.parametrize("way", ["object", "file"])
def test_a_token_in_an_answer_is_not_shown(
    way: str, server: Standin, vertex: Maker, service_account: Path
) -> None:
    """A refusal that quotes the token is told without it, wherever the token came from."""
    body = {"error": {"code": 403, "message": f"{TOKEN} is wrong", "status": "PERMISSION_DENIED"}}
    server.script.append((403, body, {}))
    made = vertex(credentials=credentials() if way == "object" else service_account)

    with pytest.raises(AuthenticationError, match=r"\[secret\] is wrong") as caught:
        made.embed(["a"], role="query")

    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


class Failing(Credentials):
    """Credentials whose token service is down once."""

    failures = 1

    def refresh(self, request: Any) -> None:  # noqa: ARG002 - the base class's signature
        if self.failures:
            self.failures -= 1
            raise RefreshError("503", retryable=True)  # type: ignore[no-untyped-call] # as above
        self.token, self.expiry = TOKEN, None


def test_a_token_service_that_fails_once_is_asked_again(vertex: Maker) -> None:
    """A failure that may pass is retried like any other."""
    failing = Failing(token=None)  # type: ignore[no-untyped-call] # as above

    assert len(vertex(credentials=failing).embed(["a"], role="query").vectors) == 1


def test_what_the_sdk_cannot_take_is_our_error(embedder: Maker) -> None:
    """An impossible option of the HTTP library is told as such, and nothing is left open."""
    with pytest.raises(ConfigurationError, match="the SDK does not take these options"):
        embedder(client_args={"verify": "/nope.pem"}).embed(["a"], role="query")


def test_limits_are_remembered_for_one_service(vertex: Maker) -> None:
    """What one gateway said does not slow another down."""
    body = {"error": {"code": 400, "message": "batchSize must be 1", "status": "INVALID_ARGUMENT"}}
    with Standin(model="hash") as one, Standin(model="hash") as other:
        one.script.append((400, body, {}))
        for server in (one, other):
            made = vertex(model="text-embedding-005", base_url=server.url)
            made.embed(["a", "b", "c"], role="document")

        assert [len(texts_of(e.body)) for e in other.log] == [3]
        assert {len(texts_of(e.body)) for e in one.log[1:]} == {1}
