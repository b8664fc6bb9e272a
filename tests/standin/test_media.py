"""What the stand-in makes of pictures, pages, sounds and films, on both services."""

from __future__ import annotations

import base64
import importlib.util
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from media.samples import document, mp4, pdf, png, wav
from standin.messages import NEW, OLD, error

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]

reads_pdf = pytest.mark.skipif(
    importlib.util.find_spec("pypdf") is None, reason="pypdf, of the extra `standin`, is missing"
)


def inline(data: bytes, mime_type: str, **beside: Any) -> dict[str, Any]:
    return {"inline_data": {"mime_type": mime_type, "data": _written(data)}, **beside}


def lying(uri: str, mime_type: str | None = None) -> dict[str, Any]:
    named = {} if mime_type is None else {"mimeType": mime_type}
    return {"fileData": {"fileUri": uri, **named}}


def _written(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def gemini(ask: Ask) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Ask the Gemini API for one vector of each list of parts."""

    def send(server: Standin, *contents: list[Any], model: str = NEW) -> tuple[int, dict[str, Any]]:
        entries = [{"model": f"models/{model}", "content": {"parts": one}} for one in contents]
        return ask(server, requests=entries, model=model)

    return send


@pytest.fixture
def vertex(
    post: Callable[..., tuple[int, dict[str, Any]]],
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Ask Vertex AI for one vector of the parts."""

    def send(server: Standin, *parts: Any, **config: Any) -> tuple[int, dict[str, Any]]:
        body = {"content": {"parts": list(parts)}, "embedContentConfig": config}
        return post(server, "embedContent", body, model=NEW)

    return send


def test_each_content_has_its_vector(server: Standin, gemini: Ask) -> None:
    """A picture alone, a text alone and both in one content: three vectors, each its own."""
    picture = png(1)
    _, answer = gemini(
        server,
        [inline(picture, "image/png")],
        [{"text": "a"}],
        [{"text": "a"}, inline(picture, "image/png")],
        [inline(picture, "image/png"), {"text": "a"}],
    )
    vectors = [one["values"] for one in answer["embeddings"]]
    assert vectors == [
        server.vector(picture, model=NEW),
        server.vector("a", model=NEW),
        server.vector(["a", picture], model=NEW),
        server.vector([picture, "a"], model=NEW),
    ]
    assert len({tuple(vector) for vector in vectors}) == 4
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-5) for vector in vectors)


def test_a_picture_beside_a_text_counts_as_recorded(server: Standin, gemini: Ask) -> None:
    """258 tokens of the picture and those of the text, under Google's names."""
    _, answer = gemini(server, [{"text": "the ruby logo"}, inline(png(), "image/png")])
    assert answer["usageMetadata"] == {
        "promptTokenCount": 261,
        "promptTokenDetails": [
            {"modality": "IMAGE", "tokenCount": 258},
            {"modality": "TEXT", "tokenCount": 3},
        ],
    }


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        (inline(wav(4), "audio/wav"), {"AUDIO": 100}),
        (inline(mp4(10), "video/mp4"), {"VIDEO": 660}),
        (inline(mp4(100), "video/mp4"), {"VIDEO": 32 * 66}),
        (inline(mp4(10), "video/mp4", video_metadata={"fps": 2}), {"VIDEO": 1320}),
        (
            inline(
                mp4(100), "video/mp4", video_metadata={"start_offset": "1.5s", "end_offset": "4.5s"}
            ),
            {"VIDEO": 198},
        ),
        pytest.param(
            inline(document("one", "two"), "application/pdf"), {"DOCUMENT": 516}, marks=reads_pdf
        ),
    ],
    ids=["sound", "film", "long film", "twice the frames", "part of a film", "pages"],
)
def test_what_each_kind_counts(
    server: Standin, gemini: Ask, part: dict[str, Any], kinds: dict[str, int]
) -> None:
    """Usage and quota follow Google's rates: frames, seconds and pages, not bytes."""
    status, answer = gemini(server, [part])
    assert (status, _kinds(answer["usageMetadata"]["promptTokenDetails"])) == (200, kinds)


def test_vertex_hears_a_film_and_reads_a_page_when_asked(server: Standin, vertex: Ask) -> None:
    """The options that Vertex AI alone has change the count, and the vector."""
    film = {"inlineData": {"mimeType": "video/mp4", "data": _written(mp4(10))}}
    _, deaf = vertex(server, film)
    _, hearing = vertex(server, film, audioTrackExtraction=True)
    assert _kinds(deaf["usageMetadata"]["promptTokensDetails"]) == {"VIDEO": 660}
    assert _kinds(hearing["usageMetadata"]["promptTokensDetails"]) == {"AUDIO": 250, "VIDEO": 760}
    assert deaf["embedding"] != hearing["embedding"]


@reads_pdf
def test_vertex_reads_the_text_of_a_page_when_asked(server: Standin, vertex: Ask) -> None:
    """`documentOcr` adds the tokens of the text that stands on the pages."""
    page = inline(document("to copy a file"), "application/pdf")
    _, answer = vertex(server, page, documentOcr=True)
    told = answer["usageMetadata"]["promptTokensDetails"]
    assert _kinds(told) == {"DOCUMENT": 258, "TEXT": 4}


def test_a_long_content_is_cut_off(server: Standin, vertex: Ask) -> None:
    """What is above 8,192 tokens is not counted; Vertex AI says that it was cut off."""
    film = inline(mp4(100), "video/mp4")
    _, answer = vertex(server, film, audioTrackExtraction=True)
    assert answer["truncated"] is True
    assert answer["usageMetadata"]["totalTokenCount"] == 8192


@pytest.mark.parametrize("mime_type", ["video/wav", "audio/wav"])
def test_a_film_declared_as_sound_has_no_values(
    server: Standin, gemini: Ask, mime_type: str
) -> None:
    """200 with an embedding that is empty, as Google was recorded to answer."""
    status, answer = gemini(server, [inline(mp4(1), mime_type)], [{"text": "a"}])
    assert status == 200
    assert answer["embeddings"] == [{}, {"values": server.vector("a", model=NEW)}]


def test_a_picture_under_the_name_of_another_kind_of_picture(server: Standin, gemini: Ask) -> None:
    """It is embedded all the same, as Google was recorded to do."""
    _, answer = gemini(server, [inline(png(), "image/jpeg")])
    assert answer["embeddings"][0]["values"] == server.vector(png(), model=NEW)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([[inline(b"GIF89a", "image/gif")]], "Unsupported MIME type: image/gif"),
        ([[inline(b"RIFF....WEBP", "image/webp")]], "Unsupported MIME type: image/webp"),
        ([[inline(b"no picture", "image/png")]], "Unable to process input image."),
        ([[inline(wav(181), "audio/wav")]], "The audio is 181 seconds long; at most 180."),
        ([[inline(mp4(121), "video/mp4")]], "The video is 121 seconds long; at most 120."),
        (
            [[inline(png(n), "image/png")] for n in range(7)],
            "Too many image inputs in the request: 7; at most 6 supported.",
        ),
        (
            [[inline(mp4(1), "video/mp4")], [inline(mp4(2), "video/mp4")]],
            "Too many video inputs in the request: 2; at most 1 supported.",
        ),
        ([[lying("gs://bucket/a.png", "image/png")]], "Invalid or unsupported file uri: "),
        ([[lying("https://host/a.png", "image/png")]], "Cannot fetch content"),
    ],
)
def test_the_gemini_api_refuses(
    server: Standin, gemini: Ask, contents: list[list[Any]], message: str
) -> None:
    """400 for what the service does not take: one bad medium refuses the whole batch."""
    server.place("gs://bucket/a.png", png())
    status, answer = gemini(server, *contents)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert answer["error"]["message"].startswith(message)


@reads_pdf
@pytest.mark.parametrize(
    ("sent", "said"),
    [(pdf(7), "7 pages"), (document(), "no pages"), (b"%PDF-broken", "no pages")],
)
def test_documents_that_are_refused(server: Standin, gemini: Ask, sent: bytes, said: str) -> None:
    """A document of too many pages, or of none that can be read."""
    status, answer = gemini(server, [inline(sent, "application/pdf")])
    assert (status, said in answer["error"]["message"]) == (400, True)


def test_vertex_takes_more_formats_and_fewer_frames(server: Standin, vertex: Ask) -> None:
    """A WebP picture passes; a film of more than 120 frames does not."""
    webp = b"RIFF....WEBP"
    assert vertex(server, inline(webp, "image/webp"))[0] == 200
    assert vertex(server, inline(mp4(100), "video/mp4", videoMetadata={"fps": 1.1}))[0] == 200
    status, answer = vertex(server, inline(mp4(100), "video/mp4", videoMetadata={"fps": 2}))
    assert (status, answer) == (
        400,
        error(400, "INVALID_ARGUMENT", "The video has 200 frames; at most 120."),
    )


def test_an_older_model_takes_no_media(server: Standin, gemini: Ask) -> None:
    """gemini-embedding-001 is for texts."""
    status, answer = gemini(server, [inline(png(), "image/png")], model=OLD)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"inline_data": {"data": "@@"}}, "Base64 decoding failed"),
        ({"text": "a", "inlineData": {}}, "oneof field 'data' is already set"),
        (inline(mp4(1), "video/mp4", videoMetadata={"startOffset": 1}), "protobuf.Duration"),
        (inline(mp4(1), "video/mp4", videoMetadata={"fps": "x"}), "TYPE_DOUBLE"),
        (inline(mp4(1), "video/mp4", videoMetadata={"begin": "1s"}), 'Unknown name "begin"'),
        ({}, "required oneof field 'data'"),
    ],
)
def test_parts_that_do_not_fit_the_message(
    server: Standin, gemini: Ask, part: Any, message: str
) -> None:
    """A body that Google cannot read is refused, and told where."""
    status, answer = gemini(server, [part])
    assert (status, message in answer["error"]["message"]) == (400, True)


def test_an_uploaded_file_is_embedded(server: Standin, fetch: Fetch, gemini: Ask) -> None:
    """A file of the Files API has the vector of its bytes, until it is gone."""
    begin = {"X-Goog-Upload-Command": "start", "X-Goog-Upload-Header-Content-Type": "image/png"}
    _, headers, _ = fetch(f"{server.url}/upload/v1beta/files", {}, headers=begin)
    finish = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    fetch(headers["X-Goog-Upload-URL"], png(5), headers=finish)
    (file,) = server.files
    uri = f"https://generativelanguage.googleapis.com/v1beta/{file.name}"
    for part in (lying(uri), lying(uri, "image/png")):
        _, answer = gemini(server, [part])
        assert answer["embeddings"][0]["values"] == server.vector(png(5), model=NEW)
    fetch(f"{server.url}/v1beta/{file.name}", method="DELETE")
    assert gemini(server, [lying(uri)])[0] == 403


def test_vertex_reads_a_bucket(server: Standin, vertex: Ask) -> None:
    """What was placed at a `gs://` address is found there; another address is refused."""
    server.place("gs://bucket/a.png", png())
    _, answer = vertex(server, lying("gs://bucket/a.png", "image/png"))
    assert answer["embedding"]["values"] == server.vector(png(), model=NEW)
    assert vertex(server, lying("gs://bucket/b.png", "image/png"))[0] == 400


def test_media_count_for_the_quota(gemini: Ask) -> None:
    """A picture spends its tokens of a minute."""
    with Standin(tokens=300) as server:
        assert gemini(server, [inline(png(1), "image/png")])[0] == 200
        assert gemini(server, [inline(png(2), "image/png")])[0] == 429


def test_the_local_model_reads_the_description_in_a_picture() -> None:
    """With meaning: a picture is found by the description that its file carries."""
    with Standin(model="minilm") as server:
        cat, chart = (
            np.array(server.vector(png(description=text), model=NEW))
            for text in ("a cat asleep on a sofa", "sales by month, as bars")
        )
        query = np.array(server.vector("task: search result | query: a sleeping pet", model=NEW))
        assert query @ cat > query @ chart + 0.2
        caption = np.array(server.vector(["a cat asleep on a sofa", png(7)], model=NEW))
        assert 0.5 < caption @ cat < 0.95
        unknown = np.array(server.vector(png(7), model=NEW))
        assert abs(unknown @ cat) < 0.3


@reads_pdf
def test_the_local_model_reads_a_document() -> None:
    """With meaning: a page is found by what stands on it."""
    with Standin(model="minilm") as server:
        page = np.array(server.vector(document("How to copy a file"), model=NEW))
        near, far = (
            np.array(server.vector(text, model=NEW)) for text in ("duplicate a file", "bake bread")
        )
        assert near @ page > far @ page + 0.2


def _kinds(details: list[dict[str, Any]]) -> dict[str, int]:
    return {one["modality"]: one["tokenCount"] for one in details}
