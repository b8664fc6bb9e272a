from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from gemini_embed import ConfigurationError, GeminiEmbedder, Quota
from gemini_embed.adapter import one_value_each
from gemini_embed.options import OPTIONS
from gemini_embed.options.checks import refuse_unknown
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

KNOWN = ["batch_size", "timeout", "model", "show_progress"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("chunk_size", "batch_size"),
        ("request_timeout", "timeout"),
        ("show_progress_bar", "show_progress"),
        ("timout", "timeout"),
        ("modle", "model"),
    ],
)
def test_an_unknown_option_names_the_nearest(name: str, nearest: str) -> None:
    """A typing error, or another class's word, is told instead of changing nothing in silence."""
    with pytest.raises(ConfigurationError, match=f"X has no option '{name}'; .*'{nearest}'"):
        refuse_unknown([name], KNOWN, owner="X")


def test_an_option_that_resembles_nothing_lists_what_there_is() -> None:
    """The error is useful even without a guess."""
    with pytest.raises(ConfigurationError, match="known: batch_size, model"):
        refuse_unknown(["zzz"], KNOWN, owner="X")


def test_what_is_refused_says_what_to_do() -> None:
    """A name that means something elsewhere is answered with the way here."""
    with pytest.raises(ConfigurationError, match="use max_retries"):
        refuse_unknown(
            ["retry_options"], KNOWN, owner="X", refused={"retry_options": "use max_retries"}
        )


def test_two_spellings_must_agree() -> None:
    """Which of two different values was meant is never guessed, and neither is shown."""
    assert one_value_each([("a", "a", None), ("a", "b", 0), ("c", "c", 1), ("c", "d", 1)]) == {
        "a": 0,
        "c": 1,
    }
    assert one_value_each([("a", "a", None)]) == {}
    with pytest.raises(ConfigurationError, match="a and b mean the same") as caught:
        one_value_each([("a", "a", "secret-1"), ("a", "b", "secret-2")])
    assert "secret" not in str(caught.value)


ODD: list[Any] = [
    *(0, 1, -1, 10**400, 1.5, float("nan"), float("inf"), 1e308, True, False, "", " ", "x", b"x"),
    *(
        [],
        ["x"],
        (),
        {},
        {"x": 1},
        {1: "x"},
        {"x": None},
        {"x\n": "x"},
        {"x": "\n"},
        set(),
        object(),
    ),
    *(
        object,
        len,
        Decimal(1),
        1j,
        np.int64(5),
        np.float64(2),
        np.array([1, 2]),
        Path("x"),
        Quota(),
    ),
    *(SecretStr("x"), "auto", "https://gateway.example", "x\ud800", iter([])),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_a_wrong_type_is_named(name: str) -> None:
    """Whatever is given, an embedder is built, or a ConfigurationError tells of this option."""
    context: dict[str, dict[str, Any]] = {
        "batch_documents": {"cache": "x"},
        "cache_full_dimension": {"cache": "x"},
        "location": {"vertexai": True},
    }
    for value in ODD:
        try:
            GeminiEmbedder(**{**context.get(name, {}), name: value})
        except ConfigurationError as error:
            words = str(error).replace("unknown model", "model").replace("API key", "api_key")
            assert name in words
        for adapter in (GeminiEmbeddings, GeminiEmbedding):
            try:
                adapter(**{name: value})
            except ValueError:  # ours, or pydantic's
                continue


def test_numbers_of_other_kinds_are_taken() -> None:
    """Numpy's are numbers, too."""
    made = GeminiEmbedder(output_dimensionality=np.int64(768), timeout=np.float32(2), batch_size=5)  # type: ignore[arg-type] # people compute them

    assert (made.output_dimensionality, made.timeout) == (768, 2.0)
    assert type(made.output_dimensionality) is int


def test_an_empty_model_name_is_told_where_it_is_given() -> None:
    """Not by the service's 404."""
    with pytest.raises(ConfigurationError, match="model must not be empty"):
        GeminiEmbedder(model=" ")
    assert GeminiEmbedder(model=" gemini-embedding-001 ").model == "gemini-embedding-001"


def test_a_long_value_is_not_shown() -> None:
    """It may be a key in the wrong place."""
    with pytest.raises(ConfigurationError, match="normalize must be") as caught:
        GeminiEmbedder(normalize="AIza" + "S" * 35)  # type: ignore[arg-type] # a mistake

    assert "AIza" not in str(caught.value)


@pytest.fixture
def both_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "the-same")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "a-project")


@pytest.mark.usefixtures("both_keys")
def test_a_key_that_is_given_is_the_callers_even_if_the_environment_has_it_too() -> None:
    """On Vertex AI it means express mode; where it came from is carried, not guessed."""
    own = GeminiEmbedder(vertexai=True, api_key="the-same")
    copies = [
        own,
        replace(own, timeout=5),
        pickle.loads(pickle.dumps(own)),  # noqa: S301 - our own bytes
    ]
    found = GeminiEmbedder(vertexai=True)

    assert not any("a-project" in repr(one) for one in copies)
    assert {one.api_key for one in copies} == {SecretStr("the-same")}
    assert "a-project" in repr(found)
    assert found.api_key is None
    with pytest.raises(ConfigurationError, match="either api_key or credentials"):
        GeminiEmbedder(credentials="account.json", api_key="the-same")
    GeminiEmbedder(credentials="account.json")


@pytest.mark.usefixtures("both_keys")
def test_the_adapters_carry_it_too() -> None:
    """A key of the environment stays that through fields, copies and pickles."""
    for made in (
        GeminiEmbeddings(vertexai=True, api_key="the-same"),
        GeminiEmbedding(vertexai=True, api_key="the-same"),
    ):
        for one in (made, made.model_copy(), pickle.loads(pickle.dumps(made))):  # noqa: S301 - ours
            assert "a-project" not in repr(one)
            one.timeout = 5.0  # the core is built anew
            assert "a-project" not in repr(one)
    assert "a-project" in repr(GeminiEmbedding(vertexai=True))
    found = GeminiEmbeddings()
    assert found.google_api_key == SecretStr("the-same")
    assert "GOOGLE_API_KEY" in found._embedder.api_key.source  # type: ignore[union-attr] # a Key


class Ours(GeminiEmbedder):
    model = "gemini-embedding-001"
    output_dimensionality = 256


@dataclass(kw_only=True, eq=False, repr=False)
class OurDataclass(GeminiEmbedder):
    model: str = "gemini-embedding-001"
    output_dimensionality: int | None = 256
    team: str = "x"


@pytest.mark.parametrize("ours", [Ours, OurDataclass])
def test_a_subclass_has_defaults_of_its_own(ours: type[GeminiEmbedder]) -> None:
    """None of them goes back to ours in silence, not in copies either, and each is checked."""
    made = ours(api_key="k")
    for one in (made, replace(made), pickle.loads(pickle.dumps(made))):  # noqa: S301 - ours
        assert (one.model, one.output_dimensionality) == ("gemini-embedding-001", 256)
        assert one.fingerprint.startswith("gemini-embedding-001.256.")
    assert ours(model="gemini-embedding-2").model == "gemini-embedding-2"
    assert ours(output_dimensionality=None).output_dimensionality is None
    with pytest.raises(ConfigurationError, match="output_dimensionality must be"):
        ours(output_dimensionality="768")  # type: ignore[arg-type] # that is the point
