from __future__ import annotations

from fuzz import cache_files


def test_whatever_befalls_a_cache_file_no_other_vector_comes_out_of_it() -> None:
    """Damaged before or while it is used: the vector that was put in, or none, and no hang."""
    outcome = cache_files.run(seconds=8, seed=1)

    assert outcome.corruptions > 10
    assert outcome.faults == [], str(outcome)
