from __future__ import annotations

from kills import kills


def test_a_run_of_the_batch_api_survives_kills_at_any_moment() -> None:
    """Each text has its own vector, no row is paid for twice, and nothing is left over."""
    outcome = kills.run(kills=5, seed=1)

    assert outcome.kills == 5
    assert outcome.faults == [], str(outcome)
