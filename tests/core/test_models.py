from __future__ import annotations

import warnings
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from gemini_embed.errors import ConfigurationError
from gemini_embed.models import (
    MODELS,
    bare_name,
    check_dimension,
    find_model,
    is_over,
    warn_of_status,
)

if TYPE_CHECKING:
    from gemini_embed.backend import BackendName


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_known_name_gives_its_row_with_any_resource_path(name: str) -> None:
    """`models/` and `publishers/google/models/` in front of a name change nothing."""
    rows = [find_model(front + name) for front in ("", "models/", "publishers/google/models/")]

    assert rows == [MODELS[name]] * 3


def test_every_successor_is_a_model_that_is_served() -> None:
    """An error that says where to move never names another dead model."""
    for row in MODELS.values():
        if row.successor is not None:
            assert MODELS[row.successor].gemini == "available"


def test_a_retired_model_says_when_and_where_to() -> None:
    """Every row that is retired has a shutdown date and a successor."""
    retired = [row for row in MODELS.values() if row.gemini == "retired"]

    assert {row.name for row in retired} >= {"gemini-embedding-exp-03-07", "text-embedding-004"}
    assert all(row.shutdown and row.successor for row in retired)


def test_an_unknown_newer_gemini_model_works_with_a_warning() -> None:
    """A model released after this version is usable at once, like the newest known one."""
    with pytest.warns(UserWarning, match="gemini-embedding-3"):
        row = find_model("models/gemini-embedding-3")

    assert (row.name, row.task, row.dimension) == ("gemini-embedding-3", "prefix", 3072)


def test_any_other_unknown_name_is_refused_with_the_known_ones() -> None:
    """A typing error in the model name is told at once, with the names there are."""
    with pytest.raises(ConfigurationError, match=r"gemini-embeding-001.*gemini-embedding-001"):
        find_model("gemini-embeding-001")


def test_a_gateway_may_have_its_own_names() -> None:
    """Behind a base_url any name goes, with a warning that says how it is treated."""
    with pytest.warns(UserWarning, match="our-embeddings"):
        assert find_model("our-embeddings", any_name=True).name == "our-embeddings"


@pytest.mark.parametrize(
    ("model", "dimension"),
    [
        ("gemini-embedding-2", 0),
        ("gemini-embedding-2", -1),
        ("gemini-embedding-2", 3073),
        ("gemini-embedding-2", True),
        ("gemini-embedding-2", 768.0),
        ("text-embedding-005", 1024),
        ("embedding-001", 256),
    ],
)
def test_an_impossible_dimension_is_refused(model: str, dimension: int) -> None:
    """A dimension the model cannot give never reaches the service."""
    with pytest.raises(ConfigurationError, match=str(dimension)):
        check_dimension(MODELS[model], dimension)


@pytest.mark.parametrize("dimension", [None, 128, 768, 1536, 3072])
def test_a_possible_dimension_passes(dimension: int | None) -> None:
    """Every documented dimension, and none at all, is fine."""
    check_dimension(MODELS["gemini-embedding-001"], dimension)


def test_a_dimension_below_128_is_sent_with_a_warning() -> None:
    """The service answers it, but promises nothing; the user is told."""
    with pytest.warns(UserWarning, match="below 128"):
        check_dimension(MODELS["gemini-embedding-2"], 64)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gemini-embedding-exp-03-07", "2025-10-30.*gemini-embedding-001"),
        ("text-embedding-005", "Vertex AI"),
    ],
)
def test_a_model_the_gemini_api_does_not_serve_warns(model: str, said: str) -> None:
    """Building an embedder for a dead model says so before anything is sent."""
    with pytest.warns(UserWarning, match=said):
        warn_of_status(MODELS[model], "gemini")


def test_every_end_on_vertex_ai_has_a_successor() -> None:
    """Whoever is told of an end is told where to go."""
    ending = [row for row in MODELS.values() if row.vertex_shutdown]

    assert {row.name for row in ending} >= {"text-embedding-005", "gemini-embedding-001"}
    assert all(row.successor for row in ending)


@pytest.mark.parametrize(
    ("model", "backend", "end"),
    [
        ("text-embedding-005", "vertex", "2027-04-01"),
        ("gemini-embedding-001", "vertex", "2028-05-20"),
        ("gemini-embedding-001", "gemini", "2028-05-14"),
    ],
)
def test_the_end_of_a_model_is_told_half_a_year_before(
    model: str, backend: BackendName, end: str
) -> None:
    """An index has to be embedded again by then, so its owner hears of it in time, not before."""
    day, row = date.fromisoformat(end), MODELS[model]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_status(row, backend, today=day - timedelta(days=184))
    for today, verb in ((day - timedelta(days=183), "shuts"), (day + timedelta(1), "was to shut")):
        with pytest.warns(UserWarning, match=f"{verb} {model} down on .* on {end}. Move to"):
            warn_of_status(row, backend, today=today)
    assert [is_over(row, backend, today=day + timedelta(days)) for days in (0, 1)] == [False, True]


def test_bare_name_leaves_other_names_alone() -> None:
    """Only the resource path is cut off."""
    assert bare_name("team/models-x") == "team/models-x"
