"""What the stand-in refuses as Vertex AI, in Google's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from standin.messages import (
    EXPRESS,
    GLOBAL,
    NEW,
    OLD,
    OLDER,
    TOKEN,
    address,
    content,
    error,
    instances,
    not_found,
    requests,
)

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.mark.parametrize(
    ("model", "location"),
    [
        ("nonexistent-model", "global"),
        ("embedding-001", "us-central1"),
        ("gemini-embedding-exp-03-07", "us-central1"),
        (NEW, "us-central1"),
        (NEW, "europe-west1"),
        ("gemini-embedding-2-preview", "us-east4"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "embedContent", "batchEmbedContents"])
def test_model_not_found(
    server: Standin, post: Ask, model: str, location: str, method: str
) -> None:
    """A model that does not exist, or not in this place, is the same 404 by every method."""
    place = f"projects/my-project/locations/{location}/"
    expected = not_found(f"{place}publishers/google/models/{model}")
    assert post(server, method, {}, model, place=place) == (404, expected)


@pytest.mark.parametrize("location", ["global", "us", "eu"])
def test_the_newer_model_is_in_three_places(server: Standin, post: Ask, location: str) -> None:
    """gemini-embedding-2 is in `global`, `us` and `eu`, and in express mode."""
    body = content("a", {"outputDimensionality": 1})
    for place in (f"projects/p/locations/{location}/", EXPRESS):
        assert post(server, "embedContent", body, NEW, place=place)[0] == 200


@pytest.mark.parametrize(
    ("method", "model", "body"),
    [
        ("predict", NEW, instances("a")),
        ("predict", NEW, {}),
        ("predict", "gemini-embedding-2-preview", instances("a")),
        ("embedContent", OLDER, content("a")),
        ("batchEmbedContents", OLDER, requests("a")),
    ],
)
def test_a_method_that_the_model_does_not_have(
    server: Standin, post: Ask, method: str, model: str, body: dict[str, Any]
) -> None:
    """The newer model has no `predict`, the older ones have nothing else."""
    expected = error(400, "FAILED_PRECONDITION", "Precondition check failed.")
    place = EXPRESS if model == OLDER else GLOBAL
    assert post(server, method, body, model, place=place) == (400, expected)


def test_what_is_not_there(server: Standin, post: Ask, fetch: Fetch) -> None:
    """Other methods are a 404 in JSON; `predict` belongs to Vertex AI, other publishers to none."""
    assert post(server, "generateContent", {}) == (
        404,
        error(404, "NOT_FOUND", "Method not found."),
    )
    assert fetch(f"{server.url}/v1beta/models/{OLD}:predict", instances("a"))[0] == 404
    url = address(server, "predict").replace("/google/", "/other/")
    assert fetch(url, instances("a"))[0] == 404
    assert fetch(address(server, "predict", version="v1beta"), instances("a"))[0] == 404


def test_identity(server: Standin, fetch: Fetch) -> None:
    """An access token or a key is needed; one that is no good is refused in Google's words."""
    url, body = address(server, "predict"), instances("a")
    assert fetch(url, body, key=None, headers={"Authorization": "bearer t"})[0] == 200
    assert fetch(url, body, key="k")[0] == 200
    assert fetch(f"{url}?key=k", body, key=None)[0] == 200
    expected = (
        "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
        "See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )

    def refused(message: str, reason: str) -> dict[str, Any]:
        whole = error(401, "UNAUTHENTICATED", f"{message} {expected}")
        whole["error"]["details"] = [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {
                    "service": "aiplatform.googleapis.com",
                    "method": "google.cloud.aiplatform.v1beta1.PredictionService.Predict",
                },
            }
        ]
        return whole

    missing = "Request is missing required authentication credential."
    status, _, raw = fetch(url, body, key=None)
    assert (status, json.loads(raw)) == (401, refused(missing, "CREDENTIALS_MISSING"))
    invalid = "Request had invalid authentication credentials."
    for wrong in ("Bearer invalid-token", "Bearer", "Bearer ", "Basic dDp0", ""):
        status, _, raw = fetch(url, body, key="k", headers={"Authorization": wrong})
        answer = json.loads(raw)
        assert (status, answer) == (401, refused(invalid, "ACCESS_TOKEN_TYPE_UNSUPPORTED"))
    status, _, raw = fetch(url, body, key="invalid-key")
    details, _ = json.loads(raw)["error"]["details"]
    assert (status, details["reason"]) == (400, "API_KEY_INVALID")
    assert details["metadata"] == {"service": "aiplatform.googleapis.com"}
    with Standin(api_keys={"right"}) as strict:
        url = address(strict, "predict")
        assert fetch(url, body, key="right")[0] == 200
        assert fetch(url, body, key="wrong")[0] == 400
        assert fetch(url, body, key=None, headers=TOKEN)[0] == 200


def test_a_token_is_no_key_of_the_gemini_api(server: Standin, fetch: Fetch) -> None:
    """The Gemini API wants a key, and does not look at an access token beside it."""
    url = f"{server.url}/v1/models/{OLD}:embedContent"
    assert fetch(url, content("a"), key=None, headers=TOKEN)[0] == 403
    wrong = {"Authorization": "Bearer invalid-token"}
    assert fetch(url, content("a"), headers=wrong)[0] == 200


@pytest.mark.parametrize(
    ("method", "body", "message"),
    [
        (
            "predict",
            {"instances": [{"text": "a"}]},
            (
                "Invalid JSON payload received. Unknown name \"text\" at 'instances[0]': "
                "Cannot find field."
            ),
        ),
        (
            "predict",
            {"instances": ["a"]},
            "Invalid value at 'instances[0]', \"a\"",
        ),
        (
            "predict",
            instances("a", task_type="SEARCH"),
            (
                "Invalid value at 'instances[0].task_type' (type.googleapis.com/google.cloud."
                'aiplatform.v1beta1.EmbedContentRequest.EmbeddingTaskType), "SEARCH"'
            ),
        ),
        (
            "predict",
            {**instances("a"), "parameters": {"autoTruncate": "yes"}},
            "Invalid value at 'parameters.autoTruncate' (TYPE_BOOL), \"yes\"",
        ),
        (
            "predict",
            {**instances("a"), "parameters": {"outputDimensionality": "many"}},
            "Invalid value at 'parameters.outputDimensionality' (TYPE_INT32), \"many\"",
        ),
        (
            "embedContent",
            content("a", {"autoTruncate": 1}),
            "Invalid value at 'auto_truncate' (TYPE_BOOL), 1",
        ),
        (
            "batchEmbedContents",
            {"requests": [content("a"), {"instances": []}]},
            (
                "Invalid JSON payload received. Unknown name \"instances\" at 'requests[1]': "
                "Cannot find field."
            ),
        ),
    ],
)
def test_json_that_does_not_fit(
    server: Standin, post: Ask, method: str, body: dict[str, Any], message: str
) -> None:
    """JSON of the wrong shape is refused with the path of what is wrong."""
    status, answer = post(server, method, body)
    assert (status, answer["error"]["message"]) == (400, message)
    (details,) = answer["error"]["details"]
    assert details["fieldViolations"][0]["description"] == message


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("predict", instances("a", "")),
        ("predict", {"instances": [{"title": "T", "task_type": "RETRIEVAL_DOCUMENT"}]}),
        ("predict", instances("a", title="T")),
        ("predict", {**instances("a"), "parameters": {"outputDimensionality": 3073}}),
        ("embedContent", {}),
        ("embedContent", content("")),
        ("embedContent", content("a", {"outputDimensionality": 0})),
        ("batchEmbedContents", requests("a", "")),
        ("batchEmbedContents", {}),
    ],
)
def test_values_that_make_no_sense(
    server: Standin, post: Ask, method: str, body: dict[str, Any]
) -> None:
    """An empty text, or a value out of range or in the wrong place, refuses everything."""
    status, answer = post(server, method, body)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
