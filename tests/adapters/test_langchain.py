"""`GeminiEmbeddings` against the stand-in: the requests that leave, and whose vectors come back."""

from __future__ import annotations

import json
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from adapters.copies import copies_of
from helpers import TEXTS, sent_texts
from langchain_core.load import dumps
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import SecretStr

from gemini_embed import ConfigurationError, InvalidInputError, ServiceUnavailableError
from langchain_gemini_embed import GeminiEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbeddings]


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
async def test_queries_are_queries(model: str, server: Standin, embeddings: Maker) -> None:
    """A query is told apart from a document, sync and async, on both models."""
    made = embeddings(model=model, output_dimensionality=768)

    synchronous = made.embed_query(text="hi")
    asynchronous = await made.aembed_query(text="hi")

    assert synchronous == asynchronous
    assert np.linalg.norm(synchronous) == pytest.approx(1, abs=1e-5)
    told = [exchange.body["requests"][0] for exchange in server.log]
    if model == "gemini-embedding-2":
        assert sent_texts(server) == [["task: search result | query: hi"]] * 2
        assert all("taskType" not in request for request in told)
    else:
        assert [request["taskType"] for request in told] == ["RETRIEVAL_QUERY"] * 2


async def test_options_of_a_call_reach_the_service(server: Standin, embeddings: Maker) -> None:
    """batch_size, task_type, titles and output_dimensionality work per call, sync and async."""
    made = embeddings(model="gemini-embedding-001")
    options: dict[str, Any] = {"task_type": "clustering", "output_dimensionality": 256}

    assert len(made.embed_documents(["a", "b", "c"], batch_size=2, **options)[0]) == 256
    assert len((await made.aembed_documents(["a", "b", "c"], batch_size=2, **options))[0]) == 256
    assert len(made.embed_query("q", **options)) == 256
    assert len(await made.aembed_query("q", **options)) == 256
    made.embed_documents(["a", "b"], titles=["T", "U"])
    made.embed_query("q", task_type="retrieval_document", title="V")

    requests = [exchange.body["requests"] for exchange in server.log]
    assert sorted(len(request) for request in requests[:4]) == [1, 1, 2, 2]
    for request in (r for batch in requests[:6] for r in batch):
        assert (request["taskType"], request["outputDimensionality"]) == ("CLUSTERING", 256)
    assert [[one["title"] for one in request] for request in requests[6:]] == [["T", "U"], ["V"]]


def test_a_blank_document_is_told_and_nothing_is_sent(server: Standin, embeddings: Maker) -> None:
    """The error names the place of the blank text in the caller's list."""
    with pytest.raises(InvalidInputError, match="text 1 is blank") as caught:
        embeddings().embed_documents(["good", "", "fine"])

    assert caught.value.index == 1
    assert server.log == []


def test_empty_lists_and_tuples(server: Standin, embeddings: Maker) -> None:
    """`[]` gives `[]` and sends nothing; any sequence of texts works."""
    made = embeddings()

    assert made.embed_documents([]) == []
    assert server.log == []
    assert len(made.embed_documents(("a", "b"))) == 2  # type: ignore[arg-type] # users do


def test_request_options_timeout_works(server: Standin, embeddings: Maker) -> None:
    """The option that the other integration accepts and never reads ends a hung request."""
    server.script.append("hang")
    made = embeddings(request_options={"timeout": 0.1}, max_retries=0)

    assert made.timeout == 0.1
    with pytest.raises(ServiceUnavailableError, match=r"0\.1 s"):
        made.embed_query("a")


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ({"chunk_size": 10}, "batch_size"),
        ({"request_timeout": 10}, "timeout"),
        ({"show_progress_bar": True}, "show_progress"),
        ({"output_dimensionalty": 768}, "output_dimensionality"),
        ({"bogus": 1}, r"known: .*google_api_key"),
    ],
)
def test_an_unknown_option_is_refused_with_a_hint(option: dict[str, Any], hint: str) -> None:
    """A typing error never means 3072 dimensions in silence."""
    with pytest.raises(ConfigurationError, match=hint):
        GeminiEmbeddings(**option)


def test_two_spellings_of_one_option(embeddings: Maker) -> None:
    """api_key and dimensions mean google_api_key and output_dimensionality; they must agree."""
    made = embeddings(api_key="k", dimensions=768)

    assert made.google_api_key == SecretStr("k")
    assert made.output_dimensionality == 768
    with pytest.raises(ConfigurationError, match="output_dimensionality and dimensions"):
        embeddings(dimensions=768, output_dimensionality=256)
    with pytest.raises(ConfigurationError, match="google_api_key and api_key"):
        embeddings(api_key="k", google_api_key="other")
    with pytest.raises(ConfigurationError, match="timeout"):
        embeddings(timeout=1, request_options={"timeout": 2})
    with pytest.raises(ConfigurationError, match="request_options has no option 'retries'"):
        embeddings(request_options={"retries": 2})


def test_the_other_spellings_are_attributes_too(server: Standin, embeddings: Maker) -> None:
    """Read and assigned as the fields that they stand for."""
    made = embeddings(api_key="k", dimensions=768)
    assert (made.api_key, made.dimensions) == (SecretStr("k"), 768)

    made.api_key, made.dimensions = "other", 256

    assert (made.google_api_key, made.output_dimensionality) == (SecretStr("other"), 256)
    assert len(made.embed_query("a")) == 256
    assert server.log[-1].headers["x-goog-api-key"] == "other"
    assert "other" not in f"{made!r} {made.model_dump()}"


@pytest.mark.parametrize("wrong", [{"model": "ada"}, {"dimensions": 5000}, {"task_type": "X"}])
def test_what_cannot_work_is_told_when_built(wrong: dict[str, Any]) -> None:
    """Mistakes are told by our error, not at the first call."""
    with pytest.raises(ConfigurationError):
        GeminiEmbeddings(**wrong)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As LangChain users have it: the attribute holds the secret, empty counts as unset."""
    monkeypatch.setenv("GOOGLE_API_KEY", "")
    monkeypatch.setenv("GEMINI_API_KEY", "from-gemini")

    assert GeminiEmbeddings().google_api_key == SecretStr("from-gemini")


def test_options_assigned_later_count(server: Standin, embeddings: Maker) -> None:
    """A field set after building, and `model_copy(update=...)`, change what is sent."""
    made = embeddings()
    made.embed_query("a")

    copied = made.model_copy(update={"output_dimensionality": 256})
    made.output_dimensionality = 128

    assert [len(made.embed_query("a")), len(copied.embed_query("a"))] == [128, 256]
    assert len(server.log) == 3


def test_pickles_and_copies_work(server: Standin, embeddings: Maker) -> None:
    """Before and after first use, in every way that frameworks copy things."""
    made = embeddings(output_dimensionality=768, additional_headers={"x-team": "search"})
    fresh = pickle.dumps(made)
    right = made.embed_query("a")

    for other in copies_of(made, fresh):
        assert other.embed_query("a") == right
        assert server.log[-1].headers["x-team"] == "search"
        assert server.log[-1].headers["x-goog-api-key"] == "a-key"


def test_pickling_with_a_client_is_refused_clearly(server: Standin) -> None:
    """What cannot cross a process says so, and what to do instead."""
    from google import genai  # noqa: PLC0415 - needed here only

    client = genai.Client(api_key="k", http_options={"base_url": server.url})
    made = GeminiEmbeddings(client=client)
    made.embed_query("a")

    with pytest.raises(TypeError, match=r"client=.* cannot be pickled"):
        pickle.dumps(made)
    client.close()


def test_no_view_shows_a_secret(embeddings: Maker) -> None:
    """repr, dumps and model_dump, which end in logs and traces, hold neither key nor header."""
    made = embeddings(api_key="s3cret", additional_headers={"authorization": "t0ken"})

    views = [repr(made), str(made), str(vars(made)), str(made.model_dump()), made.model_dump_json()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # langchain's serializer is a beta feature and says so
        views.append(dumps(made))

    assert json.loads(made.model_dump_json())["model"] == "gemini-embedding-2"
    assert not any(secret in view for view in views for secret in ("s3cret", "t0ken"))


async def test_a_vector_store_finds_the_text_itself(embeddings: Maker) -> None:
    """The whole way through a real store: each text is nearest to itself."""
    made = embeddings(task_type="SEMANTIC_SIMILARITY")
    store = await InMemoryVectorStore.afrom_texts(TEXTS[:150], made)

    found = [store.similarity_search(text, k=1)[0].page_content for text in TEXTS[:150:30]]

    assert found == TEXTS[:150:30]


def test_progress_is_drawn_on_request(
    embeddings: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    """`show_progress=True` draws a bar over texts; without it nothing is printed."""
    embeddings().embed_documents(TEXTS)
    assert capsys.readouterr().err == ""

    embeddings(show_progress=True).embed_documents(TEXTS)
    assert "250/250" in capsys.readouterr().err


def test_a_subclass_may_have_fields_of_its_own(server: Standin) -> None:
    """Users extend the class, and validate into it."""

    class Tenant(GeminiEmbeddings):
        tenant: str = "x"

    made = Tenant(google_api_key=SecretStr("k"), base_url=server.url, tenant="us")
    assert len(made.embed_query("a")) == 3072
    with pytest.raises(ValueError, match="bogus") as caught:
        GeminiEmbeddings.model_validate({"api_key": "s3cret", "bogus": 1})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValueError, match="additional_headers") as wrong:
        GeminiEmbeddings(additional_headers=["s3cret"])  # type: ignore[arg-type] # a mistake
    assert "s3cret" not in str(wrong.value)


def test_headers_assigned_later_are_secrets_too(embeddings: Maker) -> None:
    """However a header gets in, no view shows it."""
    made = embeddings()
    made.additional_headers = {"authorization": "t0ken"}

    assert "t0ken" not in f"{made!r} {made.model_dump()} {made.model_dump_json()}"
