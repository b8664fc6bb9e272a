"""The estimates of tokens, held against what Google reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from real.catalogue import NOT_SENT, SENT
from real.recordings import exchanges

from gemini_embed.token_counts import count_likely, count_most

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from real.recordings import Exchange

_OTHERS = ("SOURCES.md", "error_bodies.json", "error_bodies_2.json", "cookbook__batch_embeddings")


def _counted(exchange: Exchange) -> Iterator[tuple[list[str], int]]:
    """Yield texts of a request, and how many tokens Google says that they have."""
    asked, answered = exchange.asked, exchange.answered
    if "predictions" in answered:
        for instance, told in zip(asked["instances"], answered["predictions"], strict=True):
            yield [instance["content"]], told["embeddings"]["statistics"]["token_count"]
    usage = answered.get("usageMetadata", {})
    details: list[Any] = usage.get("promptTokenDetails") or usage.get("promptTokensDetails") or []
    entries = asked.get("requests", [asked]) if isinstance(asked, dict) else []
    texts = [
        part["text"]
        for entry in entries
        for part in entry.get("content", {}).get("parts", [])
        if "text" in part
    ]
    if texts and exchange.path.endswith(("mbedContents", "embedContent")):
        yield from ((texts, one["tokenCount"]) for one in details if one["modality"] == "TEXT")


def test_estimates_agree_with_what_google_counted(folder: Path) -> None:
    """The bound holds for every recorded count, and the likely number is near to most."""
    names = [name for name in {**SENT, **NOT_SENT} if not name.startswith(_OTHERS)]
    counts = [
        counted
        for name in sorted(names)
        for exchange in exchanges(folder / name)
        if isinstance(exchange.answered, dict)
        for counted in _counted(exchange)
    ]

    assert len(counts) >= 15
    assert all(sum(count_most(texts)) >= tokens for texts, tokens in counts)
    near = [0.75 <= sum(count_likely(texts)) / tokens <= 1.25 for texts, tokens in counts]
    assert sum(near) >= 0.8 * len(near)
