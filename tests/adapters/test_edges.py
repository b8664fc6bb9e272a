"""What people do with both classes at the edges: subclasses, dumps, schemas, odd lists of texts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers import sent_texts, vectors_of
from pydantic import BaseModel, SecretStr

from gemini_embed import ConfigurationError, InvalidInputError
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin


class OurLlama(GeminiEmbedding):
    model_name: str = "gemini-embedding-001"
    api_key: SecretStr | None = SecretStr("the-classs-own")  # pyright: ignore[reportIncompatibleVariableOverride] # pydantic allows it
    output_dimensionality: int | None = 256
    embed_batch_size: int = 7
    num_workers: int | None = 3
    timeout: float | None = 5.0
    retry_min_seconds: float = 0.5
    retry_max_seconds: float = 9.0
    retry_exponential_base: float = 3.0
    max_retries: int | None = 1
    vertexai: bool | None = False
    api_version: str | None = "v1beta"
    task_type: str | None = "QUESTION_ANSWERING"
    embedding_config: dict[str, Any] | None = {"title": "Ours"}  # noqa: RUF012 - pydantic copies it


class OurLang(GeminiEmbeddings):
    model: str = "gemini-embedding-001"
    google_api_key: SecretStr | None = SecretStr("the-classs-own")  # pyright: ignore[reportIncompatibleVariableOverride] # pydantic allows it
    output_dimensionality: int | None = 256
    timeout: float | None = 5.0


def test_a_subclass_has_defaults_of_its_own(server: Standin) -> None:
    """None of them goes back to ours in silence: what is sent, where, and how often."""
    made = OurLlama(base_url=server.url)
    made.get_text_embedding_batch([f"text {i}" for i in range(14)])
    OurLang(base_url=server.url).embed_query("a")

    fields = OurLlama.model_fields
    for name in OurLlama.__annotations__:
        assert getattr(made, name) == fields[name].default, name
    assert made.max_concurrency == 3
    assert [len(texts) for texts in sent_texts(server)] == [7, 7, 1]
    for exchange in server.log:
        assert exchange.path.endswith("/models/gemini-embedding-001:batchEmbedContents")
        assert exchange.headers["x-goog-api-key"] == "the-classs-own"
        assert exchange.body["requests"][0]["outputDimensionality"] == 256
    assert server.log[0].body["requests"][0]["taskType"] == "RETRIEVAL_DOCUMENT"
    assert server.log[0].body["requests"][0]["title"] == "Ours"


class KeyInClearLlama(GeminiEmbedding):
    api_key: str = "the-classs-own"  # pyright: ignore[reportIncompatibleVariableOverride] # pydantic allows it


class KeyInClearLang(GeminiEmbeddings):
    google_api_key: str = "the-classs-own"  # pyright: ignore[reportIncompatibleVariableOverride] # pydantic allows it


def test_a_subclass_may_hold_its_key_as_a_string(server: Standin) -> None:
    """It is sent, and shown no more than any other."""
    llama, lang = KeyInClearLlama(base_url=server.url), KeyInClearLang(base_url=server.url)
    llama.get_query_embedding("a")
    lang.embed_query("a")

    for exchange in server.log:
        assert exchange.headers["x-goog-api-key"] == "the-classs-own"
    views = f"{llama!r} {llama.api_key!r} {lang!r} {lang.google_api_key!r} {vars(lang)}"
    dumps = f"{llama.to_dict()} {llama.to_json()} {lang.model_dump()} {lang.model_dump_json()}"
    assert "the-classs-own" not in views + dumps


def test_what_is_given_beats_the_subclass() -> None:
    """Also where it is what our own default would be."""
    made = OurLlama(
        model_name="gemini-embedding-2",
        api_key=SecretStr("k"),
        embed_batch_size=100,
        timeout=None,
        retry_min_seconds=1.0,
        max_concurrency=8,
        num_workers=8,
    )

    assert (made.model_name, made.api_key) == ("gemini-embedding-2", SecretStr("k"))
    assert (made.embed_batch_size, made.timeout, made.retry_min_seconds) == (100, None, 1.0)
    assert made.max_concurrency == 8
    for cls in (OurLlama, OurLang):
        assert cls(timeout=None).timeout is None
        assert cls(output_dimensionality=None).output_dimensionality is None
    tolerated = OurLlama(max_concurrency=None)  # type: ignore[arg-type] # as without it
    assert tolerated.max_concurrency == 3


def test_a_copy_takes_other_options_by_any_of_their_names(server: Standin) -> None:
    """Pydantic would take each name, and change nothing in silence."""
    lang = GeminiEmbeddings(api_key="k", base_url=server.url)
    llama = GeminiEmbedding(api_key="k", base_url=server.url)

    assert len(lang.model_copy(update={"dimensions": 256}).embed_query("a")) == 256
    assert llama.model_copy(update={"batch_size": 7}, deep=True).embed_batch_size == 7
    for made in (lang, llama):
        with pytest.raises(ConfigurationError, match="output_dimensionality"):
            made.model_copy(update={"output_dimensionalty": 256})
        with pytest.raises(ConfigurationError, match="must be a whole number"):
            made.model_copy(update={"output_dimensionality": "256"}).fingerprint  # noqa: B018


class Settings(BaseModel):
    embed: GeminiEmbedding


def test_llamaindex_takes_its_own_dump_back() -> None:
    """By the constructor, by validation, and as a field of another model."""
    made = GeminiEmbedding("gemini-embedding-001", "k", output_dimensionality=768, timeout=None)
    dump = made.model_dump()

    for back in (
        GeminiEmbedding(**dump, api_key="k"),
        GeminiEmbedding.model_validate({**dump, "api_key": "k"}),
        Settings.model_validate(Settings(embed=made).model_dump()).embed,
        Settings.model_validate_json(Settings(embed=made).model_dump_json()).embed,
    ):
        assert back.fingerprint == made.fingerprint
        assert back.model_dump() == dump


@pytest.mark.parametrize("cls", [GeminiEmbeddings, GeminiEmbedding])
def test_both_have_a_json_schema(cls: type[BaseModel]) -> None:
    """Frameworks that describe their parts, in forms and documents, can describe this one."""
    properties = json.loads(json.dumps(cls.model_json_schema()))["properties"]

    assert {"output_dimensionality", "task_type", "on_surrogate"} <= properties.keys()


@pytest.mark.parametrize("cls", [GeminiEmbeddings, GeminiEmbedding])
def test_the_repr_says_model_and_service(cls: Callable[..., Any]) -> None:
    """And not the forty fields; a secret is in neither."""
    made = cls(
        api_key="s3cret",
        task_type="CLUSTERING",
        base_url="https://somebody:s3cret@gateway.example/?key=s3cret",
    )

    assert repr(made) == (
        f"{type(made).__name__}(model='gemini-embedding-2', task_type='CLUSTERING', "
        "backend='the Gemini API (the default)', base_url='https://gateway.example')"
    )


ODD_LISTS = [
    {"a": "x", "b": "y"}.values,
    lambda: (text for text in "xy"),
    lambda: dict.fromkeys("xy"),
    lambda: ("x", "y"),
]


@pytest.mark.parametrize("texts", ODD_LISTS)
def test_any_collection_of_texts_is_taken(texts: Callable[[], Any], server: Standin) -> None:
    """In its order, by each method of both classes that takes several."""
    lang = GeminiEmbeddings(google_api_key=SecretStr("k"), base_url=server.url)
    llama = GeminiEmbedding(api_key="k", base_url=server.url)
    as_sent = ["title: none | text: x", "title: none | text: y"]
    right = vectors_of(server, as_sent, model="gemini-embedding-2").tolist()

    assert lang.embed_documents(texts()) == right
    assert asyncio.run(lang.aembed_documents(texts())) == right
    assert llama.get_text_embedding_batch(texts()) == right
    assert asyncio.run(llama.aget_text_embedding_batch(texts())) == right
    assert llama.get_text_embedding_batch(texts(), titles=("T", None))[1] == right[1]


@pytest.mark.parametrize("wrong", [None, 5, "one text", b"one text"])
def test_what_is_no_collection_of_texts_is_told(wrong: Any, server: Standin) -> None:
    """By both classes in the same words, before anything is sent."""
    lang = GeminiEmbeddings(google_api_key=SecretStr("k"), base_url=server.url)
    llama = GeminiEmbedding(api_key="k", base_url=server.url)

    for method in (lang.embed_documents, llama.get_text_embedding_batch):
        with pytest.raises(ConfigurationError, match="texts must be a list of strings"):
            method(wrong)
        with pytest.raises(InvalidInputError, match="text 1 is not a string"):
            method(["fine", None])  # type: ignore[list-item] # a mistake
    with pytest.raises(InvalidInputError, match="text 0 is not a string but NoneType"):
        lang.embed_query(None)  # type: ignore[arg-type] # likewise
    assert server.log == []


@pytest.mark.parametrize("on_surrogate", ["error", "replace"])
def test_halves_of_surrogate_pairs(on_surrogate: Any, server: Standin) -> None:
    """A whole pair is one character; half of one is named with its place, or replaced."""
    lang = GeminiEmbeddings(
        google_api_key=SecretStr("k"), base_url=server.url, on_surrogate=on_surrogate
    )
    llama = GeminiEmbedding(api_key="k", base_url=server.url, on_surrogate=on_surrogate)
    for method in (lang.embed_documents, llama.get_text_embedding_batch):
        server.log.clear()
        method(["\ud83d\ude00!"])
        assert sent_texts(server) == [["title: none | text: \U0001f600!"]]
        if on_surrogate == "replace":
            method(["a\ud83d!"])
            assert sent_texts(server)[1] == ["title: none | text: a\ufffd!"]
            continue
        with pytest.raises(InvalidInputError, match=r"text 1 .* character 2 is half") as caught:
            method(["a", "ab\ud83d"])
        assert (caught.value.index, caught.value.reason) == (1, "not valid Unicode")
