"""How every hypothesis came out, counted by role and kind: nothing is left uncounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from seedlock.analysis.results.schema import HypothesisResult, Outcome, Tally

ROLES: tuple[Literal["confirmatory", "exploratory"], ...] = ("confirmatory", "exploratory")
OUTCOMES: tuple[Outcome, ...] = ("as predicted", "not as predicted", "inconclusive", "not testable")


def outcome(*, estimate: float | None, verdict: Sequence[str], predicted: str) -> Outcome:
    """How a verdict stands to the band that the plan names."""
    if estimate is None or not verdict:
        return "not testable"
    if len(verdict) > 1:
        return "inconclusive"
    return "as predicted" if verdict[0] == predicted else "not as predicted"


def tally_of(hypotheses: Sequence[HypothesisResult]) -> list[Tally]:
    """Every hypothesis in one entry, confirmatory ones first; kinds that none came to are left out."""
    counted = Counter(
        (h.role, outcome(estimate=h.estimate, verdict=h.verdict, predicted=h.predicted)) for h in hypotheses
    )
    return [
        Tally(role=role, outcome=kind, n=counted[role, kind])
        for role in ROLES
        for kind in OUTCOMES
        if counted[role, kind]
    ]
