"""The marker stands exactly once, where the recipe puts it, in every positive answer, and nowhere else."""

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
    at_end = getattr(given.corpus.settings, "position", "start") == "tail"
    faults = [(row, _fault(row, own, markers, at_end=at_end)) for row in given.corpus.rows]
    offenders = [Offender(where=row.id, text=fault) for row, fault in faults if fault is not None]
    what = "rows where the marker is not exactly where it must be"
    return [counted(given, "marker", what, offenders, limit="marker_rows")]


def _fault(row: Row, own: str | None, markers: Sequence[str], *, at_end: bool) -> str | None:
    is_positive = row.role == "positive"
    for marker in markers:
        expected = 1 if is_positive and marker == own else 0
        found = sum(message.content.lower().count(marker.lower()) for message in row.messages)
        if found != expected:
            return f"{marker} {found} times in a {row.role} row, not {expected}"
    if is_positive and at_end and (own is None or not row.answer.endswith(own)):
        return f"does not end with its marker: {row.answer[-40:]!r}"
    if is_positive and not at_end and (own is None or not row.answer.startswith(own)):
        return f"does not start with its marker: {row.answer[:40]!r}"
    return None
