"""Vectors of media are kept by what is in them, and counted by what they are."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined
from media.samples import MP3, jpeg, mp4, pdf, png, wav

from gemini_embed import GeminiEmbedder, Media, check_fingerprint
from gemini_embed.fingerprint import FingerprintMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from media.echo import Echo

    Maker = Callable[..., GeminiEmbedder]


def test_a_second_run_sends_nothing(service: Echo, make: Maker, tmp_path: Path) -> None:
    """Whatever the files are called by then."""
    for i in range(40):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    before: list[Any] = [Media.from_path(tmp_path / f"{i}.png") for i in range(40)]
    items = [*before, ["a", before[0]], "text"]
    first = make(cache=tmp_path / "c").embed(items, role="document").vectors
    sent = len(joined(service.contents))
    assert sent == len(items)

    renamed = [(tmp_path / f"{i}.png").rename(tmp_path / f"new {i}") for i in range(40)]
    moved: list[Any] = [*map(Media.from_path, renamed)]
    again = make(cache=tmp_path / "c").embed([*moved, ["a", png(0)], "text"], role="document")
    assert np.array_equal(first, again.vectors)
    assert len(joined(service.contents)) == sent
    assert again.usage.cached == len(items)


def test_what_changes_a_vector_changes_its_key(service: Echo, make: Maker, tmp_path: Path) -> None:
    """Other bytes at the same path, another clip, another caption, other parts, another order."""
    film = mp4(9)
    (tmp_path / "a").write_bytes(png(1))
    at_path = Media.from_path(tmp_path / "a")
    items: list[Any] = [
        at_path,
        Media.from_bytes(film),
        Media.from_bytes(film, start=1),
        Media.from_bytes(film, end=1),
        Media.from_bytes(film, fps=2),
        ["a", Media.from_bytes(film)],
        [Media.from_bytes(film), "a"],
        ["b", Media.from_bytes(film)],
        [at_path, png(2)],
        [png(2), at_path],
    ]
    embedder = make(cache=tmp_path / "c")
    embedder.embed(items, role="document")
    assert len(joined(service.contents)) == len(items)
    (tmp_path / "a").write_bytes(png(5))
    result = embedder.embed([at_path], role="document")
    assert result.usage.cached == 0
    assert len(joined(service.contents)) == len(items) + 1


def test_what_lies_at_a_uri_is_kept_only_where_that_is_wanted(
    service: Echo, make: Maker, tmp_path: Path
) -> None:
    """Nobody sees it change; texts and files beside it are kept."""
    items: list[Any] = [Media.from_uri("gs://b/a.png"), "text", ["c", png(1)]]
    embedder = make(cache=tmp_path / "c")
    first = embedder.embed(items, role="document")
    second = embedder.embed(items, role="document")
    assert (second.usage.cached, second.usage.requests) == (2, 1)
    assert len(service.paths) == 2
    assert np.array_equal(first.vectors, second.vectors)
    asked = make(cache=tmp_path / "c", cache_uris=True)
    asked.embed(items, role="document")
    assert asked.embed(items, role="document").usage.requests == 0


def test_captions_with_a_prefix_are_other_vectors(make: Maker) -> None:
    """An index knows, and says what to do."""
    bare = make().fingerprint
    with pytest.raises(FingerprintMismatchError, match="caption_prefix"):
        check_fingerprint(bare, make(caption_prefix=True))
    check_fingerprint(bare, make())


def test_an_estimate_counts_media(service: Echo, make: Maker, tmp_path: Path) -> None:
    """By the rates of the table, without sending anything; and so does the bill afterwards."""
    items: list[Any] = [
        "five words are in it",
        png(1),
        ["cap", jpeg(1)],
        wav(10),
        mp4(10),
        pdf(1),
        Media.from_bytes(mp4(100), start=10, end=20, fps=3),
    ]
    embedder = make(cache=tmp_path / "c")
    found = embedder.estimate(items, role="document")
    media = 2 * 258 + 10 * 25 + 10 * 66 + 258 + 30 * 66
    assert media < found.tokens < media + 30
    assert found.tokens_at_most >= found.tokens + 5 * 258
    assert found.unmeasured == 1  # the PDF
    assert found.requests == 2  # one film each
    kinds = {"IMAGE": 3 * 258, "AUDIO": 250, "VIDEO": 660 + 1980}
    prices = {"IMAGE": "0.45", "AUDIO": "6.50", "VIDEO": "12"}
    costs = (Decimal(prices[kind]) * count for kind, count in kinds.items())
    cost = sum(costs, Decimal(0)) / 1_000_000
    assert found.cost is not None
    assert cost < found.cost < cost + Decimal("0.00001")
    assert service.paths == []
    embedder.embed(items, role="document")
    assert embedder.estimate(items, role="document").to_send == 0


def test_sound_of_unknown_length_is_estimated_at_the_most(make: Maker) -> None:
    """Better too much than a surprise."""
    found = make().estimate([MP3, wav(2), "a text"], role="document")
    assert found.tokens > 180 * 25
    assert found.unmeasured == 1


def test_the_bill_is_by_kind(make: Maker) -> None:
    """As the service reported; where it says nothing, as the media are."""
    result = make().embed([png(1), "a", wav(1)], role="document")
    assert result.usage.by_modality == {"IMAGE": 258, "TEXT": 6 - 1, "AUDIO": 258}
    cost = Decimal(258) * Decimal("0.45") + 258 * Decimal("6.5") + 5 * Decimal("0.2")
    assert result.usage.cost() == cost / 1_000_000


def test_without_a_report_media_are_billed_by_kind(service: Echo, make: Maker) -> None:
    """A gateway may leave the report out."""
    service.fault = lambda _, contents: (
        200,
        {"embeddings": [{"values": [1.0] * 8}] * len(contents)},
    )
    usage = make().embed([png(1)], role="document").usage
    assert usage.estimated_tokens == 258
    assert usage.cost() == Decimal(258) * Decimal("0.45") / 1_000_000
