"""The cassettes themselves: labelled, small, without secrets, each with its test."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException

import gemini_embed as ge

CASSETTES = sorted((Path(__file__).parent / "cassettes").rglob("*.yaml"))

each_cassette = pytest.mark.parametrize(
    "path", CASSETTES, ids=[f"{path.parent.name}/{path.stem}" for path in CASSETTES]
)


@each_cassette
def test_says_where_it_is_from(path: Path) -> None:
    """Nobody takes numbers of the stand-in for Google's: a cassette says where it is from."""
    cassette = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"recorded_from", "recorded_on", "recorded_with"} < cassette.keys()
    assert cassette["recorded_from"] in {"Google", "stand-in (not Google)"}


@each_cassette
def test_is_small_and_holds_no_secret(path: Path) -> None:
    """A cassette can be read in a review, and published: no key, no header but the content's."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < 15_000
    for exchange in yaml.safe_load(text)["interactions"]:
        for message in (exchange["request"], exchange["response"]):
            assert message["headers"].keys() <= {"content-type"}
        host = "https://generativelanguage.googleapis.com/v1beta/models/"
        assert exchange["request"]["uri"].startswith(host)
        assert "?" not in exchange["request"]["uri"]


def test_each_cassette_has_its_test(owned_cassettes: set[Path]) -> None:
    """A renamed test does not leave its old recording behind, unread."""
    assert {*CASSETTES} <= owned_cassettes


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_is_not_recorded_is_not_sent(recording: bool) -> None:
    """Without a recording a test fails; it does not go out to Google."""
    if recording:
        pytest.skip("it would be recorded now")
    with pytest.raises(ge.RequestError) as caught:
        ge.GeminiEmbedder(max_retries=0).embed(["hello"], role="query")
    assert isinstance(caught.value.__cause__, CannotOverwriteExistingCassetteException)
