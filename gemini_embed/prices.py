"""What Google asks for a token: a dated table beside the table of models. Performs no I/O.

Read on 2026-11-26: the pricing pages of ai.google.dev/gemini-api/docs/pricing and of Vertex AI, as
litellm 1.110.2 and genai-prices 0.2.3 hold them. A model that is not here has no price that is
known; the free tier costs nothing. Vertex AI bills its older models by the character, 0.025 for a
million: that is the price here at four characters a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.models import BackendName

PRICES_OF = "2026-11-26"
"""The day on which the table was read."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million input tokens; None where it is not known.

    Attributes:
        text: Of texts.
        image: Of images, and of the pages of a PDF, which are read as images.
        audio: Of sound.
        video: Of films.
        batch: What the Batch API asks, as a share of all these.
    """

    text: Decimal
    image: Decimal | None = None
    audio: Decimal | None = None
    video: Decimal | None = None
    batch: Decimal | None = None

    def cost(self, tokens: int, modality: str = "TEXT", *, batch: bool = False) -> Decimal | None:
        """Return what tokens cost, in US dollars; None where that is not known.

        Args:
            tokens: How many.
            modality: What they are of, in Google's words: `TEXT`, `IMAGE`, `DOCUMENT`,
                `AUDIO`, `VIDEO`.
            batch: Whether the Batch API is asked.
        """
        known = {
            "TEXT": self.text,
            "IMAGE": self.image,
            "DOCUMENT": self.image,
            "AUDIO": self.audio,
            "VIDEO": self.video,
        }
        price, share = known.get(modality), self.batch if batch else Decimal(1)
        return None if price is None or share is None else tokens * price * share / _MILLION


_HALF = Decimal("0.5")

_TWO = Price(
    text=Decimal("0.20"),
    image=Decimal("0.45"),
    audio=Decimal("6.50"),
    video=Decimal("12.00"),
    batch=_HALF,
)
_OLDER = Price(Decimal("0.10"))

PRICES: Mapping[BackendName, Mapping[str, Price]] = {
    "gemini": {
        "gemini-embedding-2": _TWO,
        "gemini-embedding-2-preview": _TWO,
        "gemini-embedding-001": Price(Decimal("0.15"), batch=_HALF),
    },
    "vertex": {
        "gemini-embedding-2": _TWO,
        "gemini-embedding-2-preview": _TWO,
        "gemini-embedding-001": Price(Decimal("0.15"), batch=Decimal("0.8")),
        "text-embedding-004": _OLDER,
        "text-embedding-005": _OLDER,
        "text-multilingual-embedding-002": _OLDER,
    },
}
"""The price of each model, by service."""


def price_of(
    model: str, backend: BackendName, prices: Mapping[str, Price] | None = None
) -> Price | None:
    """Return the price of a model, None where it is not known; `prices` go before the table."""
    return (prices or {}).get(model) or PRICES[backend].get(model)


def cost_of(
    price: Price | None, tokens: Mapping[str, int], *, batch: bool = False
) -> Decimal | None:
    """Return what tokens of several kinds cost; None where the price of any is not known."""
    if price is None:
        return None
    costs = [price.cost(number, kind, batch=batch) for kind, number in tokens.items() if number]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None
