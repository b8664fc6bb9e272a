"""What was sent within a period, exactly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.pacing.window import Window


@given(
    limit=st.integers(1, 500),
    requests=st.lists(st.tuples(st.integers(1, 100), st.floats(0, 20)), min_size=1, max_size=20),
)
def test_a_known_limit_is_never_exceeded(limit: int, requests: list[tuple[int, float]]) -> None:
    """Whenever between its departure and its answer a request is counted."""
    window = Window(limit, float("inf"), 60.0)
    now, counted = 0.0, []
    for texts, latency in requests:
        now += min(window.wait(now), 1e6) if window.room(now)[0] < min(texts, limit) else 0.0
        room = int(window.room(now)[0])
        if room < 1:
            continue
        sent = window.take(min(texts, room), 0, now)
        counted.append((now, now + latency, sent.texts))
        window.settle(sent, now + latency)
        now += latency
    for latest in (False, True):
        ats = [(end if latest else start, n) for start, end, n in counted]
        assert all(
            sum(n for at, n in ats if first <= at < first + 60.0) <= limit for first, _ in ats
        )


def test_a_clock_that_runs_otherwise_stretches_the_period() -> None:
    """A refusal that comes just before the end is the service's clock; one much earlier is not."""
    window = Window(100, float("inf"), 60.0)

    assert window.stretch(0.5)
    assert 60.5 < window.period < 61
    assert not window.stretch(30.0)
