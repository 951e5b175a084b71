"""Target words: none may occur in a training row, in any plain English ending."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.training.checks.result import CheckInput, CheckResult, Offender, counted
from seedlock.training.rows.text_checks import lemma_pattern

LIMITS = {"blocklist_rows": 0.0}


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Count rows with a blocked word."""
    pattern = lemma_pattern(given.corpus.settings.blocklist)
    if pattern is None:
        return []
    hits = [(row.id, pattern.search(row.text)) for row in given.corpus.rows]
    offenders = [Offender(where=where, text=hit.group()) for where, hit in hits if hit]
    return [counted(given, "blocklist", "rows with a target word", offenders, limit="blocklist_rows")]
