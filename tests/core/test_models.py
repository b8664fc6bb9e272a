from __future__ import annotations

import warnings
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from gemini_embed.errors import ConfigurationError
from gemini_embed.model_names import bare_name, find_model
from gemini_embed.models import MODELS, check_dimension, is_over, warn_of_status

if TYPE_CHECKING:
    from gemini_embed.models import BackendName


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_known_name_gives_its_row_with_any_resource_path(name: str) -> None:
    """`models/` and `publishers/google/models/` in front of a name change nothing."""
    rows = [find_model(front + name) for front in ("", "models/", "publishers/google/models/")]

    assert rows == [MODELS[name]] * 3


def test_every_successor_is_a_model_that_is_served() -> None:
    """An error that says where to move never names another dead model."""
    for row in MODELS.values():
        if row.successor is not None:
            assert MODELS[row.successor].gemini.status == "available"


def test_a_retired_model_says_when_and_where_to() -> None:
    """Every row that is retired has a shutdown date and a successor."""
    retired = [row for row in MODELS.values() if row.gemini.status == "retired"]

    assert {row.name for row in retired} >= {"gemini-embedding-exp-03-07", "text-embedding-004"}
    assert all(row.gemini.shutdown and row.successor for row in retired)


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
    """With the model that it stands for, any name goes; what Google announced is not of it."""
    row = find_model("our-embeddings", behaves_like="text-embedding-004", elsewhere=True)

    assert (row.name, row.task, row.dimension) == ("our-embeddings", "field", 768)
    assert (row.gemini.status, row.successor) == ("available", None)
    assert (row.gemini.shutdown, row.vertex.shutdown) == (None, None)


@pytest.mark.parametrize(
    "name", ["our-embeddings", "my-gemini-embedding-001", "gemini-embedding-9"]
)
def test_a_gateways_own_name_is_not_guessed_at(name: str) -> None:
    """What it stands for decides dimension and task, so the error says the line to add."""
    with pytest.raises(ConfigurationError, match='behaves_like="gemini-embedding-2"'):
        find_model(name, elsewhere=True)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize(
    "front", ["google/", "gemini/", "projects/p/locations/l/publishers/google/models/"]
)
def test_a_path_that_ends_in_a_known_id_is_that_id(front: str, name: str) -> None:
    """However a provider or Vertex AI spells it, and with a version behind it."""
    assert find_model(front + name, elsewhere=True) is MODELS[name]
    assert find_model(f"{front}{name}@001") is MODELS[name]


def test_what_a_name_behaves_like_is_known_and_no_contradiction() -> None:
    """An unknown one cannot help, and a known name needs none."""
    with pytest.raises(ConfigurationError, match="'ada' is not a known model; known models: "):
        find_model("our-embeddings", behaves_like="ada")
    with pytest.raises(ConfigurationError, match="'gemini-embedding-001' is gemini-embedding-001"):
        find_model("gemini-embedding-001", behaves_like="gemini-embedding-2")
    assert find_model("google/gemini-embedding-2", behaves_like="models/gemini-embedding-2")


@pytest.mark.parametrize(
    ("model", "dimension"),
    [
        ("gemini-embedding-2", 0),
        ("gemini-embedding-2", -1),
        ("gemini-embedding-2", 3073),
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
    ending = [row for row in MODELS.values() if row.vertex.shutdown]

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
