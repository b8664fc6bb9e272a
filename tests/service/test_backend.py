"""Which service is asked: decided by options and environment, and told in words."""

from __future__ import annotations

from typing import Any

import pytest
from google import genai

from gemini_embed import ConfigurationError, GeminiEmbedder
from gemini_embed.models import MODELS, route_of
from gemini_embed.service.backend import choose_backend


def chosen(**options: Any) -> Any:
    given = {"vertexai": None, "project": None, "location": None, "credentials": None}
    return choose_backend(**{**given, **options})


@pytest.mark.parametrize(
    ("environment", "options", "expected"),
    [
        ({}, {}, ("gemini", "the default")),
        ({}, {"vertexai": True}, ("vertex", "vertexai=True")),
        ({}, {"project": "p"}, ("vertex", "project given")),
        ({}, {"credentials": "key.json"}, ("vertex", "credentials given")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "true"}, {}, ("vertex", "GOOGLE_GENAI_USE_VERTEXAI")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "1"}, {}, ("vertex", "GOOGLE_GENAI_USE_VERTEXAI")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "false"}, {}, ("gemini", "GOOGLE_GENAI_USE_VERTEXAI")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "False"}, {"project": "p"}, ("gemini", "false")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": " "}, {}, ("gemini", "the default")),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "false"}, {"vertexai": True}, ("vertex", "vertexai=True")),
        ({"GOOGLE_GENAI_USE_ENTERPRISE": "1"}, {}, ("vertex", "GOOGLE_GENAI_USE_ENTERPRISE")),
        ({"GOOGLE_CLOUD_PROJECT": "p"}, {}, ("gemini", "the default")),
    ],
)
def test_the_service_follows_options_then_environment(
    environment: dict[str, str],
    options: dict[str, Any],
    expected: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`false` means false, an option beats the environment, and the reason is told."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    backend = chosen(**options)

    assert backend.name == expected[0]
    assert expected[1] in backend.why


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vertexai": False, "project": "p"}, "takes no project"),
        (
            {"vertexai": False, "credentials": "c", "location": "l"},
            "no location and no credentials",
        ),
        ({"location": "us-central1"}, "location belongs to Vertex AI"),
        ({"vertexai": "yes"}, "vertexai must be True or False"),
        ({"credentials": "c", "api_key": "k"}, "either api_key or credentials"),
        (
            {"client": genai.Client(api_key="k"), "project": "p"},
            "client is used as it is; it says project itself",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], said: str) -> None:
    """A mistake is told when the embedder is built, not by a 403 later."""
    with pytest.raises(ConfigurationError, match=said):
        GeminiEmbedder(**options)


def test_a_switch_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the environment does not choose a service in silence."""
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "ture")

    with pytest.raises(ConfigurationError, match="'ture' is neither true nor false"):
        GeminiEmbedder()


@pytest.mark.parametrize(
    ("model", "options", "environment", "shown"),
    [
        ("gemini-embedding-2", {"project": "p"}, {}, "project p, location global"),
        ("text-embedding-005", {"project": "p"}, {}, "project p, location us-central1"),
        ("gemini-embedding-2", {"project": "p", "location": "eu"}, {}, "location eu"),
        (
            "gemini-embedding-001",
            {"vertexai": True},
            {"GOOGLE_CLOUD_PROJECT": "q", "GOOGLE_CLOUD_LOCATION": "europe-west4"},
            "project q, location europe-west4",
        ),
        ("gemini-embedding-2", {"vertexai": True, "api_key": "k"}, {}, "Vertex AI (vertexai=True)"),
        ("gemini-embedding-2", {}, {}, "the Gemini API (the default)"),
    ],
)
def test_the_repr_says_where_and_why(
    model: str,
    options: dict[str, Any],
    environment: dict[str, str],
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Project and location come from the options, the environment, or where the model is served."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert shown in repr(GeminiEmbedder(model=model, **options))


@pytest.mark.parametrize(
    ("model", "version", "method", "texts"),
    [
        ("gemini-embedding-2", (2, 34), "embedContent", 1),
        ("gemini-embedding-2", (3, 3), "embedContent", 1),
        ("gemini-embedding-2", (3, 4), "batchEmbedContents", 100),
        ("gemini-embedding-2", (4, 0), "batchEmbedContents", 100),
        ("gemini-embedding-001", (2, 34), "predict", 250),
        ("gemini-embedding-001", (3, 3), "predict", 250),
        ("gemini-embedding-001", (3, 4), "batchEmbedContents", 100),
        ("text-embedding-005", (2, 34), "predict", 250),
        ("text-embedding-005", (3, 4), "predict", 250),
    ],
)
def test_vertex_routes_are_a_table(
    model: str, version: tuple[int, int], method: str, texts: int
) -> None:
    """What the SDK will call, and how much it takes, is known before anything is sent."""
    route = route_of(MODELS[model], "vertex", sdk_version=version)

    assert (route.method, route.texts) == (method, texts)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_gemini_api_has_one_route(name: str) -> None:
    """There every model takes a hundred texts a request, whatever the SDK."""
    for version in ((2, 34), (3, 4)):
        route = route_of(MODELS[name], "gemini", sdk_version=version)
        assert (route.method, route.texts) == ("batchEmbedContents", 100)


def test_every_model_that_vertex_serves_has_a_route() -> None:
    """No model of Vertex AI is without its facts."""
    for row in MODELS.values():
        if row.vertex.is_on:
            assert set(row.vertex.routes) == {(2, 0), (3, 4)}
