"""Whether a plan goes on after a planned look: its own rule, read off the bands that the look left."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.analysis.results.schema import HypothesisResult, LookResult
from seedlock.prereg.plan.design import When
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import Plan


def look_result(plan: Plan, place: int | None, entries: Sequence[HypothesisResult]) -> LookResult | None:
    """What the look at `place` (from 0) decides; None without planned looks.

    The next look has its condition: every band that it names is still left by the hypothesis, or its estimate lies
    between the ends that it names, in any model that the hypothesis is about. A hypothesis that could not be tested
    excludes nothing, so the plan goes on. Without a condition it goes on; after the last look there is nothing to go on
    to.
    """
    if place is None:
        return None
    found = LookResult(place=place + 1, seeds=plan.look[place].seeds)
    if place + 1 == len(plan.look):
        return found
    later = plan.look[place + 1]
    if plan.looks_at_any_time:
        return found.model_copy(update={"goes_on": True, "at_will": True, "next_seeds": later.seeds})
    if later.when is None:
        return found.model_copy(update={"goes_on": True, "next_seeds": later.seeds})
    named = [h for h in entries if HypothesisId.read(h.id).is_meant_by(later.when.hypothesis)]
    leaving = [h.id for h in named if _is_met(later.when, h)]
    return found.model_copy(
        update={
            "goes_on": bool(leaving),
            "next_seeds": later.seeds,
            "hypotheses": leaving or [h.id for h in named],
            "undecided": list(later.when.undecided),
            "estimate_in": later.when.estimate,
        }
    )


def _is_met(when: When, entry: HypothesisResult) -> bool:
    if when.estimate is None:
        return not entry.verdict or set(when.undecided) <= set(entry.verdict)
    low, high = when.estimate
    return entry.estimate is None or low <= entry.estimate <= high
