"""What the stand-in answers, and refuses, as Vertex AI."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from google.oauth2.credentials import Credentials

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import FaultKind

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]

OLD, NEW, OLDER = "gemini-embedding-001", "gemini-embedding-2", "text-embedding-005"
GLOBAL, REGION = "projects/p/locations/global/", "projects/p/locations/us-central1/"
EXPRESS = ""
TOKEN = {"Authorization": "Bearer t"}
HUGE = "a" * (4 * 8192 + 1)


def address(
    server: Standin, method: str, model: str = OLD, place: str = GLOBAL, version: str = "v1beta1"
) -> str:
    return f"{server.url}/{version}/{place}publishers/google/models/{model}:{method}"


def content(text: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    written: dict[str, Any] = {"content": {"parts": [{"text": text}]}}
    return written if config is None else {**written, "embedContentConfig": config}


def instances(*texts: str, **extra: Any) -> dict[str, Any]:
    return {"instances": [{"content": text, **extra} for text in texts]}


def requests(*texts: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"requests": [content(text, config) for text in texts]}


def usage(count: int) -> dict[str, Any]:
    return {
        "promptTokenCount": count,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}],
        "totalTokenCount": count,
    }


def prediction(vector: list[float], tokens: int, *, truncated: bool = False) -> dict[str, Any]:
    statistics = {"token_count": tokens, "truncated": truncated}
    return {"embeddings": {"values": vector, "statistics": statistics}}


def error(status: int, reason: str, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": reason}}


def not_found(resource: str) -> dict[str, Any]:
    return error(
        404,
        "NOT_FOUND",
        f"Publisher Model `{resource}` was not found or your project does not have access to it. "
        "Please ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )


def too_many_tokens(given: int, most: int) -> dict[str, Any]:
    return error(
        400,
        "INVALID_ARGUMENT",
        f"Unable to submit request because the input token count is {given} but the model "
        f"supports up to {most}. Reduce the input token count and try again. You can also use the "
        "CountTokens API to calculate prompt token count and billable characters.",
    )


@pytest.fixture
def post(fetch: Fetch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Send one request with an access token; return status and parsed body."""

    def send(
        server: Standin, method: str, body: Any, model: str = OLD, **where: str
    ) -> tuple[int, dict[str, Any]]:
        url = address(server, method, model, **where)
        status, _, raw = fetch(url, body, key=None, headers=TOKEN)
        parsed: dict[str, Any] = json.loads(raw)
        return status, parsed

    return send


# Answers.


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("place", [GLOBAL, REGION, EXPRESS])
def test_predict(server: Standin, post: Ask, place: str, version: str) -> None:
    """`predict` answers in order, with the tokens of each text and the characters of all."""
    body = instances("Hello, world!", "b\tc d\n", task_type="RETRIEVAL_QUERY")
    body["parameters"] = {"outputDimensionality": 8}
    expected = [
        prediction(server.vector("Hello, world!", "RETRIEVAL_QUERY", dimension=8), 4),
        prediction(server.vector("b\tc d\n", "RETRIEVAL_QUERY", dimension=8), 2),
    ]
    assert post(server, "predict", body, place=place, version=version) == (
        200,
        {"predictions": expected, "metadata": {"billableCharacterCount": 15}},
    )


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("place", [GLOBAL, "projects/example.com:p/locations/eu/", EXPRESS])
@pytest.mark.parametrize("model", [OLD, NEW, "gemini-embedding-2-preview"])
def test_embed_content(server: Standin, post: Ask, model: str, place: str, version: str) -> None:
    """`embedContent` answers one vector, and the usage of every model."""
    body = content("Hello, world!", {"outputDimensionality": 8})
    assert post(server, "embedContent", body, model, place=place, version=version) == (
        200,
        {
            "embedding": {"values": server.vector("Hello, world!", model=model, dimension=8)},
            "usageMetadata": usage(4),
        },
    )


@pytest.mark.parametrize("model", [OLD, NEW])
def test_batch_embed_contents(server: Standin, post: Ask, model: str) -> None:
    """A batch names no model, has options of its own for each text, and one total of usage."""
    body = {"requests": [content("a"), content("bcdef", {"outputDimensionality": 8})]}
    assert post(server, "batchEmbedContents", body, model) == (
        200,
        {
            "embeddings": [
                {"values": server.vector("a", model=model)},
                {"values": server.vector("bcdef", model=model, dimension=8)},
            ],
            "usageMetadata": usage(3),
        },
    )


def test_a_batch_may_name_its_model(server: Standin, post: Ask) -> None:
    """The full name is accepted, and the publisher's; another model's is not."""
    for named, status in (
        (f"{GLOBAL}publishers/google/models/{OLD}", 200),
        (f"publishers/google/models/{OLD}", 200),
        (f"publishers/google/models/{NEW}", 400),
    ):
        entry = {"model": named, **content("a", {"outputDimensionality": 1})}
        assert post(server, "batchEmbedContents", {"requests": [entry]})[0] == status
        assert post(server, "embedContent", entry)[0] == status


@pytest.mark.parametrize("place", [REGION, "projects/p/locations/europe-west1/"])
@pytest.mark.parametrize("model", [OLDER, "text-embedding-004", "text-multilingual-embedding-002"])
def test_older_models(server: Standin, post: Ask, model: str, place: str) -> None:
    """Models that the Gemini API does not have answer `predict`, in the regions."""
    assert post(server, "predict", instances("a"), model, place=place) == (
        200,
        {
            "predictions": [prediction(server.vector("a", model=model), 1)],
            "metadata": {"billableCharacterCount": 1},
        },
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"taskType": "RETRIEVAL_QUERY"},
        {"taskType": "RETRIEVAL_DOCUMENT", "title": "T"},
        {"outputDimensionality": 768},
    ],
)
def test_both_services_give_the_same_vector(
    server: Standin, ask: Ask, post: Ask, options: dict[str, Any]
) -> None:
    """Same text, model, task, title and dimension: the same vector, by every method."""
    (gemini,) = ask(server, "a", **options)[1]["embeddings"]
    told = dict(options)
    parameters = {"outputDimensionality": told.pop("outputDimensionality", None)}
    predict = {**instances("a", **told), "parameters": parameters}
    (predicted,) = post(server, "predict", predict)[1]["predictions"]
    single = post(server, "embedContent", content("a", options))[1]
    batch = post(server, "batchEmbedContents", requests("a", config=options))[1]
    assert predicted["embeddings"]["values"] == gemini["values"]
    assert single["embedding"] == batch["embeddings"][0] == gemini
    newer = ask(server, "a", model=NEW, **options)[1]["embeddings"]
    assert post(server, "embedContent", content("a", options), NEW)[1]["embedding"] == newer[0]


def test_every_spelling_of_the_options(server: Standin, post: Ask) -> None:
    """Either casing, and the options of `embedContent` beside the content or in a config."""
    expected = {"values": server.vector("a", "CLUSTERING", dimension=8)}
    for options in (
        {"embedContentConfig": {"taskType": "CLUSTERING", "outputDimensionality": 8}},
        {"embed_content_config": {"task_type": "CLUSTERING", "output_dimensionality": "8"}},
        {"taskType": "CLUSTERING", "outputDimensionality": 8, "autoTruncate": True},
    ):
        body = {**content("a"), **options}
        assert post(server, "embedContent", body)[1]["embedding"] == expected
    for task in ("task_type", "taskType"):
        for dimension in ("outputDimensionality", "output_dimensionality"):
            body = {**instances("a", **{task: "CLUSTERING"}), "parameters": {dimension: 8}}
            (answered,) = post(server, "predict", body)[1]["predictions"]
            assert answered["embeddings"]["values"] == expected["values"]


def test_no_task_has_another_name(server: Standin, post: Ask) -> None:
    """UNSPECIFIED is no task; the Gemini API's name for that, and lower case, are refused."""
    for name, status in (
        ("UNSPECIFIED", 200),
        ("TASK_TYPE_UNSPECIFIED", 400),
        ("clustering", 400),
        (5, 400),
    ):
        single = post(server, "embedContent", content("a", {"taskType": name}))
        batch = post(server, "batchEmbedContents", requests("a", config={"taskType": name}))
        predicted = post(server, "predict", instances("a", task_type=name))
        assert [single[0], batch[0], predicted[0]] == [status] * 3
        if status == 200:
            assert single[1]["embedding"]["values"] == server.vector("a")


def test_the_newer_model_ignores_the_task(server: Standin, post: Ask) -> None:
    """gemini-embedding-2 answers the same, whatever task and title it is told."""
    for config in ({"taskType": "RETRIEVAL_QUERY"}, {"taskType": "UNSPECIFIED"}, {"title": "T"}):
        status, answer = post(server, "embedContent", content("a", config), NEW)
        assert (status, answer["embedding"]["values"]) == (200, server.vector("a", model=NEW))


# Limits.


@pytest.mark.parametrize(
    ("model", "place", "fits"), [(OLD, GLOBAL, 4 * 2048), (OLDER, REGION, 4 * 2048)]
)
def test_predict_tells_which_text_was_cut_off(
    server: Standin, post: Ask, model: str, place: str, fits: int
) -> None:
    """A text that is too long is marked; not to cut it off is to refuse it."""
    body = instances("a" * fits, "a" * (fits + 1))
    body["parameters"] = {"outputDimensionality": 1}
    _, answer = post(server, "predict", body, model, place=place)
    statistics = [one["embeddings"]["statistics"] for one in answer["predictions"]]
    assert statistics == [
        {"token_count": 2048, "truncated": False},
        {"token_count": 2048, "truncated": True},  # what is left of it
    ]
    body["parameters"]["autoTruncate"] = False
    assert post(server, "predict", body, model, place=place) == (400, too_many_tokens(2049, 2048))
    body["instances"].pop()
    assert post(server, "predict", body, model, place=place)[0] == 200


@pytest.mark.parametrize(("model", "most"), [(OLD, 2048), (NEW, 8192)])
def test_newer_methods_tell_that_a_text_was_cut_off(
    server: Standin, post: Ask, model: str, most: int
) -> None:
    """`truncated` is said of the whole answer, and only where it is true."""
    fits, long = "a" * (4 * most), "a" * (4 * most + 1)
    config: dict[str, Any] = {"outputDimensionality": 1}
    for method, body in (
        ("embedContent", content(long, config)),
        ("batchEmbedContents", requests("a", long, config=config)),
    ):
        status, answer = post(server, method, body, model)
        assert (status, answer["truncated"]) == (200, True)
    assert "truncated" not in post(server, "embedContent", content(fits, config), model)[1]
    config["autoTruncate"] = False
    for method, body in (
        ("embedContent", content(long, config)),
        ("batchEmbedContents", requests("a", long, config=config)),
    ):
        refused = (400, too_many_tokens(most + 1, most))
        assert post(server, method, body, model) == refused
    assert post(server, "embedContent", content(fits, config), model)[0] == 200


@pytest.mark.parametrize(("model", "place"), [(OLD, GLOBAL), (OLDER, REGION)])
def test_predict_takes_250_texts(server: Standin, post: Ask, model: str, place: str) -> None:
    """One text more is refused, and so are no texts at all."""
    body = {**instances(*["a"] * 250), "parameters": {"outputDimensionality": 1}}
    assert post(server, "predict", body, model, place=place)[0] == 200
    body["instances"] *= 2
    message = "250 instance(s) is allowed per prediction. Actual: 500"
    refused = (400, error(400, "INVALID_ARGUMENT", message))
    assert post(server, "predict", body, model, place=place) == refused
    expected = error(400, "INVALID_ARGUMENT", "Empty instances.")
    expected["error"]["details"] = [
        {
            "@type": "type.googleapis.com/google.rpc.DebugInfo",
            "detail": "[ORIGINAL ERROR] generic::invalid_argument: Empty instances. "
            '[google.rpc.error_details_ext] { message: "Empty instances." }',
        }
    ]
    for none in (instances(), {}):
        assert post(server, "predict", none, model, place=place) == (400, expected)


def test_gemini_embedding_001_may_take_one_text_only(post: Ask) -> None:
    """`vertex_001_instances` limits that model's `predict`, and nothing else."""
    with Standin(vertex_001_instances=1) as server:
        assert post(server, "predict", instances("a"))[0] == 200
        message = (
            "Unable to submit request because it included too many instances. Reduce the number "
            "of instances and try again. Learn more: https://cloud.google.com/vertex-ai/"
            "generative-ai/docs/model-reference/text-embeddings: Unable to submit request because "
            "batchSize must be 1 but the entered value was 56. Update the batchSize value and try "
            "again."
        )
        expected = (400, error(400, "INVALID_ARGUMENT", message))
        assert post(server, "predict", instances(*["a"] * 56)) == expected
        assert post(server, "predict", instances("a", "b"), OLDER, place=REGION)[0] == 200
        assert post(server, "batchEmbedContents", requests("a", "b"))[0] == 200
    with Standin(vertex_001_instances=5) as server:
        message = "5 instance(s) is allowed per prediction. Actual: 6"
        expected = (400, error(400, "INVALID_ARGUMENT", message))
        assert post(server, "predict", instances(*"abcdef")) == expected
    with pytest.raises(ValueError, match="vertex_001_instances must be at least 1, not 0"):
        Standin(vertex_001_instances=0)


def test_older_models_take_20000_tokens(server: Standin, post: Ask) -> None:
    """All texts of one `predict` together; gemini-embedding-001 takes more."""
    ten, eleven = (instances(*["a" * 8000] * count) for count in (10, 11))
    for body in (ten, eleven):
        body["parameters"] = {"outputDimensionality": 1}
    assert post(server, "predict", ten, OLDER, place=REGION)[0] == 200
    refused = (400, too_many_tokens(22_000, 20_000))
    assert post(server, "predict", eleven, OLDER, place=REGION) == refused
    assert post(server, "predict", eleven)[0] == 200


def test_batch_of_101(server: Standin, post: Ask) -> None:
    """A batch takes a hundred texts, as it does on the Gemini API, and at least one."""
    config = {"outputDimensionality": 1}
    body = requests(*["a"] * 100, config=config)
    assert post(server, "batchEmbedContents", body, NEW)[0] == 200
    body = requests(*["a"] * 101, config=config)
    message = "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n"
    refused = (400, error(400, "INVALID_ARGUMENT", message))
    assert post(server, "batchEmbedContents", body, NEW) == refused
    assert post(server, "batchEmbedContents", {"requests": []}, NEW)[0] == 400


def test_the_quota_is_refused_in_silence(ask: Ask, post: Ask) -> None:
    """A 429 has no details. Every text counts; each place has a quota, and the Gemini API too."""
    with Standin(requests=3) as server:
        assert post(server, "predict", instances("a", "b"))[0] == 200
        message = (
            "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/"
            "vertex-ai/generative-ai/docs/error-code-429 for more details."
        )
        refused = (429, error(429, "RESOURCE_EXHAUSTED", message))
        assert post(server, "batchEmbedContents", requests("c", "d")) == refused
        assert post(server, "embedContent", content("c"))[0] == 200
        assert post(server, "embedContent", content("d")) == refused
        assert post(server, "predict", instances("c", "d"), place=REGION)[0] == 200
        assert ask(server, "a", "b", "c")[0] == 200
    with Standin(tokens=4) as server:
        assert post(server, "embedContent", content("Hello, world!"), NEW)[0] == 200
        assert post(server, "embedContent", content("a"), NEW) == refused


# Refusals.


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


# Around the answers.


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [("short", [2]), ("empty", [2, 0]), ("wrong-dimension", [2, 1]), (None, [2, 2])],
)
def test_spoiled_vectors(
    server: Standin, post: Ask, kind: FaultKind | None, lengths: list[int]
) -> None:
    """The answers of both methods for several texts can be spoiled."""
    server.script.extend([kind, kind])
    body = {**instances("a", "b"), "parameters": {"outputDimensionality": 2}}
    predicted = post(server, "predict", body)[1]["predictions"]
    assert [len(one["embeddings"]["values"]) for one in predicted] == lengths
    body = requests("a", "b", config={"outputDimensionality": 2})
    batch = post(server, "batchEmbedContents", body)[1]["embeddings"]
    assert [len(one["values"]) for one in batch] == lengths


def test_an_embedding_without_values(server: Standin, post: Ask) -> None:
    """Told from a short answer by the embedding that is there, whatever the method."""
    server.script.extend(["no-values"] * 3)
    one, other = post(server, "predict", instances("a", "b"))[1]["predictions"]
    assert one["embeddings"].keys() == {"values", "statistics"}
    assert other["embeddings"].keys() == {"statistics"}
    assert post(server, "embedContent", content("a"))[1]["embedding"] == {}
    assert post(server, "batchEmbedContents", requests("a", "b"))[1]["embeddings"][1:] == [{}]


@pytest.mark.parametrize("method", ["predict", "embedContent", "batchEmbedContents"])
def test_faults_and_scripts(server: Standin, post: Ask, method: str) -> None:
    """What is scripted is met by every method of Vertex AI, before any look at the request."""
    server.script.extend(["503", (429, {"said": 1}, {}), "reset", "half"])
    assert post(server, method, {})[1]["error"]["status"] == "UNAVAILABLE"
    assert post(server, method, {}) == (429, {"said": 1})
    with pytest.raises(ConnectionError):
        post(server, method, {})
    body = {**instances("a"), **content("a"), **requests("a")}
    wanted = {"predict": "instances", "embedContent": "content", "batchEmbedContents": "requests"}
    with pytest.raises(http.client.IncompleteRead):
        post(server, method, {wanted[method]: body[wanted[method]]})
    assert not server.script
    assert [exchange.status for exchange in server.log] == [503, 429, 0, 200]


def test_drawn_faults_hit_vertex_too(post: Ask) -> None:
    """A share of faults is a share of all embedding requests, whichever service is asked."""
    with Standin(faults={"500": 1}) as server:
        assert post(server, "predict", instances("a"))[0] == 500


def test_log_and_latency(server: Standin, post: Ask) -> None:
    """Requests are logged with their whole path, and take the time that is set."""
    server.latency = 0.1
    started = time.monotonic()
    body = instances("a")
    post(server, "predict", body, place=REGION, version="v1")
    assert time.monotonic() - started >= 0.1
    (exchange,) = server.log
    assert exchange.path == f"/v1/{REGION}publishers/google/models/{OLD}:predict"
    assert (exchange.body, exchange.status) == (body, 200)
    assert exchange.headers["authorization"] == "Bearer t"


# Google's own client.


def client(server: Standin, *, location: str = "global", good: bool = True) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project="p",
        location=location,
        credentials=Credentials(token="t" if good else "invalid-token"),  # type: ignore[no-untyped-call]
        http_options=types.HttpOptions(base_url=server.url),
    )


@pytest.mark.parametrize(("model", "location"), [(OLD, "global"), (OLDER, "us-central1")])
async def test_googles_own_client(server: Standin, model: str, location: str) -> None:
    """Google's SDK reads the answers for several texts, at once and awaited."""
    contents: list[types.ContentUnion] = [
        types.Content(parts=[types.Part(text=text)]) for text in ("a", "b")
    ]
    config = types.EmbedContentConfig(task_type="CLUSTERING", output_dimensionality=64)
    sdk = client(server, location=location)
    try:
        asked = sdk.models.embed_content(model=model, contents=contents, config=config)
        awaited = await sdk.aio.models.embed_content(model=model, contents=contents, config=config)
    finally:
        sdk.close()
        await sdk.aio.aclose()
    expected = [server.vector(text, "CLUSTERING", model, dimension=64) for text in ("a", "b")]
    for answer in (asked, awaited):
        assert [one.values for one in answer.embeddings or []] == expected
    assert {exchange.status for exchange in server.log} == {200}


def test_googles_own_client_reads_statistics(server: Standin) -> None:
    """Google's SDK finds the tokens, and that a text was cut off, where it looks for them."""
    sdk = client(server)
    try:
        answer = sdk.models.embed_content(model=NEW, contents=HUGE)
        (one,) = answer.embeddings or []
        assert one.values == server.vector(HUGE, model=NEW)
        assert one.statistics is not None
        assert (one.statistics.token_count, one.statistics.truncated) == (8192, True)
    finally:
        sdk.close()


def test_googles_own_client_is_refused(server: Standin) -> None:
    """Google's SDK raises the refusals with their status and message."""
    for sdk, model, status in (
        (client(server, good=False), NEW, 401),
        (client(server, location="us-central1"), NEW, 404),
    ):
        try:
            with pytest.raises(genai_errors.ClientError) as caught:
                sdk.models.embed_content(model=model, contents="a")
        finally:
            sdk.close()
        assert caught.value.code == status


def test_googles_own_client_in_express_mode(server: Standin) -> None:
    """A key without a project leads to the same vectors."""
    sdk = genai.Client(
        vertexai=True, api_key="k", http_options=types.HttpOptions(base_url=server.url)
    )
    try:
        answer = sdk.models.embed_content(model=NEW, contents="a")
    finally:
        sdk.close()
    assert [one.values for one in answer.embeddings or []] == [server.vector("a", model=NEW)]
    (exchange,) = server.log
    assert exchange.path.endswith(f"/publishers/google/models/{NEW}:embedContent")
    assert "projects" not in exchange.path
