"""Under which key a vector is kept."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.cache import cache_keys
from gemini_embed.contents import Content

TWO = "gemini-embedding-2"


def test_keys_are_stable() -> None:
    """A file written by one release, process or Python is read by the next."""
    content = Content.of("task: search result | query: h\u00e9llo \u6587", None, None)

    assert cache_keys([content], model=TWO, dimension=768, service=None) == [
        "25fa562b93523459c3236f21c809f08ccd70bd97"
    ]


@given(st.lists(st.tuples(st.text(), st.sampled_from([None, "CLUSTERING"]), st.none() | st.text())))
def test_no_two_requests_share_a_key(asked: list[tuple[str, Any, str | None]]) -> None:
    """However a text, a task and a title are put together, another request has another key."""
    contents = {Content.of(*one) for one in asked}

    keys = cache_keys(contents, model=TWO, dimension=768, service=None)

    assert len(set(keys)) == len(contents)


def test_what_must_be_whole_has_a_key_of_its_own() -> None:
    """A vector that may be of a part of the text is not taken for one of the whole."""
    contents = [Content.of("a"), Content.of("b")]
    plain = cache_keys(contents, model=TWO, dimension=768, service=None)

    marked = cache_keys(contents, model=TWO, dimension=768, service=None, uncut={contents[1]})

    assert marked[0] == plain[0]
    assert marked[1] not in plain
