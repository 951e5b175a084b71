"""A few seconds of what `python -m benchmarks.fuzz` does for as long as it is told to."""

from __future__ import annotations

from benchmarks.fuzz import fuzz


def test_a_broken_study_is_refused_and_nothing_else() -> None:
    found = fuzz(seconds=5, seed=7)
    assert found.bad == []
    assert sum(found.ends.values()) > 3
