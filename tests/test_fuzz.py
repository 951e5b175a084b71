"""A few seconds of what `python -m tests.fuzzing` does for as long as it is told to."""

from __future__ import annotations

from tests.fuzzing.__main__ import fuzz


def test_broken_files_are_refused_and_nothing_else() -> None:
    found = fuzz(seconds=5, seed=7)
    assert found.bad == []
    assert sum(found.ends.values()) > 3
