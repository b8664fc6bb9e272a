"""Pictures, sound, films and PDFs get vectors, each its own, on both services."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.genai import types
from helpers import joined
from media.echo import Echo, inline, unit
from media.samples import jpeg, mp4, pdf, png, wav

from gemini_embed import (
    ConfigurationError,
    GeminiEmbedder,
    InvalidInputError,
    Media,
    NoVectorError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
    TextTooLongError,
    fused,
)
from gemini_embed.service.backend import sdk_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

QUERY = "task: search result | query: "
DOCUMENT = "title: none | text: "
VERTEX = {"vertexai": True, "project": "p", "location": "global"}


def test_each_item_has_its_own_vector(service: Echo, make: Maker, tmp_path: Path) -> None:
    """A text, a medium, and several parts that are fused, whatever order they come in."""
    path = tmp_path / "a.bin"
    path.write_bytes(jpeg(7))
    items: list[Any] = [
        "a text",
        Media.from_bytes(png(1)),
        ["a caption", Media.from_path(path)],
        png(2),
        (Media.from_bytes(png(1)), "behind", Media.from_bytes(png(3))),
        fused("one", "two"),
    ]
    result = make().embed(items, role="document")

    sent: list[list[Any]] = [
        [{"text": f"{DOCUMENT}a text"}],
        [inline(png(1), "image/png")],
        [{"text": "a caption"}, inline(jpeg(7), "image/jpeg")],
        [inline(png(2), "image/png")],
        [inline(png(1), "image/png"), {"text": "behind"}, inline(png(3), "image/png")],
        [{"text": f"{DOCUMENT}one"}, {"text": "two"}],
    ]
    assert sorted(map(str, joined(service.contents))) == sorted(map(str, sent))
    assert np.array_equal(result.vectors, np.array([unit(parts) for parts in sent]))
    assert result.usage.by_modality == {"IMAGE": 5 * 258, "TEXT": 15}
    assert result.usage.texts == len(items)


async def test_the_async_twin_sends_the_same(service: Echo, make: Maker, tmp_path: Path) -> None:
    """Files are looked at beside the caller's loop."""
    (tmp_path / "a").write_bytes(png(1))
    items: list[Any] = ["text", Media.from_path(tmp_path / "a"), ["b", Media.from_bytes(wav())]]
    result = await make().aembed(items, role="query")

    sent: list[list[Any]] = [
        [{"text": f"{QUERY}text"}],
        [inline(png(1), "image/png")],
        [{"text": "b"}, inline(wav(), "audio/wav")],
    ]
    assert len(joined(service.contents)) == len(sent)
    assert np.array_equal(result.vectors, np.array([unit(parts) for parts in sent]))


@pytest.mark.filterwarnings("ignore:.*below 128")
def test_both_http_libraries_send_the_same(service: Echo, make: Maker) -> None:
    """Httpx sends where there are options for it; the body has its length, whichever it is."""
    items: list[Any] = [["größe \u6587", Media.from_bytes(png(1, size=3_000_000))]]
    one = make().embed(items, role="document").vectors
    other = make(client_args={"follow_redirects": True}).embed(items, role="document").vectors
    assert np.array_equal(one, other)
    assert service.sizes[0] == service.sizes[1]
    assert service.bodies[0] == service.bodies[1]


def test_vertex_gets_its_own_names(service: Echo, make: Maker) -> None:
    """One request for each item where the SDK knows no other way, and one for several."""
    items: list[Any] = [
        Media.from_bytes(png(1)),
        ["b", Media.from_uri("gs://b/c.mp4", start=1, fps=0.5)],
    ]
    result = make(**VERTEX).embed(items, role="document")
    data = inline(png(1), "")["inline_data"]["data"]

    sent: list[list[Any]] = [
        [
            {
                "inlineData": {
                    "mimeType": "image/png",
                    "data": data,
                }
            }
        ],
        [
            {"text": "b"},
            {
                "fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/c.mp4"},
                "videoMetadata": {"startOffset": "1s", "fps": 0.5},
            },
        ],
    ]
    assert sorted(map(str, joined(service.contents))) == sorted(map(str, sent))
    assert np.array_equal(result.vectors, np.array([unit(parts) for parts in sent]))
    assert len(service.paths) == (1 if sdk_version() >= (3, 4) else 2)


def test_clips_and_uris_are_sent_as_google_names_them(service: Echo, make: Maker) -> None:
    """Seconds as durations; nothing is fetched."""
    items: list[Any] = [
        Media.from_bytes(mp4(9), start=1, end=2.5, fps=2),
        Media.from_uri("https://a.org/a.png", allow_urls=True),
    ]
    make().embed(items, role="document")
    clip = {"video_metadata": {"start_offset": "1s", "end_offset": "2.5s", "fps": 2}}
    assert joined(service.contents) == [
        [inline(mp4(9), "video/mp4") | clip],
        [{"file_data": {"mime_type": "image/png", "file_uri": "https://a.org/a.png"}}],
    ]


def test_a_callers_own_client_sends_the_same(service: Echo, make: Maker) -> None:
    """Without our hooks in its HTTP library."""
    genai = pytest.importorskip("google.genai")
    client = genai.Client(api_key="k", http_options={"base_url": service.url})
    own = make(client=client, api_key=None, base_url=None)
    items: list[Any] = ["t", ["a", Media.from_bytes(png(1))]]
    one, other = (each.embed(items, role="query").vectors for each in (own, make()))
    assert np.array_equal(one, other)


def test_captions_get_a_prefix_where_that_is_wanted(service: Echo, make: Maker) -> None:
    """The first text of an item has it; media alone have none."""
    items: list[Any] = [[Media.from_bytes(png(1)), "a", "b"], Media.from_bytes(png(2)), "c"]
    embedder = make(caption_prefix=True)
    embedder.embed(items, role="document", titles=["T", None, None])
    assert joined(service.contents) == [
        [inline(png(1), "image/png"), {"text": "title: T | text: a"}, {"text": "b"}],
        [inline(png(2), "image/png")],
        [{"text": f"{DOCUMENT}c"}],
    ]
    assert embedder.fingerprint != make().fingerprint


def test_a_title_that_nothing_takes_is_told(service: Echo, make: Maker) -> None:
    """A medium has none, nor has a caption without a prefix."""
    both: list[Any] = [png(1), ["a", Media.from_bytes(png(1))]]
    for item in both:
        with pytest.warns(UserWarning, match="titles of media are ignored"):
            make().embed([item], role="document", titles=["T"])
    make(caption_prefix=True).embed(
        [["a", Media.from_bytes(png(1))]], role="document", titles=["T"]
    )
    make().embed([fused("a", "b")], role="document", titles=["T"])
    assert "title: T | text: a" in str(joined(service.contents))


def test_equal_media_are_sent_once(service: Echo, make: Maker, tmp_path: Path) -> None:
    """Each place has the vector all the same."""
    (tmp_path / "a").write_bytes(png(1))
    items: list[Any] = [
        Media.from_path(tmp_path / "a"),
        png(2),
        Media.from_path(str(tmp_path / "a")),
        Media.from_bytes(png(2), mime_type="image/png"),
        types.Part.from_bytes(data=png(2), mime_type="image/png"),
        Media.from_bytes(png(2), mime_type="image/jpeg"),
    ]
    result = make().embed(items, role="document")
    assert len(joined(service.contents)) == 3
    for row, same in enumerate((0, 1, 0, 1, 1)):
        assert np.array_equal(result.vectors[row], result.vectors[same])
    assert not np.array_equal(result.vectors[5], result.vectors[1])
    assert result.usage.duplicates == 3


def test_no_request_has_more_of_a_kind_than_the_service_takes(service: Echo, make: Maker) -> None:
    """Six pictures, one film, one sound, one PDF; texts go with them."""
    items: list[Any] = [png(i) for i in range(13)]
    items += [wav(1, 1), wav(1, 2), mp4(1), mp4(2), pdf(1, 1), pdf(1, 2)]
    items += [f"text {i}" for i in range(30)]
    random.Random(1).shuffle(items)  # noqa: S311 - a test
    make().embed(items, role="document")
    for contents in service.contents:
        parts = [part.get("inline_data", {}).get("mime_type") for one in contents for part in one]
        most = {"image/png": 6, "audio/wav": 1, "video/mp4": 1, "application/pdf": 1}
        assert all(parts.count(kind) <= count for kind, count in most.items())
    assert len(joined(service.contents)) == len(items)
    assert max(map(len, service.contents)) > 6


def test_no_body_is_longer_than_one_that_has_passed(service: Echo, make: Maker) -> None:
    """Up to 4 MiB at first; what is larger alone goes alone, and then more may go together."""
    embedder = make(max_concurrency=1)
    small = [png(i, size=1_000_000) for i in range(12)]
    embedder.embed(small, role="document")
    assert all(size is not None and size <= 4 * 2**20 for size in service.sizes)
    assert len(service.sizes) == 4
    embedder.embed([png(99, size=6_000_000)], role="document")
    service.sizes.clear()
    embedder.embed([png(20 + i, size=1_000_000) for i in range(10)], role="document")
    assert max(filter(None, service.sizes)) > 5 * 2**20


@pytest.mark.parametrize("vertex", [False, True])
def test_what_the_service_does_not_take_is_refused_before_anything_is_sent(
    service: Echo, make: Maker, tmp_path: Path, vertex: bool
) -> None:
    """By its place, and with a reason that a program can read."""
    (tmp_path / "empty").write_bytes(b"")
    wrong: list[tuple[Any, str]] = [
        (Media.from_path(tmp_path / "nothing"), "not found"),
        (Media.from_path(tmp_path), "not found"),
        (Media.from_path(tmp_path / "empty"), "empty"),
        (b"", "empty"),
        (b"just bytes", "unknown format"),
        (b"GIF89a\1\0", "not taken by the service"),
        (Media.from_bytes(mp4(), mime_type="audio/wav"), "wrong format"),
        (Media.from_bytes(png(), mime_type="video/mp4"), "wrong format"),
        (wav(181), "too long"),
        (mp4(121), "too long"),
        ([png(i) for i in range(7)], "too many media"),
        ([mp4(1), mp4(2)], "too many media"),
        (Media.from_bytes(png(), start=1), "wrong clip"),
        (Media.from_bytes(wav(), fps=1), "wrong clip"),
        (Media.from_bytes(mp4(2), start=3), "wrong clip"),
        (["", Media.from_bytes(png())], "blank"),
        (["a", "b"], "texts in a list"),
        (7, "not a medium"),
    ]
    embedder = make(**VERTEX) if vertex else make()
    for item, reason in wrong:
        with pytest.raises(InvalidInputError) as caught:
            embedder.embed(["a text", png(), item], role="document")
        assert (caught.value.index, caught.value.reason) == (2, reason), item
        assert caught.value.indexes == (2,)
    assert service.paths == []


def test_the_services_differ(make: Maker) -> None:
    """Vertex AI takes WebP, and as many frames as it reads: fewer a second make a longer film."""
    webp, film = b"RIFF\x10\0\0\0WEBPVP8 ", mp4(200)
    with pytest.raises(InvalidInputError, match="the Gemini API takes no image/webp"):
        make().embed([webp], role="document")
    make(**VERTEX).embed([webp, Media.from_bytes(film, fps=0.5)], role="document")
    with pytest.raises(InvalidInputError, match="takes 120; embed parts"):
        make(**VERTEX).embed([film], role="document")
    make().embed([Media.from_bytes(film, start=0, end=100)], role="document")


def test_a_model_for_texts_takes_no_media(service: Echo, make: Maker) -> None:
    """It is the configuration that cannot work; the error names the model that can."""
    for item in (png(), fused("a", "b")):
        with pytest.raises(ConfigurationError, match="gemini-embedding-2 takes media") as caught:
            make(model="gemini-embedding-001").embed(["a", item], role="document")
        assert caught.value.indexes == (1,)
    assert service.paths == []


def test_an_embedding_without_values_is_an_error_of_its_item(service: Echo, make: Maker) -> None:
    """Google answers so, for instance, for a film declared as sound; it is not asked again."""

    def fault(_: int, contents: list[Any]) -> tuple[int, dict[str, Any]] | None:
        return 200, {"embeddings": [{"values": [1.0] * 8}, {}][: len(contents)]}

    service.fault = fault
    with pytest.raises(NoVectorError) as caught:
        make().embed([png(1), png(2)], role="document")
    assert caught.value.indexes == (1,)
    assert list(caught.value.partial) == [0]
    assert len(service.paths) == 1


def test_a_refused_item_is_found_among_others(service: Echo, make: Maker) -> None:
    """The service says nothing of which; the others have their vectors."""
    bad = inline(png(4), "image/png")

    def fault(_: int, contents: list[Any]) -> tuple[int, dict[str, Any]] | None:
        message = {"code": 400, "status": "INVALID_ARGUMENT", "message": "Unable to process"}
        return (400, {"error": message}) if [bad] in contents else None

    service.fault = fault
    with pytest.raises(RequestError) as caught:
        make().embed([*(f"t{i}" for i in range(5)), png(3), png(4), png(5)], role="document")
    assert caught.value.indexes == (6,)
    assert len(caught.value.partial) == 7


def test_every_vector_belongs_to_its_item_through_faults(
    service: Echo, make: Maker, tmp_path: Path
) -> None:
    """500 mixed items, with errors, lost answers and quotas on the way."""
    items: list[Any] = []
    sent: list[list[Any]] = []
    for i in range(500):
        match i % 5:
            case 0:
                items.append(f"text {i}")
                sent.append([{"text": f"{DOCUMENT}text {i}"}])
            case 1:
                items.append(Media.from_bytes(png(i)))
                sent.append([inline(png(i), "image/png")])
            case 2:
                (tmp_path / str(i)).write_bytes(jpeg(i))
                items.append([f"caption {i}", Media.from_path(tmp_path / str(i))])
                sent.append([{"text": f"caption {i}"}, inline(jpeg(i), "image/jpeg")])
            case 3:
                items.append(pdf(1, i))
                sent.append([inline(pdf(1, i), "application/pdf")])
            case _:
                items.append(Media.from_bytes(wav(0.1, i)))
                sent.append([inline(wav(0.1, i), "audio/wav")])
    busy = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Please retry in 5ms."}
    down = {"code": 503, "status": "UNAVAILABLE", "message": "The model is overloaded."}

    def fault(number: int, contents: list[Any]) -> tuple[int, dict[str, Any]] | None:
        if number % 7 == 3:
            return 503, {"error": down}
        if number % 11 == 5:
            return 429, {"error": busy}
        if number % 13 == 6:
            return 200, {"embeddings": [{"values": [1.0] * 8}] * (len(contents) + 1)}
        return None

    service.fault = fault
    result = make(max_retries=20).embed(items, role="document")
    assert np.array_equal(result.vectors, np.array([unit(parts) for parts in sent]))
    assert result.usage.retries > 5


def test_a_file_that_changes_before_it_is_sent_is_named(
    service: Echo, make: Maker, tmp_path: Path
) -> None:
    """The others have their vectors; what was checked is what is sent, or nothing is."""
    paths = [tmp_path / str(i) for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(png(i))

    async def change() -> None:
        paths[1].write_bytes(png(9, size=500))

    with pytest.raises(InvalidInputError, match=r"item 1: .* has changed") as caught:
        make(max_concurrency=1).embed(
            map(Media.from_path, paths), role="document", batch_size=1, rate_limiter=change
        )
    assert caught.value.index == 1
    assert sorted(caught.value.partial) == [0, 2]
    assert len(joined(service.contents)) == 2


def test_too_much_for_the_model_is_warned_about(make: Maker) -> None:
    """The service would cut it off in silence; with on_long="error" it is refused."""
    item: Any = ["7" * 8_000, Media.from_bytes(png())]
    with pytest.warns(UserWarning, match="too long: text 1"):
        make().embed(["a", item], role="document")
    with pytest.raises(TextTooLongError) as caught:
        make(on_long="error").embed(["a", item], role="document")
    assert caught.value.index == 1


def test_a_quota_of_tokens_counts_media(service: Echo, make: Maker) -> None:
    """An image has 258; no request is sent that cannot fit."""
    make(tokens_per_minute=600).embed([png(1), png(2)], role="document")
    with pytest.raises((QuotaExceededError, ServiceUnavailableError)):
        make(tokens_per_minute=600, deadline=0.3).embed([png(i) for i in range(3)], role="document")
    assert max(map(len, service.contents)) == 2


@pytest.mark.parametrize("alone", [Media.from_bytes(png()), png(), "a text", fused("a", "b")])
def test_an_item_alone_is_told_to_stand_in_a_list(
    service: Echo, make: Maker, tmp_path: Path, alone: Any
) -> None:
    """In words of items, by every method that takes media; nothing is sent."""
    langchain = pytest.importorskip("langchain_gemini_embed")
    llamaindex = pytest.importorskip("llamaindex_gemini_embed")
    given: dict[str, Any] = {"api_key": "k", "base_url": service.url}
    embeddings = langchain.GeminiEmbeddings(**given)
    embedding = llamaindex.GeminiEmbedding(**given)
    told = r"items must be a list of texts or media, not \w+: for one item write \[item\]"
    for method in (
        partial(make().embed, role="document"),
        partial(make().estimate, role="document"),
        embeddings.embed_media,
        embedding.get_media_embedding_batch,
    ):
        with pytest.raises(ConfigurationError, match=told):
            method(alone)
    path = tmp_path / "a.png"
    with pytest.raises(ConfigurationError, match=r"for one uri write \[uri\]"):
        embeddings.embed_image(path)
    with pytest.raises(ConfigurationError, match=r"img_file_paths must be a list of paths"):
        embedding.get_image_embedding_batch(str(path))
    assert not service.bodies


def test_texts_alone_stay_texts() -> None:
    """A path in a string is a text; and adapters take nothing else where they take texts."""
    langchain = pytest.importorskip("langchain_gemini_embed")
    embeddings = langchain.GeminiEmbeddings(api_key="k", base_url="http://127.0.0.1:9")
    for wrong in (png(), ["a", Media.from_bytes(png())], Media.from_bytes(png())):
        with pytest.raises(InvalidInputError, match="not a string"):
            embeddings.embed_documents([wrong])
