"""A few texts, questions with clear answers among them, and the order that cosines give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

DIMENSION = 384  # of the stand-in's local model

TEXTS = [
    "Cats sleep for twelve to sixteen hours a day.",
    "Bread is baked in an oven from flour, water and yeast.",
    "The Pacific is the largest ocean on Earth.",
    "A violin has four strings and is played with a bow.",
    "Water boils at one hundred degrees Celsius at sea level.",
    "The Eiffel Tower was built in Paris in 1889.",
    "A football match lasts ninety minutes.",
    "Bees make honey from the nectar of flowers.",
    "Light travels about three hundred thousand kilometres in a second.",
    "Vaccines teach the immune system to recognise a virus.",
]

ANSWERS = {
    "How long does a cat rest?": TEXTS[0],
    "What do I need to make a loaf?": TEXTS[1],
    "Which sea is the biggest?": TEXTS[2],
    "At what temperature does water start to boil?": TEXTS[4],
    "Where does honey come from?": TEXTS[7],
    "How fast is light?": TEXTS[8],
}


def order_by_cosine(
    texts: Sequence[str], vectors: Sequence[Sequence[float]], query: Sequence[float]
) -> list[str]:
    """Return the texts, nearest to the query first; no two are so near that rounding decides."""
    documents, asked = np.array(vectors), np.array(query)
    cosines = documents @ asked / np.linalg.norm(documents, axis=1) / np.linalg.norm(asked)
    order = np.argsort(-cosines)
    assert np.diff(-cosines[order]).min() > 1e-5
    return [texts[int(place)] for place in order]
