"""With which credentials Vertex AI is asked, and what becomes of those that are no good."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from service.vertex import TOKEN, account_in, credentials

from gemini_embed import AuthenticationError, ConfigurationError, GeminiEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


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


@pytest.fixture
def service_account(tmp_path: Path) -> Iterator[Path]:
    """Yield the file of a service account whose tokens come from loopback."""
    with account_in(tmp_path) as path:
        yield path


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
