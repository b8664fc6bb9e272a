"""What both adapters have in common: the requests that leave, whose vectors come back, copies."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from helpers import TEXTS, floats, sent_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin


class Product(NamedTuple):
    """One of the two classes.

    Attributes:
        make: Makes one that talks to the stand-in.
        model: What its option for the model is called.
        documents: What its method for documents is called; the async twin begins with an `a`.
    """

    make: Callable[..., Any]
    model: str
    documents: str


@pytest.fixture(params=["LangChain", "LlamaIndex"])
def product(request: pytest.FixtureRequest) -> Product:
    if request.param == "LangChain":
        return Product(request.getfixturevalue("embeddings"), "model", "embed_documents")
    make = request.getfixturevalue("embedding")
    return Product(make, "model_name", "get_text_embedding_batch")


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
async def test_250_documents_each_get_their_own_vector(
    model: str, server: Standin, product: Product
) -> None:
    """Sync and async, on both models: plain floats, in order, told to the model the right way."""
    made = product.make(**{product.model: model})

    synchronous = getattr(made, product.documents)(TEXTS)
    asynchronous = await getattr(made, f"a{product.documents}")(TEXTS)

    if model == "gemini-embedding-2":
        right = [floats(server, f"title: none | text: {text}", model=model) for text in TEXTS]
    else:
        right = [floats(server, t, model=model, task_type="RETRIEVAL_DOCUMENT") for t in TEXTS]
    assert synchronous == right
    assert asynchronous == right
    assert type(synchronous[0]) is list
    assert type(synchronous[0][0]) is float
    assert sorted(len(texts) for texts in sent_texts(server)) == [50, 50, 100, 100, 100, 100]
    for request in (r for exchange in server.log for r in exchange.body["requests"]):
        assert request.get("taskType") == (None if model.endswith("2") else "RETRIEVAL_DOCUMENT")


def test_copies_and_pickles_share_a_limit(product: Product) -> None:
    """A hundred a minute stay a hundred, however a framework copies what holds them."""
    made = product.make(requests_per_minute=100)
    copies = [copy.copy(made), copy.deepcopy(made), made.model_copy(update={"timeout": 5.0})]
    pickled = [pickle.loads(pickle.dumps(one)) for one in (made, copies[1])]  # noqa: S301 - our own bytes

    for one in (*copies, *pickled):
        assert one._embedder._quota is made._embedder._quota
    other = made.model_copy(update={"requests_per_minute": 200})
    assert other._embedder._quota is not made._embedder._quota
