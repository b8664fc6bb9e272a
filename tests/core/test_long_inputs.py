"""Texts that are too long: cut off with a warning, refused, or split, never in silence."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of
from service.vertex import credentials, texts_of

from gemini_embed import GeminiEmbedder, InvalidInputError, RequestError, TextTooLongError
from gemini_embed.contents import estimated
from gemini_embed.long_inputs import Length
from gemini_embed.models import MODELS
from gemini_embed.standin import Standin, embed_content
from gemini_embed.token_counts import likely_tokens, most_tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]

ONE, TWO = "gemini-embedding-001", "gemini-embedding-2"
VERTEX: dict[str, Any] = {"api_key": None, "project": "p", "location": "global"}


def text_of(part: float, model: str = TWO) -> str:
    """Return a text that has, as the stand-in counts, so many times the tokens that are read."""
    sentence = "Some words of a paragraph. "
    a_hundred = likely_tokens(sentence * 100)
    return sentence * int(100 * part * MODELS[model].max_input_tokens / a_hundred)


def perhaps(part: float, model: str = TWO) -> str:
    """Return such a text of which the estimate cannot say whether it is too long."""
    text, most = text_of(part, model), MODELS[model].max_input_tokens
    length = Length.estimated(text, most)
    assert length.least < most < length.most
    return text


@pytest.fixture
def vertex(embedder: Maker) -> Maker:
    def make(**options: Any) -> GeminiEmbedder:
        return embedder(**{**VERTEX, "credentials": credentials(), **options})

    return make


@pytest.fixture
def makers(embedder: Maker, vertex: Maker) -> dict[str, Maker]:
    return {"gemini": embedder, "vertex": vertex}


@pytest.fixture
def without_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stand-in refuse `autoTruncate` wherever it stands, as a gateway may."""
    known = tuple(name for name in embed_content._CONFIG if name != "autoTruncate")
    monkeypatch.setattr(embed_content, "_CONFIG", known)


def wishes(body: Any) -> list[object]:
    """Return what each entry of a request says of cutting off; None where it says nothing."""
    if "instances" in body:
        return [body.get("parameters", {}).get("autoTruncate")]
    entries = body.get("requests", [body])
    return [entry.get("embedContentConfig", {}).get("autoTruncate") for entry in entries]


# The service cuts it off.


def test_it_is_told_which_texts_are_cut_off(server: Standin, embedder: Maker) -> None:
    """As ever the service cuts them; a warning names those that surely or perhaps are too long."""
    texts = ["a", text_of(9), "b", perhaps(0.95), text_of(10)]
    told = r"reads 8,192 tokens .*\(too long: texts 1, 4; perhaps too long: text 3\)$"
    with pytest.warns(UserWarning, match=told):
        vectors = embedder().embed(texts, role="document").vectors

    as_sent = [f"title: none | text: {text}" for text in texts]
    assert (vectors == vectors_of(server, as_sent, model=TWO)).all()
    assert joined(sent_texts(server)) == as_sent
    assert all(wishes(one.body) == [None] * 5 for one in server.log)


def test_short_texts_are_not_counted(
    server: Standin, embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is a byte or more: no time goes into texts that cannot be too long."""
    monkeypatch.setattr(Length, "estimated", None)
    texts = ["a" * 8_000, "\u6587" * 2_000, "\U0001f600" * 2_000]

    for on_long in ("truncate", "error", "split"):
        embedder(on_long=on_long).embed(texts, role="document")
    assert len(server.log) == 3


@pytest.mark.parametrize("model", [TWO, "text-embedding-005"])
def test_what_is_known_to_be_cut_off_is_told_once(vertex: Maker, model: str) -> None:
    """Vertex AI says afterwards what it cut: that is news only of texts that were in doubt."""
    texts = [perhaps(1.1, model), "a", text_of(9, model)]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = vertex(model=model).embed(texts, role="document")

    said = [str(one.message) for one in told if "shut" not in str(one.message)]
    assert result.usage.truncated == (0, 2)
    assert re.search(r"\(too long: text 2; perhaps too long: text 0\)$", said[0])
    assert said[1:] == ["the service cut off what was too long for the model: text 0"]


# It is an error.


@pytest.mark.parametrize("role", ["document", "query"])
def test_what_is_surely_too_long_is_refused_before_anything_is_sent(
    server: Standin, embedder: Maker, role: Any
) -> None:
    """The error names all of them, how many tokens the first has, and how many are read."""
    made = embedder(on_long="error")
    with pytest.raises(TextTooLongError, match=r"text 1 is too long: about [\d,]+ tokens") as told:
        made.embed(["a", text_of(9), text_of(10)], role=role)

    error = told.value
    assert isinstance(error, InvalidInputError)
    assert (error.index, error.indexes, error.limit) == (1, (1, 2), 8192)
    assert error.tokens is not None
    assert 8 * 8192 < error.tokens * 1.5 < 12 * 8192 * 1.5
    assert server.log == []


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(
    ("backend", "model"),
    [
        ("gemini", ONE),
        ("gemini", TWO),
        ("vertex", ONE),
        ("vertex", TWO),
        ("vertex", "text-embedding-005"),
    ],
)
@pytest.mark.filterwarnings("ignore:Google shuts")
def test_each_entry_says_that_nothing_is_to_be_cut_off(
    server: Standin, makers: dict[str, Maker], backend: str, model: str, size: int
) -> None:
    """Whichever way a text goes; and task, title and dimension are what they are without it."""
    texts, titles = ["a", "b", "c"][:size], ["T", None, "U"][:size]
    make = makers[backend]
    options: dict[str, Any] = {"model": model, "output_dimensionality": 256, "normalize": False}
    plain = make(**options).embed(texts, role="document", titles=titles).vectors
    server.log.clear()

    vectors = make(on_long="error", **options).embed(texts, role="document", titles=titles).vectors

    assert (vectors == plain).all()
    said = joined(wishes(one.body) for one in server.log)
    assert said
    assert all(one is False for one in said)


def test_a_text_in_doubt_is_left_to_the_service(server: Standin, vertex: Maker) -> None:
    """It travels alone. Vertex AI refuses it for its length: the error says so, and which it is."""
    texts = ["a", perhaps(0.9, ONE), perhaps(1.1, ONE), "b"]
    with pytest.raises(TextTooLongError, match=r"\(text 2\); 3 of 4 texts") as told:
        vertex(model=ONE, on_long="error").embed(texts, role="document")

    assert (told.value.indexes, told.value.limit) == ((2,), 2048)
    expected = vectors_of(server, texts, model=ONE, task_type="RETRIEVAL_DOCUMENT")
    assert told.value.partial.keys() == {0, 1, 3}
    assert all((vector == expected[place]).all() for place, vector in told.value.partial.items())
    assert sorted(len(texts_of(one.body)) for one in server.log if one.status == 200)[:2] == [1, 1]


@pytest.mark.parametrize("tokens", [8192, 9000])
def test_a_count_at_the_limit_shows_that_a_text_was_cut_off(
    server: Standin, embedder: Maker, tokens: int
) -> None:
    """Where the wish is taken and not heeded, nothing else tells."""
    vector = {"values": [1.0] * 3072}
    usage = {"promptTokenCount": tokens}
    server.script.append((200, {"embeddings": [vector], "usageMetadata": usage}, {}))
    made = embedder(on_long="error", max_concurrency=1)

    with pytest.raises(TextTooLongError) as told:
        made.embed([perhaps(0.9), "a"], role="document")

    assert told.value.indexes == (0,)
    assert told.value.partial.keys() == {1}


def test_a_flag_in_the_answer_is_an_error(server: Standin, vertex: Maker) -> None:
    """A service may cut off all the same, and say so."""
    server.script.append((200, {"embedding": {"values": [1.0] * 3072}, "truncated": True}, {}))

    with pytest.raises(TextTooLongError):
        vertex(on_long="error").embed([perhaps(0.9)], role="query")


def test_of_a_flag_for_several_texts_the_one_is_found(server: Standin, vertex: Maker) -> None:
    """A service may read less than is known of the model, and say so of a whole request."""
    rows = [{"values": [1.0] * 3072}] * 2
    server.script.append((200, {"embeddings": rows, "truncated": True}, {}))
    server.script.append((200, {"embedding": rows[0], "truncated": True}, {}))
    made = vertex(on_long="error", max_concurrency=1)
    if made._checked(["a"], role="document").ask.route.texts == 1:
        pytest.skip("this google-genai sends one text a request")

    with pytest.raises(TextTooLongError) as told:
        made.embed(["a", "b"], role="document")

    (cut,) = told.value.indexes
    assert told.value.partial.keys() == {0, 1} - {cut}
    assert len(server.log) == 3


def test_where_nobody_tells_a_warning_does(embedder: Maker) -> None:
    """The Gemini API's older model says nothing of tokens: what is in doubt stays in doubt."""
    made = embedder(model=ONE, on_long="error")

    with pytest.warns(UserWarning, match=r"does not say where it cut one off: perhaps text 1$"):
        made.embed(["a", perhaps(0.95, ONE)], role="document")


@pytest.mark.parametrize("first", [["a", "b"], []])
@pytest.mark.parametrize("backend", ["gemini", "vertex"])
@pytest.mark.usefixtures("without_wish")
def test_a_service_that_does_not_know_the_wish_is_asked_without(
    server: Standin, makers: dict[str, Maker], backend: str, first: list[str]
) -> None:
    """A request that is refused with it and taken without it teaches that: no text is lost."""
    made = makers[backend](on_long="error", max_concurrency=1)
    texts = [*first, perhaps(0.9)]
    vectors = made.embed(texts, role="document").vectors
    refused = sum(one.status == 400 for one in server.log)
    made.embed(["c"], role="document")

    as_sent = [f"title: none | text: {text}" for text in texts]
    assert (vectors == vectors_of(server, as_sent, model=TWO)).all()
    assert refused in {1, 2}
    assert wishes(server.log[-1].body) == [None]


@pytest.mark.usefixtures("without_wish")
def test_without_the_wish_what_is_cut_off_is_found(embedder: Maker, vertex: Maker) -> None:
    """By the number of tokens, or by the flag."""
    for make in (embedder, vertex):
        with pytest.raises(TextTooLongError) as told:
            make(on_long="error").embed(["a", perhaps(1.1), "b"], role="document")
        assert told.value.indexes == (1,)
        assert told.value.partial.keys() == {0, 2}


def test_a_refusal_for_another_reason_stays_what_it_is(server: Standin, embedder: Maker) -> None:
    """A text that the service will have in no way is not called too long."""
    body = {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
    server.script.extend([(400, body, {})] * 2)

    with pytest.raises(RequestError) as told:
        embedder(on_long="error").embed([perhaps(0.9)], role="document")

    assert told.value.indexes == (0,)
    assert [wishes(one.body) for one in server.log] == [[False], [None]]


def test_a_vector_of_a_part_is_not_taken_from_the_cache(
    server: Standin, vertex: Maker, tmp_path: Path
) -> None:
    """What was kept while cutting was allowed does not count where it is not."""
    cache, texts = tmp_path / "cache.sqlite3", ["a", perhaps(0.9)]
    with pytest.warns(UserWarning, match="perhaps too long: text 1"):
        vertex(cache=cache).embed(texts, role="document")
    server.log.clear()

    made = vertex(cache=cache, on_long="error")
    made.embed(texts, role="document")
    made.embed(texts, role="document")

    assert [len(texts_of(one.body)) for one in server.log] == [1]


# It is split.


def paragraphs(count: int, first: int = 0) -> list[str]:
    return [f"Paragraph {i} tells of something. And of more." for i in range(first, first + count)]


def long_text(count: int = 2_000) -> str:
    return "\n\n".join(paragraphs(count))


def pieces_sent(server: Standin, before: str) -> list[str]:
    """Return the pieces that were sent behind this prefix, in the order of the text."""
    sent = [text.removeprefix(before) for text in joined(sent_texts(server)) if before in text]
    return sorted(sent, key=lambda piece: int(piece.split()[1]))


def mean(vectors: np.ndarray, pieces: list[str]) -> np.ndarray:
    weights = estimated(pieces)
    return np.average(vectors.astype(np.float64), axis=0, weights=weights)


@pytest.mark.parametrize("dimension", [3072, 256])
def test_the_vector_is_the_mean_of_the_pieces(
    server: Standin, embedder: Maker, dimension: int
) -> None:
    """Weighted by tokens, of length 1; each piece has the prefix and the title of its text."""
    made = embedder(on_long="split", output_dimensionality=dimension)
    text = long_text()

    result = made.embed(["a", text, "b"], role="document", titles=[None, "T", None])

    pieces = pieces_sent(server, "title: T | text: ")
    assert "\n\n".join(pieces) == text
    assert all(most_tokens(f"title: T | text: {piece}") <= 8192 for piece in pieces)
    got = vectors_of(
        server, [f"title: T | text: {piece}" for piece in pieces], model=TWO, dimension=dimension
    )
    expected = mean(got, pieces)
    assert np.allclose(result.vectors[1], expected / np.linalg.norm(expected), atol=1e-6)
    short = [f"title: none | text: {text}" for text in "ab"]
    assert (result.vectors[::2] == vectors_of(server, short, model=TWO, dimension=dimension)).all()
    assert result.usage.truncated == ()


@pytest.mark.parametrize("normalize", ["auto", True, False])
def test_the_mean_has_the_length_that_is_wanted(
    server: Standin, embedder: Maker, normalize: Any
) -> None:
    """Pieces are cut and brought to length as texts of their own would be, then the mean is."""
    options = {"model": ONE, "output_dimensionality": 768, "normalize": normalize}
    result = embedder(on_long="split", **options).embed([long_text()], role="document")

    pieces = pieces_sent(server, "")
    by_hand = mean(embedder(**options).embed(pieces, role="document").vectors, pieces)
    if normalize is not False:
        by_hand /= np.linalg.norm(by_hand)
    assert np.allclose(result.vectors[0], by_hand, atol=1e-6)


@pytest.mark.parametrize("model", [ONE, TWO])
def test_a_kept_full_vector_gives_the_same(embedder: Maker, tmp_path: Path, model: str) -> None:
    """Whether the service cuts each piece to the dimension, or we do."""
    options = {"model": model, "on_long": "split", "output_dimensionality": 256}
    asked = embedder(**options).embed([long_text()], role="document").vectors
    cut = embedder(**options, cache=tmp_path / "c", cache_full_dimension=True)

    assert np.allclose(cut.embed([long_text()], role="document").vectors, asked, atol=1e-6)


def test_pieces_are_shared_and_kept(server: Standin, embedder: Maker, tmp_path: Path) -> None:
    """What two long texts have in common is sent once; another end re-embeds the end only."""
    made = embedder(on_long="split", cache=tmp_path / "cache.sqlite3")
    first = made.embed([long_text(), "a", long_text()], role="document")
    count = len(joined(sent_texts(server)))
    again = made.embed([long_text()], role="document")
    assert (first.vectors[0] == first.vectors[2]).all()
    assert np.allclose(again.vectors[0], first.vectors[0], atol=1e-6)
    assert len(joined(sent_texts(server))) == count == len(set(joined(sent_texts(server))))
    for usage, asked in ((first.usage, count), (again.usage, 0)):
        assert usage.texts + usage.pieces - usage.cached - usage.duplicates == asked

    server.log.clear()
    changed = made.embed([long_text() + " And a new end."], role="document")
    (sent,) = sent_texts(server)
    assert len(sent) == 1
    assert sent[0].endswith("And a new end.")
    assert not np.allclose(changed.vectors[0], first.vectors[0], atol=1e-6)


def test_a_piece_that_comes_twice_counts_twice(server: Standin, embedder: Maker) -> None:
    """Some texts repeat themselves."""
    text = "\n\n".join(["12345 " * 900 + "end."] * 4 + ["67890 " * 900])
    result = embedder(on_long="split", task_prefix=False).embed([text], role="document")

    (sent,) = sent_texts(server)
    whole = [piece for piece in sent if piece.endswith("end.")]
    assert len(sent) == len(set(sent)) < 5
    assert len(whole) == 1
    pieces = [one.strip() for one in text.split("\n\n")]
    by_hand = mean(vectors_of(server, pieces, model=TWO), pieces)
    assert np.allclose(result.vectors[0], by_hand / np.linalg.norm(by_hand), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 5, 100])
def test_repeated_texts_keep_their_vectors_beside_pieces(
    server: Standin, embedder: Maker, tmp_path: Path, batch_size: int
) -> None:
    """However pieces and repeated texts share requests, and whether they come from the cache."""
    long = long_text()
    made = embedder(on_long="split", task_prefix=False, batch_size=batch_size, cache=tmp_path / "c")
    first = made.embed([long], role="document")
    piece = pieces_sent(server, "")[0]
    texts = ["a", long, "b", piece, long, "a", "b", "b"]

    results = [made.embed(texts, role="document") for _ in range(2)]
    made = embedder(on_long="split", task_prefix=False, batch_size=batch_size)
    results.append(made.embed(texts, role="document"))

    short = [text for text in texts if text != long]
    for result in results:
        rest = np.delete(result.vectors, [1, 4], axis=0)
        assert (rest == vectors_of(server, short, model=TWO)).all()
        assert np.allclose(result.vectors[[1, 4]], first.vectors, atol=1e-6)


def test_pieces_find_their_way_through_a_storm(tmp_path: Path) -> None:
    """Whatever breaks on the way, each text has its vector, and what was counted is what came."""
    texts = ["a", long_text(3_000), "b", long_text(1_500), "a", long_text(3_000)]
    with Standin() as calm:
        made = GeminiEmbedder(api_key="k", base_url=calm.url, on_long="split")
        expected = made.embed(texts, role="document").vectors
    faults: Any = {"503": 0.2, "reset": 0.1, "short": 0.1, "half": 0.1}
    with Standin(faults=faults, seed=3) as stormy:
        made = GeminiEmbedder(
            api_key="k",
            base_url=stormy.url,
            on_long="split",
            batch_size=2,
            cache=tmp_path / "cache.sqlite3",
            max_retries=50,
            retry_min_seconds=0.001,
            retry_max_seconds=0.002,
        )
        first = made.embed(texts[:2], role="document")
        result = made.embed(texts, role="document")

    assert np.allclose(result.vectors, expected, atol=1e-6)
    for usage in (first.usage, result.usage):
        assert usage.texts + usage.pieces - usage.cached - usage.duplicates > 0
    embedded = sum(
        usage.texts + usage.pieces - usage.cached - usage.duplicates
        for usage in (first.usage, result.usage)
    )
    assert embedded == len({text for one in sent_texts(stormy) for text in one})


def test_a_refused_piece_names_its_text(server: Standin, embedder: Maker) -> None:
    """All that is said of a piece is said of the text that the caller gave."""
    retries: list[Any] = []
    body = {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
    made = embedder(on_long="split", max_concurrency=1, batch_size=1, on_retry=retries.append)
    server.script.extend([None, None, "503", (400, body, {})])

    with pytest.raises(RequestError) as told:
        made.embed(["a", "b", long_text(), "c"], role="document")

    assert retries[0].indexes == told.value.indexes == (2,)
    assert "3 of 4 texts were finished" in str(told.value)
    assert told.value.partial.keys() == {0, 1, 3}


def test_a_text_is_named_once_however_many_pieces_are_refused(
    server: Standin, embedder: Maker
) -> None:
    """`indexes` are those of the caller's texts."""
    refusal: Any = (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, {})
    made = embedder(on_long="split", max_concurrency=1, batch_size=1)
    server.script.extend([None, refusal, refusal])

    with pytest.raises(RequestError) as told:
        made.embed(["a", long_text(), "b"], role="document")

    assert told.value.indexes == (1,)
    assert told.value.partial.keys() == {0, 2}


def test_a_query_is_never_split(server: Standin, vertex: Maker) -> None:
    """One that is too long is an error, and one in doubt is left to the service."""
    made = vertex(on_long="split")
    with pytest.raises(TextTooLongError, match="a query is not split"):
        made.embed([text_of(9)], role="query")
    made.embed([perhaps(0.9)], role="query")

    assert [wishes(one.body) for one in server.log] == [[False]]


def test_a_title_leaves_room_for_the_text(server: Standin, embedder: Maker) -> None:
    """One that would take most of each piece is an error that says so."""
    with pytest.raises(TextTooLongError, match="the title of text 1 is too long") as told:
        embedder(on_long="split").embed(
            ["a", text_of(3)], role="document", titles=["T", text_of(0.9)]
        )

    assert (told.value.indexes, told.value.limit) == ((1,), 8192)
    assert server.log == []


@pytest.mark.parametrize("on_long", ["truncate", "error", "split"])
@pytest.mark.filterwarnings("ignore:gemini-embedding-2 reads")
def test_the_forecast_counts_pieces(server: Standin, embedder: Maker, on_long: str) -> None:
    """What is said before is what is sent."""
    texts = ["a", perhaps(0.9), "b", "c", perhaps(0.9)]
    made = embedder(on_long=on_long)

    said = made.estimate(texts, role="document")
    made.embed(texts, role="document")

    sent = joined(sent_texts(server))
    assert (said.texts, said.to_send, said.requests) == (5, len(sent), len(server.log))


def test_white_space_is_no_text(server: Standin, embedder: Maker) -> None:
    """A short text in a desert of blanks is not sent in pieces of nothing."""
    text = " \n" * 40_000 + "one" + "\t " * 40_000 + "two" + "\n" * 40_000
    embedder(on_long="split").embed([text], role="document")

    assert sorted(joined(sent_texts(server))) == [
        "title: none | text: one",
        "title: none | text: two",
    ]
