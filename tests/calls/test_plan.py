from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.calls.plan import Bounds, Plan, places_of
from gemini_embed.contents import Batch, Content, Inputs, Refused, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CONTENTS = st.lists(
    st.builds(
        Content.of,
        st.text(alphabet="abc", max_size=2),
        st.sampled_from([None, "CLUSTERING"]),
        st.sampled_from([None, "T", "U"]),
    )
)


def planned(contents: list[Content]) -> Plan:
    plan = Plan()
    plan.add(places_of(Inputs.whole(contents)))
    return plan


def drained(plan: Plan, max_texts: int) -> list[Batch]:
    batches = []
    while batch := plan.take(Bounds(max_texts)):
        batches.append(batch)
    return batches


@given(CONTENTS, st.integers(1, 5))
def test_every_position_is_served_once_by_its_own_text(contents: list[Content], size: int) -> None:
    """No text is lost, doubled or taken for another, however texts repeat and titles differ."""
    plan = planned(contents)
    waiting = len(plan)
    batches = drained(plan, size)

    served = {
        index: content
        for batch in batches
        for content, places in zip(batch.contents, batch.positions, strict=True)
        for index in places
    }

    assert served == dict(enumerate(contents))
    assert sum(len(batch.indexes) for batch in batches) == len(contents)
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(len(batch) == size for batch in batches[:-1])
    assert sum(len(batch) for batch in batches) == waiting
    assert len(plan) == 0


@given(CONTENTS)
def test_what_is_identical_is_sent_once(contents: list[Content]) -> None:
    """The same text with the same task and title costs one text, however often it is given."""
    sent = [content for batch in drained(planned(contents), 100) for content in batch.contents]

    assert len(sent) == len(set(sent)) == len(set(contents))


def test_texts_keep_their_order() -> None:
    """Requests are cut from the front of the list, so progress follows the caller's order."""
    batches = drained(planned([Content.of(str(i)) for i in range(5)]), 2)

    assert [batch.texts for batch in batches] == [["0", "1"], ["2", "3"], ["4"]]
    assert [batch.indexes for batch in batches] == [(0, 1), (2, 3), (4,)]


def test_what_is_put_back_comes_first_and_may_be_cut_smaller() -> None:
    """A limit learned meanwhile holds for batches that wait again, too."""
    plan = planned([Content.of(str(i)) for i in range(6)])
    first = plan.take(Bounds(4))
    assert first is not None
    for half in reversed(first.split(1)):
        plan.put_back(half)

    assert plan.next_content() == Content.of("0")
    assert len(plan) == 6
    assert [batch.texts for batch in drained(plan, 2)] == [["0"], ["1", "2"], ["3"], ["4", "5"]]


def test_parts_of_what_was_refused_come_first_and_alone() -> None:
    """While it is looked into who is to blame, nothing else is sent."""
    plan = planned([Content.of(str(i)) for i in range(6)])
    first = plan.take(Bounds(4))
    assert first is not None
    plan.put_back(replace(first, within=Refused(4, 4)))
    again = plan.take(Bounds(2))
    assert again is not None
    plan.put_back(replace(again, within=None))
    plan.is_held = True

    assert (len(plan), plan.next_content()) == (2, Content.of("2"))
    assert [batch.texts for batch in drained(plan, 9)] == [["2", "3"]]
    assert (len(plan), plan.next_content()) == (0, None)
    plan.is_held = False
    assert [batch.texts for batch in drained(plan, 9)] == [["0", "1"], ["4", "5"]]


def test_a_text_from_the_middle_is_taken_out_once() -> None:
    """What is tried alone is not sent again with the others."""
    plan = planned([Content.of(str(i)) for i in range(5)])
    picked = plan.pick()

    assert picked is not None
    assert (picked.texts, picked.indexes) == (["2"], (2,))
    assert [batch.texts for batch in drained(plan, 9)] == [["0", "1", "3", "4"]]
    assert plan.pick() is None


@given(st.lists(st.text(max_size=40), min_size=1, max_size=12), st.integers(1, 4000))
def test_bodies_stay_within_their_bytes(texts: list[str], most: int) -> None:
    """A body of UTF-8 has no more bytes than it may, but for one text that is larger alone."""
    contents = [Content.of(text, title=text[:3] or None) for text in texts]
    plan = planned(contents)

    while batch := plan.take(Bounds(100, size=most)):
        body = json.dumps([content._asdict() for content in batch.contents], ensure_ascii=False)
        assert len(batch) == 1 or len(body.encode()) <= most


def test_a_body_is_filled() -> None:
    """Texts that need no escapes share a request up to the limit; others count as written."""
    plain = planned([Content.of(f"{i:02}" + "x" * 9_740) for i in range(20)])
    chinese = planned([Content.of(f"{i:02}" + "\u6587" * 3_246) for i in range(20)])
    quotes = planned([Content.of(f"{i:02}" + '"' * 4_870) for i in range(20)])
    control = planned([Content.of(f"{i:02}" + "\x01" * 1_623) for i in range(20)])

    for plan in (plain, chinese, quotes, control):
        sizes = [plan.take(Bounds(100, size=100_100)) for _ in range(3)]
        assert [batch and len(batch) for batch in sizes] == [10, 10, None]


def test_tokens_cut_batches_too() -> None:
    """A batch holds no more tokens than there is room for, but always one text."""
    plan = planned([Content.of(digit * 99) for digit in "12345"])

    sizes = []
    for room in (250, 99, 1000):
        batch = plan.take(Bounds(100, tokens=room))
        assert batch is not None
        sizes.append(len(batch.texts))

    assert sizes == [2, 1, 2]


class Unasked(Tally):
    """Fails where tokens are asked for."""

    def learn(self, contents: Iterable[Content]) -> None:
        raise AssertionError(f"nobody needs the tokens of {list(contents)}")


def test_tokens_are_not_estimated_where_nothing_is_limited_by_them() -> None:
    """Estimating costs time for each text: only a limit on tokens is worth it."""
    plan = Plan(Unasked())
    plan.add(places_of(Inputs.whole([Content.of(str(i)) for i in range(250)])))

    assert [len(batch) for batch in iter(lambda: plan.take(Bounds(100)), None)] == [100, 100, 50]


def test_each_text_is_estimated_once() -> None:
    """However often a batch is cut, and whoever asks."""
    asked: list[Content] = []

    class Noting(Tally):
        def note(self, contents: Sequence[Content], counts: Sequence[int]) -> None:
            asked.extend(contents)
            super().note(contents, counts)

    contents = [Content.of(f"{i:03}") for i in range(250)]
    plan = Plan(Noting())
    plan.add(places_of(Inputs.whole(contents)))
    batches = list(iter(lambda: plan.take(Bounds(100, tokens=30)), None))

    assert [batch.tokens for batch in batches] == [30] * 25
    assert asked == contents
