"""The price list that readers see, beside the one that is counted with."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from pages import ROOT

from gemini_embed.prices import PRICES, PRICES_OF

PAGE = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "service"), [(model, name) for name in PRICES for model in PRICES[name]]
)
def test_the_price_list_is_the_one_that_is_counted_with(model: str, service: str) -> None:
    """Whoever reads a price on the page gets it in an estimate, by the Batch API too."""
    named = model.removesuffix("-preview")  # costs what its successor costs
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`{named}`" in line)
    cells = [re.findall(r"\d+\.\d+", cell) for cell in row.split("|")[2:5]]
    price = PRICES["vertex" if service == "vertex" else "gemini"][model]

    told = cells[2] if service == "vertex" else cells[0]
    assert [Decimal(one) for one in told] == [price.text]
    if service == "gemini" and price.batch is not None:
        assert [Decimal(one) for one in cells[1]] == [price.text * price.batch]


def test_the_day_of_the_list_is_told() -> None:
    """Prices change, so the page says of which day they are."""
    assert PRICES_OF in PAGE
