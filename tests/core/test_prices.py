from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed.models import MODELS
from gemini_embed.prices import PRICES, Price, price_of

if TYPE_CHECKING:
    from gemini_embed.models import BackendName


@pytest.mark.parametrize(
    ("model", "backend", "online", "batch"),
    [
        ("gemini-embedding-2", "gemini", "0.20", "0.10"),
        ("gemini-embedding-001", "gemini", "0.15", "0.075"),
        ("gemini-embedding-001", "vertex", "0.15", "0.12"),
        ("text-embedding-005", "vertex", "0.10", None),
    ],
)
def test_a_million_tokens_cost_what_google_says(
    model: str, backend: BackendName, online: str, batch: str | None
) -> None:
    """To the cent, at once and through the Batch API; None where no price is known."""
    price = price_of(model, backend)

    assert price is not None
    assert price.cost(1_000_000) == Decimal(online)
    assert price.cost(1_000_000, batch=True) == (None if batch is None else Decimal(batch))


def test_what_is_not_known_has_no_price() -> None:
    """A model that nobody has priced, or a kind of input, costs None, and not nothing."""
    assert price_of("a-gateways-own", "gemini") is None
    assert price_of("text-embedding-004", "gemini") is None
    assert Price(Decimal(1)).cost(7, "IMAGE") is None
    assert Price(Decimal(1)).cost(7, "SMELL") is None


def test_the_callers_prices_go_first() -> None:
    """What was negotiated counts, and for other models the table."""
    own = {"gemini-embedding-2": Price(Decimal("0.17")), "mine": Price(Decimal(3))}

    assert price_of("gemini-embedding-2", "vertex", own) == own["gemini-embedding-2"]
    assert price_of("mine", "gemini", own) == own["mine"]
    assert price_of("gemini-embedding-001", "gemini", own) == price_of(
        "gemini-embedding-001", "gemini"
    )


def test_only_known_models_have_a_price() -> None:
    """A name in the table of prices that is no model would never be found."""
    assert {model for rows in PRICES.values() for model in rows} <= set(MODELS)


def _theirs(package: Any, model: str, **tokens: int) -> Decimal:
    usage = package.Usage(input_tokens=1_000_000, **tokens)
    price: Decimal = package.calc_price(usage, model_ref=model, provider_id="google").total_price
    return price


def test_others_know_the_same_prices() -> None:
    """The table agrees with genai-prices, where that is installed."""
    package = pytest.importorskip("genai_prices", reason="genai-prices is not installed")
    for model, price in PRICES["gemini"].items():
        assert price.text == _theirs(package, model)
        for kind in ("image", "audio", "video"):
            if (ours := getattr(price, kind)) is not None:
                assert ours == _theirs(package, model, **{f"input_{kind}_tokens": 1_000_000})
