from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.plan import Batch, Plan, estimate_tokens, places_of
from gemini_embed.tasks import WireText

WIRES = st.lists(
    st.builds(
        WireText,
        st.text(alphabet="abc", max_size=2),
        st.sampled_from([None, "CLUSTERING"]),
        st.sampled_from([None, "T", "U"]),
    )
)


def planned(wires: list[WireText]) -> Plan:
    plan = Plan()
    plan.add(places_of(wires))
    return plan


def drained(plan: Plan, max_texts: int) -> list[Batch]:
    batches = []
    while batch := plan.take(max_texts):
        batches.append(batch)
    return batches


@given(WIRES, st.integers(1, 5))
def test_every_position_is_served_once_by_its_own_text(wires: list[WireText], size: int) -> None:
    """No text is lost, doubled or taken for another, however texts repeat and titles differ."""
    plan = planned(wires)
    waiting = len(plan)
    batches = drained(plan, size)

    served = {
        index: wire
        for batch in batches
        for wire, places in zip(batch.wires, batch.positions, strict=True)
        for index in places
    }

    assert served == dict(enumerate(wires))
    assert sum(len(batch.indexes) for batch in batches) == len(wires)
    assert all(1 <= len(batch.wires) <= size for batch in batches)
    assert all(len(batch.wires) == size for batch in batches[:-1])
    assert sum(len(batch.wires) for batch in batches) == waiting
    assert len(plan) == 0


@given(WIRES)
def test_what_is_identical_is_sent_once(wires: list[WireText]) -> None:
    """The same text with the same task and title costs one text, however often it is given."""
    sent = [wire for batch in drained(planned(wires), 100) for wire in batch.wires]

    assert len(sent) == len(set(sent)) == len(set(wires))


def test_texts_keep_their_order() -> None:
    """Requests are cut from the front of the list, so progress follows the caller's order."""
    batches = drained(planned([WireText(str(i)) for i in range(5)]), 2)

    assert [batch.texts for batch in batches] == [["0", "1"], ["2", "3"], ["4"]]
    assert [batch.indexes for batch in batches] == [(0, 1), (2, 3), (4,)]


def test_what_is_put_back_comes_first_and_may_be_cut_smaller() -> None:
    """A limit learned meanwhile holds for batches that wait again, too."""
    plan = planned([WireText(str(i)) for i in range(6)])
    first = plan.take(4)
    assert first is not None
    for half in reversed(first.split(1)):
        plan.put_back(half)

    assert plan.next_text() == "0"
    assert len(plan) == 6
    assert [batch.texts for batch in drained(plan, 2)] == [["0"], ["1", "2"], ["3"], ["4", "5"]]


def test_what_is_suspect_comes_last() -> None:
    """Texts that nothing is held against go before those of a rejected batch."""
    plan = planned([WireText(str(i)) for i in range(6)])
    first = plan.take(4)
    assert first is not None
    plan.put_last(*first.split(2))

    assert len(plan) == 6
    assert plan.next_text() == "4"
    assert [batch.texts for batch in drained(plan, 9)] == [["4", "5"], ["2", "3"], ["0", "1"]]


def test_tokens_cut_batches_too() -> None:
    """A batch holds no more tokens than there is room for, but always one text."""
    plan = planned([WireText(letter * 396) for letter in "abcde"])

    sizes = []
    for room in (250, 99, 1000):
        batch = plan.take(100, max_tokens=room)
        assert batch is not None
        sizes.append(len(batch.texts))

    assert sizes == [2, 1, 2]


def test_the_estimate_follows_the_script() -> None:
    """English has about four letters to a token, Chinese about one."""
    assert estimate_tokens("word " * 100) == 126
    assert estimate_tokens("\u6587" * 100) == 76
    assert estimate_tokens("") == 1
