"""What Vertex AI answers instead of vectors, and what it says beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers import vectors_of

from gemini_embed import (
    GeminiEmbedder,
    ModelNotFoundError,
    ModelRetiredError,
    NoVectorError,
    RequestError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


def test_a_model_that_is_not_in_the_region_says_where_it_is(vertex: Maker) -> None:
    """A 404 names model, project and region, and the regions that serve the model."""
    with pytest.raises(ModelNotFoundError, match="it is served in global, us, eu") as caught:
        vertex(location="us-central1").embed(["a"], role="query")

    assert (caught.value.backend, caught.value.region) == ("vertex", "us-central1")


@pytest.mark.filterwarnings("ignore:gemini-embedding-exp-03-07 is")
def test_a_model_of_the_other_service_says_so(vertex: Maker) -> None:
    """The experimental model never was on Vertex AI; the error says what to move to."""
    with pytest.raises(ModelNotFoundError, match="move to gemini-embedding-001") as caught:
        vertex(model="gemini-embedding-exp-03-07").embed(["a"], role="query")

    assert not isinstance(caught.value, ModelRetiredError)


def test_a_text_that_was_cut_off_is_told(server: Standin, vertex: Maker) -> None:
    """Vertex AI says when it reads a text only in part; the warning gives the index."""
    long = "many words in a text that is too long " * 250
    made = vertex(model="text-embedding-005")

    doubt = pytest.warns(UserWarning, match=r"perhaps too long: text 1\)$")
    with (
        doubt,
        pytest.warns(UserWarning, match=r"cut off what was too long for the model: text 1$"),
    ):
        result = made.embed(["a", long, "b"], role="document")

    assert result.usage.truncated == (1,)
    expected = vectors_of(
        server, ["a", "b"], model="text-embedding-005", task_type="RETRIEVAL_DOCUMENT"
    )
    assert (result.vectors[[0, 2]] == expected).all()


def test_a_text_that_was_cut_off_in_a_batch_is_told(vertex: Maker) -> None:
    """Where the service says so of a batch only, the texts that are long enough are named."""
    long = "many words in a text that is too long " * 1000

    doubt = pytest.warns(UserWarning, match=r"perhaps too long: text 1\)$")
    with (
        doubt,
        pytest.warns(UserWarning, match=r"cut off what was too long for the model: text 1$"),
    ):
        result = vertex().embed(["a", long, "b"], role="document")

    assert result.usage.truncated == (1,)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("model", ["gemini-embedding-2", "gemini-embedding-001"])
def test_a_single_text_that_gets_no_vector_is_named(
    server: Standin, vertex: Maker, model: str, *, fast: bool
) -> None:
    """Whichever method is asked, an embedding without values is no answer without one."""
    server.script.append("no-values")

    with pytest.raises(NoVectorError, match="no vector") as caught:
        vertex(model=model, fast_decode=fast).embed(["a"], role="document")

    assert caught.value.indexes == (0,)
    assert len(server.log) == 1


def test_a_429_without_details_is_tried_again(server: Standin, vertex: Maker) -> None:
    """Vertex AI names neither quota nor delay."""
    body = {
        "error": {"code": 429, "message": "Resource exhausted.", "status": "RESOURCE_EXHAUSTED"}
    }
    server.script.extend([(429, body, {})] * 2)

    vectors = vertex().embed(["a"], role="query").vectors

    as_sent = ["task: search result | query: a"]
    assert (vectors == vectors_of(server, as_sent, model="gemini-embedding-2")).all()
    assert len(server.log) == 3


def test_a_bad_text_does_not_sink_its_neighbours(server: Standin, vertex: Maker) -> None:
    """A refusal that names content is followed to the text, as on the Gemini API."""
    body = {"error": {"code": 400, "message": "content is bad", "status": "INVALID_ARGUMENT"}}
    server.script.extend([(400, body, {})] * 1)

    with pytest.raises(RequestError) as caught:
        vertex(model="text-embedding-005").embed(["a"], role="document")

    assert caught.value.indexes == (0,)
