"""`Media` says what a picture, a sound, a film or a PDF is, whatever its file is called."""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from media.samples import MP3, jpeg, mp4, pdf, png, wav

from gemini_embed import InvalidInputError
from gemini_embed.media import Media, fused
from gemini_embed.media.files import look_at, read
from gemini_embed.media.formats import agree, seconds_of, sniffed
from gemini_embed.media.given import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADS = {
    "image/png": png(),
    "image/jpeg": jpeg(),
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "image/bmp": b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0",
    "image/gif": b"GIF89a\1\0\1\0",
    "image/heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "image/heif": b"\0\0\0\x14ftypmif1\0\0\0\0mif1",
    "image/avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
    "audio/wav": wav(),
    "audio/mpeg": MP3,
    "audio/flac": b"fLaC\0\0\0\x22",
    "audio/mp4": b"\0\0\0\x14ftypM4A \0\0\2\0isom",
    "video/mp4": mp4(),
    "video/quicktime": mp4(brand=b"qt  "),
    "video/webm": b"\x1a\x45\xdf\xa3\x01",
    "application/pdf": b"\n\n" + pdf(),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_first_bytes_tell_the_format(tmp_path: Path, name: str) -> None:
    """Of bytes and of a file alike; the name of a file tells nothing."""
    path = tmp_path / "a.txt"
    path.write_bytes(HEADS[name])

    assert sniffed(HEADS[name]) == name
    assert Media.from_bytes(HEADS[name]).mime_type == name
    assert Media.from_path(path).mime_type == name


def test_a_frame_of_mp3_needs_no_tag() -> None:
    """Sound without ID3 in front is known, too, and not taken for AAC."""
    assert sniffed(b"\xff\xfb\x90\x64") == "audio/mpeg"
    assert sniffed(b"\xff\xf1\x50\x80") == "audio/aac"


@pytest.mark.parametrize(
    "options", [{}, {"data": b"a", "path": "a"}, {"path": "a", "uri": "gs://a/a.png"}]
)
def test_a_medium_is_made_of_one_thing(options: dict[str, Any]) -> None:
    """Of nothing, or of two that may differ, none is made."""
    with pytest.raises(InvalidInputError, match="of bytes, of a path or of a URI"):
        Media(**options)


def test_what_tells_no_format_is_refused() -> None:
    """Nobody guesses; the error says what to do."""
    with pytest.raises(InvalidInputError, match="give mime_type") as caught:
        _ = Media.from_bytes(b"a text").mime_type
    assert caught.value.reason == "unknown format"


@pytest.mark.parametrize(
    ("declared", "found", "is_right"),
    [
        ("image/png", "image/png", True),
        ("image/png", "image/jpeg", True),
        ("audio/wav", "video/mp4", False),
        ("image/heif", "image/heic", True),
        ("video/mp4", "video/quicktime", True),
        ("audio/mpeg", None, True),
        ("image/png", None, False),
    ],
)
def test_a_declared_format_agrees_with_the_bytes(
    declared: str, found: str | None, is_right: bool
) -> None:
    """Google makes no vector of a film that is declared as sound, and one of a PNG as JPEG."""
    assert agree(declared, found) is is_right


def test_other_names_of_a_format_are_the_same_value() -> None:
    """`image/jpg` and `image/jpeg` do not make two keys."""
    one, other = (Media.from_bytes(jpeg(), mime_type=f"image/{end}") for end in ("jpg", "JPEG"))
    assert one == other
    assert one.mime_type == "image/jpeg"
    assert one.modality == "image"


@pytest.mark.parametrize("moov_last", [True, False])
@pytest.mark.parametrize("seconds", [0.5, 80.0])
def test_headers_tell_how_long_it_takes(tmp_path: Path, seconds: float, moov_last: bool) -> None:
    """Wherever a film has its header."""
    for data in (wav(seconds), mp4(seconds, moov_last=moov_last)):
        (tmp_path / "a").write_bytes(data)
        assert look_at(data).seconds == pytest.approx(seconds)
        assert look_at(str(tmp_path / "a")).seconds == pytest.approx(seconds)


def test_long_numbers_of_a_film_are_read() -> None:
    """Version 1 of the header has 64 bits for what version 0 has 32 for."""
    body = b"\1\0\0\0" + b"\0" * 16 + (1000).to_bytes(4, "big") + (5_500).to_bytes(8, "big")
    mvhd = (8 + len(body)).to_bytes(4, "big") + b"mvhd" + body
    moov = (8 + len(mvhd)).to_bytes(4, "big") + b"moov" + mvhd
    assert look_at(b"\0\0\0\x10ftypisom\0\0\0\0" + moov).seconds == pytest.approx(5.5)


@pytest.mark.parametrize("whole", [wav(2), mp4(2), mp4(2, moov_last=False)])
def test_damaged_headers_tell_nothing(whole: bytes) -> None:
    """Every beginning of a file, and bytes that are turned over, end in a number or in None."""
    for end in range(len(whole)):
        look_at(whole[:end])
    for place in range(8, min(120, len(whole))):
        look_at(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        look_at(whole[:place] + b"\0" + whole[place + 1 :])
    assert seconds_of(io.BytesIO(b""), "video/mp4") is None


@pytest.mark.parametrize(
    "uri",
    [
        "gs://bucket/a folder/film.mp4",
        "files/abc-123",
        "https://generativelanguage.googleapis.com/v1beta/files/abc123",
    ],
)
def test_uris_that_the_service_reads_by_itself_are_taken(uri: str) -> None:
    """Cloud Storage and the Files API; nobody looks at what is there."""
    media = Media.from_uri(uri, mime_type="video/mp4", start=1, end=2.5, fps=2)
    assert (media.uri, media.mime_type, media.modality) == (uri, "video/mp4", "video")


@pytest.mark.parametrize(
    "uri", ["https://example.com/a.png", "http://example.com/a.png", "a.png", "file:///a.png", ""]
)
def test_other_uris_are_refused(uri: str) -> None:
    """Nobody fetches an address by mistake: a text may look like one."""
    with pytest.raises(InvalidInputError, match="gs://"):
        Media.from_uri(uri, mime_type="image/png")


@pytest.mark.parametrize("make", [Media.from_path, Media.from_uri])
def test_an_address_of_a_file_here_is_told_to_be_a_path(make: Callable[[str], Media]) -> None:
    """`file://` would be a folder of that name, or sent to a service that cannot read it."""
    with pytest.raises(InvalidInputError, match="give the path alone") as caught:
        make("file:///folder/a.png")
    assert caught.value.reason == "wrong URI"


def test_an_address_is_taken_where_it_is_allowed() -> None:
    """Only with encryption."""
    assert Media.from_uri("https://a.org/a.png?w=1", allow_urls=True).mime_type == "image/png"
    with pytest.raises(InvalidInputError):
        Media.from_uri("http://a.org/a.png", allow_urls=True)


def test_a_uri_says_its_format_or_the_caller_does() -> None:
    """The end of it, as it is written, or `mime_type`."""
    assert Media.from_uri("gs://bucket/a.PDF").mime_type == "application/pdf"
    with pytest.raises(InvalidInputError, match="mime_type"):
        Media.from_uri("gs://bucket/a")


@pytest.mark.parametrize(
    "clip",
    [{"start": -1}, {"start": 2, "end": 1}, {"fps": 0}, {"end": float("nan")}, {"start": "1"}],
)
def test_clips_that_cannot_be_are_refused(clip: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidInputError):
        Media.from_bytes(mp4(), **clip)


@pytest.mark.parametrize("wrong", ["text/plain", "x", "application/zip"])
def test_a_format_that_is_no_medium_is_refused(wrong: str) -> None:
    """At the line where it is written."""
    with pytest.raises(InvalidInputError, match="mime_type"):
        Media.from_bytes(b"x", mime_type=wrong)


def test_it_is_a_value(tmp_path: Path) -> None:
    """Equal, hashable, picklable; and a path is not opened before it is needed."""
    for media in (
        Media.from_bytes(png()),
        Media.from_path(tmp_path / "not there.png"),
        Media.from_uri("gs://b/a.mp4", start=1),
    ):
        assert pickle.loads(pickle.dumps(media)) == media == copy.deepcopy(media)  # noqa: S301
        assert len({media, copy.copy(media)}) == 1
    with pytest.raises(AttributeError):
        media.start = 2  # type: ignore[misc]


def test_its_hash_is_of_the_bytes(tmp_path: Path) -> None:
    """A file that is moved keeps its vector; another clip of it has another."""
    (tmp_path / "a").write_bytes(mp4())
    film = Media.from_path(tmp_path / "a")
    assert film.digest() == hashlib.sha256(mp4()).hexdigest() == Media.from_bytes(mp4()).digest()
    keys = [film.key(), Media.from_bytes(mp4()).key()]
    others = [Media.from_bytes(mp4(), start=1).key(), Media.from_bytes(mp4(), fps=2).key()]
    assert len({*keys}) == 1
    assert len({*keys, *others}) == 3


def test_it_shows_no_bytes(tmp_path: Path) -> None:
    """A log line stays short."""
    (tmp_path / "a.png").write_bytes(png(size=84_000))
    assert str(Media.from_path(tmp_path / "a.png")) == "<image/png 84 kB>"
    assert str(Media.from_path(tmp_path / "b.png")) == "<a medium>"
    assert str(Media.from_uri("gs://b/a.mp4")) == "<video/mp4 gs://b/a.mp4>"
    assert repr(Media.from_bytes(b"\x89PNG" * 99, start=None)) == "Media('396 bytes')"


def test_it_shows_no_signature_of_an_address() -> None:
    """Who has a signed address has what is there."""
    media = Media.from_uri("https://a.org/a.png?X-Goog-Signature=secret", allow_urls=True)
    assert "a.org/a.png" in str(media)
    assert "secret" not in f"{media} {media!r}"


def test_a_file_that_changes_is_not_read(tmp_path: Path) -> None:
    """What was checked is what is sent."""
    path = tmp_path / "a.png"
    path.write_bytes(png())
    stamp = look_at(str(path)).stamp
    assert read(str(path), stamp) == png()
    path.write_bytes(png(size=500))
    with pytest.raises(InvalidInputError, match="has changed"):
        read(str(path), stamp)


def test_a_name_that_no_file_can_have() -> None:
    """It is named in an error that can be printed."""
    with pytest.raises(InvalidInputError) as caught:
        look_at("a\ud800.png")
    assert (caught.value.reason, caught.value.summary.isascii()) == ("not readable", True)


@pytest.mark.parametrize("wrong", ["", "nothing.png"])
def test_files_that_are_not_there(tmp_path: Path, wrong: str) -> None:
    """A folder, or a file that is gone."""
    with pytest.raises(InvalidInputError) as caught:
        look_at(str(tmp_path / wrong))
    assert caught.value.reason == "not found"


# What is given as an item.


def test_items_of_several_forms_mean_the_same() -> None:
    """Media, bytes, lists and tuples of them, and parts of Google's SDK."""
    types = pytest.importorskip("google.genai.types")
    media = Media.from_bytes(png())
    assert parts_of(png(), 0).parts == (media,)
    assert parts_of(bytearray(png()), 0) == parts_of(memoryview(png()), 0) == fused(media)
    assert parts_of(["a", png()], 0) == parts_of(("a", media), 0) == fused("a", media)
    part = types.Part.from_bytes(data=png(), mime_type="image/png")
    assert parts_of(part, 0) == fused(Media.from_bytes(png(), mime_type="image/png"))
    stored = types.Part.from_uri(file_uri="gs://b/a", mime_type="video/mp4")
    stored.video_metadata = types.VideoMetadata(start_offset="1.5s", end_offset="3s", fps=2)
    film = Media.from_uri("gs://b/a", mime_type="video/mp4", start=1.5, end=3, fps=2)
    assert parts_of(stored, 0) == fused(film)
    assert parts_of(["a", types.Part(text="b"), media], 0) == fused("a", "b", media)


def test_a_picture_of_pillow_is_taken() -> None:
    """Without a loss, in a format that both services take; whatever its mode."""
    image = pytest.importorskip("PIL.Image")
    (media,) = parts_of(image.new("RGB", (4, 4), "red"), 0).parts
    assert media.mime_type == "image/png"
    assert parts_of(image.new("RGB", (4, 4), "red"), 0).parts == (media,)
    assert parts_of(image.new("CMYK", (4, 4)), 0).parts[0].modality == "image"


@pytest.mark.parametrize("texts", [["a", "b"], ("a",), ["a", "b", "c"]])
def test_a_list_of_texts_is_refused(texts: Any) -> None:
    """Texts fused by mistake is the fault that this project exists to prevent."""
    with pytest.raises(InvalidInputError, match=r"gemini_embed\.fused\(\.\.\.\)") as caught:
        parts_of(texts, 7)
    assert (caught.value.index, caught.value.reason) == (7, "texts in a list")
    assert parts_of(fused(*texts), 7).parts == tuple(texts)


@pytest.mark.parametrize(
    "wrong", [1, None, {"a": 1}, object(), [1], ["a", None], [], fused(), [[png()]]]
)
def test_what_is_no_item_is_refused(wrong: Any) -> None:
    """By its place."""
    with pytest.raises(InvalidInputError) as caught:
        parts_of(wrong, 3)
    assert caught.value.index == 3
