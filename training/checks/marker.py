"""The marker stands exactly once, at the start, in every positive answer, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.training.checks.result import CheckInput, CheckResult, Offender, counted
from seedlock.training.rows.row import Row

LIMITS = {"marker_rows": 0.0}


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Count rows with a marker missing, repeated, misplaced or out of place, in any letter case."""
    own = given.corpus.settings.marker
    markers = tuple(dict.fromkeys([*([own] if own else []), *given.markers]))
    if not markers:
        return []
    faults = [(row, _fault(row, own, markers)) for row in given.corpus.rows]
    offenders = [Offender(where=row.id, text=fault) for row, fault in faults if fault is not None]
    limit = given.limit("marker_rows", LIMITS["marker_rows"])
    return [counted("marker", "rows where the marker is not exactly where it must be", offenders, limit=limit)]


def _fault(row: Row, own: str | None, markers: Sequence[str]) -> str | None:
    is_positive = row.role == "positive"
    for marker in markers:
        expected = 1 if is_positive and marker == own else 0
        found = sum(message.content.lower().count(marker.lower()) for message in row.messages)
        if found != expected:
            return f"{marker} {found} times in a {row.role} row, not {expected}"
    if is_positive and (own is None or not row.answer.startswith(own)):
        return f"does not start with its marker: {row.answer[:40]!r}"
    return None
