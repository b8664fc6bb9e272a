from __future__ import annotations

from fuzz import answers


def test_damaged_answers_are_read_as_json_reads_them() -> None:
    """Whatever happens to an answer, no vector comes of it that is not there."""
    outcome = answers.run(seconds=20, seed=1)

    assert outcome.readable > 100
    assert outcome.faults == [], str(outcome)
