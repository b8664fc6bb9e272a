"""No secret is shown: not by errors, whoever quotes what, nor by views, warnings or our logs.

The service here is a gateway that quotes all that it was sent, in every way one can answer.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import pickle
import traceback
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from google.oauth2.credentials import Credentials
from langchain_core.load import dumps

from gemini_embed import ConfigurationError, GeminiEmbedder, GeminiEmbedError
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

MARK = "PLANTED"
KEY = f"AIza{MARK}-key"
HEADER = f"{MARK}-of-a-header"
BEARER = f"{MARK}-bearer-token"
USER, PASSWORD = f"{MARK}-user", f"{MARK}-password"
QUERY = f"{MARK}-of-a-query"
REFRESH, CLIENT_SECRET = f"{MARK}-refresh-token", f"{MARK}-client-secret"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

CLASSES: dict[str, Callable[..., Any]] = {
    "core": GeminiEmbedder,
    "langchain": GeminiEmbeddings,
    "llamaindex": GeminiEmbedding,
}


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def refused(status: int, name: str) -> Callable[[str], bytes]:
    def quoting(said: str) -> bytes:
        error = {"code": status, "status": name, "message": said, "details": [{said: [said]}]}
        body = json.dumps({"error": error}).encode()
        return answer(status, body, "content-type: application/json")

    return quoting


ANSWERS: dict[str, Callable[[str], bytes]] = {
    "400": refused(400, "INVALID_ARGUMENT"),
    "401": refused(401, "UNAUTHENTICATED"),
    "404": refused(404, "NOT_FOUND"),
    "429": refused(429, "RESOURCE_EXHAUSTED"),
    "503": refused(503, "UNAVAILABLE"),
    "message is an object": lambda said: answer(
        400, json.dumps({"error": {"code": 400, "message": {said: said}}}).encode()
    ),
    "page": lambda said: answer(502, f"<p>{said}</p>".encode(), "content-type: text/html"),
    "no JSON": lambda said: answer(200, said.encode()),
    "no UTF-8": lambda said: answer(200, said.encode() + b"\xff"),
    "no numbers": lambda said: answer(
        200, json.dumps({"embeddings": [{"values": [said]}]}).encode()
    ),
    "no vectors": lambda said: answer(200, json.dumps({said: said}).encode()),
    "bad header": lambda said: answer(200, b"{}", said),
    "bad status": lambda said: f"{said}\r\n\r\n".encode(),
    "bad redirect": lambda said: answer(307, b"", f"location: http://[bad/?{quote(said)}"),
    "redirect": lambda said: answer(307, b"", f"location: http://127.0.0.1:9/?{quote(said)}"),
}

THROUGH_ALL = {"400", "bad header"}
"""What the adapters are asked too: they hand the core's errors on as they are."""


class _Server(ThreadingHTTPServer):
    quoting: Callable[[str], bytes]

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        quoted = " ".join([self.path, *map(str, self.headers.values()), *body.split("&")])
        assert isinstance(self.server, _Server)
        self.wfile.write(self.server.quoting(quoted))
        self.close_connection = True

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@contextmanager
def gateway(quoting: Callable[[str], bytes]) -> Generator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.quoting = quoting
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def oauth(server: _Server) -> Any:
    return Credentials(  # type: ignore[no-untyped-call] # google-auth is untyped here
        token=None,
        refresh_token=REFRESH,
        client_id="an-id",
        client_secret=CLIENT_SECRET,
        token_uri=f"http://{server.netloc}/token",
    )


CONFIGURATIONS: dict[str, Callable[[_Server], dict[str, Any]]] = {
    "key and headers": lambda server: {
        "api_key": KEY,
        "base_url": f"http://{server.netloc}",
        "additional_headers": {"Authorization": f"Bearer {BEARER}", "x-gateway": HEADER},
    },
    "address": lambda server: {
        "api_key": KEY,
        "base_url": f"http://{USER}:{PASSWORD}@{server.netloc}/path?token={QUERY}",
    },
    "options of the HTTP library": lambda server: {
        "api_key": KEY,
        "base_url": f"http://{server.netloc}",
        "client_args": {"headers": {"x-gateway": HEADER}, "auth": (USER, PASSWORD)},
    },
    "credentials": lambda server: {
        "credentials": oauth(server),
        "project": "a-project",
        "location": "us-central1",
        "base_url": f"http://{server.netloc}",
    },
}


def ask(made: Any) -> list[Exception]:
    """Return what a sync and an async call raised."""
    calls: list[Callable[[], object]]
    if isinstance(made, GeminiEmbedder):
        calls = [
            lambda: made.embed(["a text"], role="document"),
            lambda: asyncio.run(made.aembed(["a text"], role="query")),
        ]
    elif isinstance(made, GeminiEmbeddings):
        calls = [
            lambda: made.embed_documents(["a text"]),
            lambda: asyncio.run(made.aembed_query("a text")),
        ]
    else:
        calls = [
            lambda: made.get_text_embedding_batch(["a text"]),
            lambda: asyncio.run(made.aget_query_embedding("a text")),
        ]
    return [raised(call) for call in calls]


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises(GeminiEmbedError) as caught:
        call()
    return caught.value


def chain_of(error: BaseException) -> list[BaseException]:
    found, todo = [], [error]
    while todo:
        one = todo.pop()
        if one not in found:
            found.append(one)
            todo += [other for other in (one.__cause__, one.__context__) if other]
    return found


def all_of(error: BaseException) -> str:
    """Return all that logs, tools and processes are shown of an error."""
    shown = "".join(traceback.format_exception(error)) + repr(pickle.dumps(error))
    for one in chain_of(error):
        shown += f"{one} {one!r} {one.args!r} {vars(one)!r} {getattr(one, 'object', None)!r}"
        told = traceback.TracebackException.from_exception(one, capture_locals=True)
        shown += repr([frame.locals for frame in told.stack if frame.filename != __file__])
    return shown


def assert_clean(shown: str) -> None:
    for form in (MARK, BASIC, *(base64.b64encode(s.encode()).decode() for s in (KEY, PASSWORD))):
        at = shown.find(form)
        assert at < 0, shown[max(0, at - 300) : at + 100]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("quoting", ANSWERS)
def test_whatever_is_quoted_no_error_shows_it(
    quoting: str, configuration: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither texts nor attributes, pickles, causes, variables of frames or our logs."""
    caplog.set_level(logging.DEBUG, "gemini_embed")
    with gateway(ANSWERS[quoting]) as server:
        for build in CLASSES.values() if quoting in THROUGH_ALL else [GeminiEmbedder]:
            options = CONFIGURATIONS[configuration](server)
            with build(**options, max_retries=0, timeout=5) as made:
                for error in ask(made):
                    assert_clean(all_of(error))
    assert_clean("".join(r.getMessage() for r in caplog.records if r.name.startswith("gemini")))


@pytest.mark.parametrize("scheme", ["http://", ""])
@pytest.mark.parametrize("quoting", ["400", "bad header", "page"])
def test_a_proxy_of_the_environment_may_quote_its_password(
    quoting: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user and password come from `HTTP_PROXY`, with and without a scheme."""
    with gateway(ANSWERS[quoting]) as server:
        monkeypatch.setenv("HTTP_PROXY", f"{scheme}{USER}:{PASSWORD}@{server.netloc}")
        url = "http://service.localhost"
        with GeminiEmbedder(api_key=KEY, base_url=url, max_retries=0) as made:
            for error in ask(made):
                assert_clean(all_of(error))


@pytest.mark.parametrize(
    "options",
    [
        {"output_dimensionality": 0},
        {"api_key": f"{KEY}\n"[:-5] + "\n" + KEY[-5:]},
        {"additional_headers": {"x-gateway": f"{HEADER}\nx"}},
        {"base_url": f"ftp://{USER}:{PASSWORD}@gateway.example/?{QUERY}"},
        {"base_url": f"https://{USER}:{PASSWORD}@gateway.example:port/?{QUERY}"},
        {"unknown": KEY},
        {"max_concurrency": 0},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("name", CLASSES)
def test_options_that_cannot_work_are_told_without_the_secrets_beside_them(
    name: str, options: dict[str, Any]
) -> None:
    """A mistake in one option shows none of the others."""
    given = {
        "api_key": KEY,
        "base_url": f"https://{USER}:{PASSWORD}@gateway.example?token={QUERY}",
        "additional_headers": {"Authorization": f"Bearer {BEARER}"},
        "client_args": {"proxy": f"http://{USER}:{PASSWORD}@127.0.0.1:9"},
    }
    with pytest.raises((ValueError, TypeError)) as caught:
        CLASSES[name](**{**given, **options})

    assert_clean(all_of(caught.value))


@pytest.mark.parametrize(
    "options",
    [
        {"client_args": {"proxy": f"http://{USER}:{PASSWORD}@127.0.0.1:9"}},
        {"client_args": {"proxy": f"http://{USER}:{PASSWORD}@[bad"}},
        {"client_args": {"headers": {"authorization": f"Bearer {BEARER}"}, "wrong": HEADER}},
        {"base_url": f"http://{USER}:{PASSWORD}@127.0.0.1:9/?token={QUERY}"},
    ],
    ids=["proxy", "malformed proxy", "unknown option", "address"],
)
@pytest.mark.parametrize("name", CLASSES)
def test_what_cannot_be_reached_is_told_without_the_way_in(
    name: str, options: dict[str, Any]
) -> None:
    """The password of a proxy or of an address is not in the error of a broken connection."""

    def call() -> None:
        given = {"api_key": KEY, "base_url": "http://127.0.0.1:9", "max_retries": 0}
        for error in ask(CLASSES[name](**{**given, **options})):
            assert_clean(all_of(error))
        raise ConfigurationError("as far as here")

    assert_clean(all_of(raised(call)))


@pytest.mark.parametrize(
    "content",
    [
        f'{{"private_key": "{MARK}-private-key", ',
        json.dumps(
            {
                "type": "service_account",
                "client_email": "a@b",
                "token_uri": "https://t.example",
                "private_key": f"-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----\n",
            }
        ),
    ],
    ids=["no JSON", "no key"],
)
def test_a_file_of_credentials_that_cannot_be_read_is_not_quoted(
    content: str, tmp_path: Path
) -> None:
    """The private key in it stays there."""
    path = tmp_path / "service-account.json"
    path.write_text(content, encoding="utf-8")
    for build in CLASSES.values():
        for error in ask(build(credentials=str(path), project="p", max_retries=0)):
            assert_clean(all_of(error))


@pytest.mark.parametrize("name", CLASSES)
def test_no_view_shows_what_lets_one_in(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reprs, dumps and dicts end in logs and traces.

    What is built again from a dump asks the same address, without what was left out; a copy and
    a pickle keep it.
    """
    monkeypatch.setenv("GOOGLE_API_KEY", f"{KEY}-of-the-environment")
    url = f"https://{USER}:{PASSWORD}@gateway.example:8443/path?token={QUERY}"
    options: dict[str, Any] = {
        "base_url": url,
        "additional_headers": {"Authorization": f"Bearer {BEARER}"},
        "client_args": {"proxy": f"http://{USER}:{PASSWORD}@127.0.0.1:9"},
    }
    made = CLASSES[name](**options)
    other = CLASSES[name](**{**options, "api_key": KEY})

    for one in (made, other):
        views = [repr(one), str(one)]
        if name != "core":
            views += [one.model_dump(), one.model_dump_json(), dict(one)["base_url"].__repr__()]
        if name == "langchain":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # langchain's serializer is a beta feature
                views.append(dumps(one))
        if name == "llamaindex":
            views += [one.to_dict(), one.to_json()]
        assert_clean(str(views))
        assert copy.copy(one).base_url == copy.deepcopy(one).base_url == url
        assert pickle.loads(pickle.dumps(one)).base_url == url  # noqa: S301 - our own bytes
    if name != "core":
        assert made.model_dump()["base_url"] == "https://gateway.example:8443/path"
