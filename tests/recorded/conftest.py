"""Cassettes: what is kept of an exchange, how it is written, and what it is recorded from.

`make record` records them again: from Google where a key is set, else from the stand-in.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gemini_embed.credentials import find_key
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vcr import VCR
    from vcr.cassette import Cassette
    from vcr.request import Request

GOOGLE = "https://generativelanguage.googleapis.com"
KEPT_HEADERS = ("content-type",)

_KEY = find_key(None)  # of the machine; read before the tests take it out of the environment
_ITEMS = pytest.StashKey[list[pytest.Item]]()


class _Dumper(yaml.SafeDumper):
    """Writes a vector on one line, and no references."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    numbers = bool(items) and all(isinstance(item, (int, float)) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=numbers)


_Dumper.add_representer(list, _list)


class ReadableCassettes:
    """A serializer of vcrpy: says at the top where a cassette is from; bodies as parsed JSON."""

    def __init__(self, recorded_from: str) -> None:
        self._label = {
            "recorded_from": recorded_from,
            "recorded_on": datetime.now(UTC).date().isoformat(),
            "recorded_with": {
                "python": ".".join(map(str, sys.version_info[:3])),
                **{name: version(name) for name in ("gemini-embed", "google-genai", "vcrpy")},
            },
        }

    def serialize(self, cassette: dict[str, Any]) -> str:
        """Return a cassette as YAML; its exchanges, which may have run at once, in one order."""
        exchanges = sorted(cassette["interactions"], key=lambda one: str(one["request"]["body"]))
        for exchange in exchanges:
            request, response = exchange["request"], exchange["response"]
            request["body"] = json.loads(request["body"])
            response["body"] = json.loads(response["body"]["string"])
        text = yaml.dump(
            {**self._label, "interactions": exchanges},
            Dumper=_Dumper,
            sort_keys=False,
            width=sys.maxsize,
        )
        if _KEY and _KEY.get_secret_value() in text:
            raise ValueError("the API key would be in the cassette")
        return text

    def deserialize(self, text: str) -> dict[str, Any]:
        """Return a cassette as vcrpy wants it."""
        cassette: dict[str, Any] = yaml.safe_load(text)
        for exchange in cassette["interactions"]:
            request, response = exchange["request"], exchange["response"]
            request["body"] = json.dumps(request["body"], sort_keys=True)
            response["body"] = {"string": json.dumps(response["body"])}
        return cassette


def _kept(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.lower(): values for name, values in headers.items() if name.lower() in KEPT_HEADERS
    }


def _as_sent_to_google(request: Request) -> Request:
    """Take out of a request what may differ: host, API version, order of fields, headers, key."""
    request.method = request.method.upper()
    path = re.sub(r"^/v1(beta)?/", "/v1beta/", request.path)  # the SDK's choice changed in 3.0
    request.uri = GOOGLE + path
    request.headers = _kept(request.headers)
    body: Any = request.body
    request.body = json.dumps(json.loads(body), sort_keys=True)
    return request


def _without_headers(response: dict[str, Any]) -> dict[str, Any]:
    return response | {"headers": _kept(response["headers"])}


def _cassette_name(test: pytest.Function) -> str:
    """Name a cassette after its test; one for every `way` in, since all send the same."""
    parts = test.callspec.params if hasattr(test, "callspec") else {}
    name = "-".join([test.originalname, *(str(v) for k, v in parts.items() if k != "way")])
    return f"{test.cls.__name__}.{name}" if test.cls else name


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return _cassette_name(request.node)


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    return {
        "match_on": ["method", "uri", "raw_body"],
        "before_record_request": _as_sent_to_google,
        "before_record_response": _without_headers,
    }


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:  # noqa: ARG001 - a hook
    """Write cassettes readably, with a label."""
    source = "Google" if _KEY else "stand-in (not Google)"
    vcr.register_serializer("yaml", ReadableCassettes(source))


@pytest.fixture(scope="session")
def recording(record_mode: str) -> bool:
    """Tell whether cassettes are being made, not played."""
    return record_mode != "none"


@pytest.fixture(scope="session")
def standin_url(recording: bool) -> Iterator[str | None]:
    """Return where to record from, or None for Google itself."""
    if not recording or _KEY:
        yield None
        return
    with Standin(model="hash") as server:
        yield server.url


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, recording: bool, standin_url: str | None) -> None:
    """Let every embedder find its key, and its service, in the environment."""
    key = _KEY.get_secret_value() if recording and _KEY else "no-key-is-needed"
    monkeypatch.setenv("GOOGLE_API_KEY", key)
    if standin_url is not None:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", standin_url)


@pytest.fixture(autouse=True)
def everything_is_played(vcr: Cassette | None, recording: bool) -> Iterator[None]:
    """Fail a test that leaves something of its cassette unplayed."""
    yield
    if vcr is not None and not recording:
        played = sum(vcr.play_counts.values())
        assert vcr.all_played, f"{played} of {len(vcr)} exchanges of the cassette were played"


@pytest.fixture
def recorded(vcr: Cassette) -> Callable[[], dict[str, list[float]]]:
    """Return a reader of the cassette: text as sent (`title / text` with a title) -> vector."""

    def read() -> dict[str, list[float]]:
        vectors = {}
        for request, response in zip(vcr.requests, vcr.responses, strict=True):
            asked = json.loads(request.body)["requests"]
            answered = json.loads(response["body"]["string"])["embeddings"]
            for one, vector in zip(asked, answered, strict=True):
                (part,) = one["content"]["parts"]
                name = f"{one['title']} / {part['text']}" if "title" in one else part["text"]
                vectors[name] = vector["values"]
        return vectors

    return read


@pytest.hookimpl(tryfirst=True)  # before -k and -m take their share
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[_ITEMS] = list(items)


@pytest.fixture
def owned_cassettes(pytestconfig: pytest.Config) -> set[Path]:
    """Return the cassettes that the tests here may have."""
    here = Path(__file__).parent
    named = [Path(pytestconfig.invocation_params.dir, name) for name in pytestconfig.args]
    if not any(here.is_relative_to(path.resolve()) for path in named):
        pytest.skip("only some of the tests are run; run all of tests/recorded")
    return {
        test.path.parent / "cassettes" / test.path.stem / f"{_cassette_name(test)}.yaml"
        for test in pytestconfig.stash[_ITEMS]
        if isinstance(test, pytest.Function)
        and test.path.is_relative_to(here)
        and test.get_closest_marker("vcr")
    }
