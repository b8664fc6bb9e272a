"""What the stand-in refuses as the Gemini API, in Google's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from standin.messages import NEW, OLD, error

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]


def entry(**changes: Any) -> dict[str, Any]:
    whole = {"model": f"models/{OLD}", "content": {"parts": [{"text": "a"}]}, **changes}
    return {name: value for name, value in whole.items() if value is not ...}


def test_batch_of_101(server: Standin, ask: Ask) -> None:
    """A hundred texts fit in one batch, not one more."""
    assert ask(server, *["a"] * 100, outputDimensionality=2)[0] == 200
    message = "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n"
    assert ask(server, *["a"] * 101) == (400, error(400, "INVALID_ARGUMENT", message))


def test_empty_part_fails_the_batch(server: Standin, ask: Ask) -> None:
    """One empty text, and none of the batch is embedded; a space is a text."""
    message = "EmbedContentRequest.content contains an empty Part."
    assert ask(server, "a", "") == (400, error(400, "INVALID_ARGUMENT", message))
    assert ask(server, "a", " ")[0] == 200


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("model", ["nonexistent-model", "text-embedding-004", "text-embedding-005"])
def test_model_not_found(server: Standin, ask: Ask, fetch: Fetch, model: str, version: str) -> None:
    """Unknown, retired and never served models are all the same 404; a batch hears embedContent.

    Both of Google's wordings are heard, each from the method that was last recorded with it.
    """
    message = (
        f"models/{model} is not found for API version {version}, or is not supported for {{}}. "
        "Call {}ListModels to see the list of available models and their supported methods."
    )
    expected = error(404, "NOT_FOUND", message.format("embedContent", "ModelService."))
    assert ask(server, "a", model=model, version=version) == (404, expected)
    url = f"{server.url}/{version}/models/{model}"
    status, _, raw = fetch(f"{url}:countTokens", {"contents": [{"parts": [{"text": "a"}]}]})
    expected = error(404, "NOT_FOUND", message.format("countTokens", ""))
    assert (status, json.loads(raw)) == (404, expected)
    assert fetch(url, method="GET")[0] == 404


def test_unknown_method(server: Standin, fetch: Fetch) -> None:
    """An embedding model generates nothing."""
    status, _, raw = fetch(f"{server.url}/v1beta/models/{OLD}:generateContent", {})
    assert status == 404
    assert "not supported for generateContent" in json.loads(raw)["error"]["message"]


def test_keys(server: Standin, fetch: Fetch) -> None:
    """No key is 403, a wrong one 400 with the reason in the details; ?key= is a key too."""
    url = f"{server.url}/v1beta/models/{OLD}:embedContent"
    body = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 1}
    assert fetch(url, body)[0] == 200
    assert fetch(f"{url}?key=k", body, key=None)[0] == 200
    status, _, raw = fetch(url, body, key=None)
    refused = json.loads(raw)["error"]
    assert (status, refused["code"], refused["status"]) == (403, 403, "PERMISSION_DENIED")
    assert refused["message"].startswith("Method doesn't allow unregistered callers")
    status, _, raw = fetch(url, body, key="invalid-key")
    message = "API key not valid. Please pass a valid API key."
    expected = error(400, "INVALID_ARGUMENT", message)
    expected["error"]["details"] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "en-US",
            "message": message,
        },
    ]
    assert (status, json.loads(raw)) == (400, expected)


def test_chosen_keys(fetch: Fetch) -> None:
    """`api_keys` accepts these and no other."""
    with Standin(api_keys={"right"}) as server:
        url = f"{server.url}/v1/models"
        assert fetch(url, key="right", method="GET")[0] == 200
        assert fetch(url, key="wrong", method="GET")[0] == 400


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x": 1},
            (
                "Invalid JSON payload received. Unknown name \"x\" at 'requests[0]': "
                "Cannot find field."
            ),
        ),
        (
            {"content": {"parts": [{"text": "a", "y": 1}]}},
            (
                'Invalid JSON payload received. Unknown name "y" at '
                "'requests[0].content.parts[0]': Cannot find field."
            ),
        ),
        (
            {"taskType": "SEARCH"},
            (
                "Invalid value at 'requests[0].task_type' "
                '(type.googleapis.com/google.ai.generativelanguage.v1beta.TaskType), "SEARCH"'
            ),
        ),
        (
            {"outputDimensionality": "many"},
            "Invalid value at 'requests[0].output_dimensionality' (TYPE_INT32), \"many\"",
        ),
        (
            {"content": {"parts": [{"text": 5}]}},
            "Invalid value at 'requests[0].content.parts[0].text' (TYPE_STRING), 5",
        ),
        (
            {"content": {"parts": [{"text": "\ud800"}]}},
            "Invalid value at 'requests[0].content.parts[0].text' (TYPE_STRING), \"\\ud800\"",
        ),
        ({"content": {"parts": 5}}, "Invalid value at 'requests[0].content.parts', 5"),
        ({"content": 5}, "Invalid value at 'requests[0].content', 5"),
    ],
)
def test_json_that_does_not_fit(
    server: Standin, ask: Ask, changes: dict[str, Any], message: str
) -> None:
    """JSON of the wrong shape is refused with the path of what is wrong."""
    status, answer = ask(server, requests=[entry(**changes)])
    assert (status, answer["error"]["message"]) == (400, message)
    (details,) = answer["error"]["details"]
    assert details["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert details["fieldViolations"][0]["description"] == message


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model": ...}, "model: model is not specified"),
        ({"model": OLD}, "model: unexpected model name format"),
        (
            {"content": {"parts": [{"text": "a"}, {"text": None}]}},
            "content.parts[1].data: required oneof field 'data' must have one initialized field",
        ),
        (
            {"content": {"parts": [{}]}},
            "content.parts[0].data: required oneof field 'data' must have one initialized field",
        ),
    ],
)
def test_a_bad_entry_is_named_by_its_path(
    server: Standin, ask: Ask, changes: dict[str, Any], complaint: str
) -> None:
    """One entry without a model, or with a part that holds nothing, refuses the batch."""
    message = f"* BatchEmbedContentsRequest.requests[1].{complaint}\n"
    assert ask(server, requests=[entry(), entry(**changes)]) == (
        400,
        error(400, "INVALID_ARGUMENT", message),
    )


def test_every_entry_without_a_model_is_named(server: Standin, ask: Ask) -> None:
    """A batch whose entries all lack the model is told so of each."""
    _, answer = ask(server, requests=[entry(model=...), entry(model=OLD), entry(model=...)])
    assert answer["error"]["message"] == (
        "* BatchEmbedContentsRequest.requests[0].model: model is not specified\n"
        "* BatchEmbedContentsRequest.requests[1].model: unexpected model name format\n"
        "* BatchEmbedContentsRequest.requests[2].model: model is not specified\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "message"),
    [
        (
            "embedContent",
            {"content": {"parts": [{}]}},
            "* EmbedContentRequest.content.parts[0].data: ",
        ),
        (
            "countTokens",
            {"contents": [{"parts": [{}]}]},
            "* CountTokensRequest.contents[0].parts[0].data: ",
        ),
    ],
)
def test_a_part_that_holds_nothing(
    server: Standin, fetch: Fetch, method: str, body: dict[str, Any], message: str
) -> None:
    """No method takes it for an empty text."""
    status, _, raw = fetch(f"{server.url}/v1/models/{OLD}:{method}", body)
    assert status == 400
    assert json.loads(raw)["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    "changes",
    [
        {"outputDimensionality": 3073},
        {"outputDimensionality": 0},
        {"outputDimensionality": -1},
        {"title": "T"},
        {"title": "T", "taskType": "RETRIEVAL_QUERY"},
        {"model": f"models/{NEW}"},
        {"content": ...},
        {"content": {}},
        {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}},
    ],
)
def test_values_that_make_no_sense(server: Standin, ask: Ask, changes: dict[str, Any]) -> None:
    """A value out of range, or in the wrong place, refuses the whole batch."""
    status, answer = ask(server, requests=[entry(), entry(**changes)])
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_auto_truncate_only_inside_the_config(server: Standin, ask: Ask, fetch: Fetch) -> None:
    """The Gemini API knows `autoTruncate` in an entry's `embedContentConfig`, and nowhere else."""
    assert ask(server, "a", embedContentConfig={"autoTruncate": False})[0] == 200
    status, answer = ask(server, "a", autoTruncate=False)
    assert status == 400
    assert "Unknown name \"autoTruncate\" at 'requests[0]'" in answer["error"]["message"]
    body = {"requests": [entry()], "autoTruncate": False}
    status, _, raw = fetch(f"{server.url}/v1/models/{OLD}:batchEmbedContents", body)
    assert status == 400
    assert 'Unknown name "autoTruncate": ' in json.loads(raw)["error"]["message"]


@pytest.mark.parametrize("raw", [b"", b"{", b'{"requests": []}', b"[]", b'{"x": 1}', b"\xff"])
def test_bodies_that_are_no_request(server: Standin, fetch: Fetch, raw: bytes) -> None:
    """What is not JSON, or not a request at all, is a 400 too."""
    status, _, answer = fetch(f"{server.url}/v1/models/{OLD}:batchEmbedContents", raw)
    assert (status, json.loads(answer)["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_other_model_in_a_single_request(server: Standin, fetch: Fetch) -> None:
    """The model in the body, if there is one, must be the one in the URL."""
    body = entry(model=f"models/{NEW}")
    assert fetch(f"{server.url}/v1/models/{OLD}:embedContent", body)[0] == 400
