"""Every gate, hypothesis, family and claim of a plan, in the order the plan makes them depend on each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from analysis.claims import ClaimPart, all_of, any_of
from analysis.multiplicity import bh, holm
from analysis.results import ClaimResult, GateResult
from analysis.testing import Data, Tested, estimate_hypothesis, redecided
from prereg.plan import Claim, Hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """All verdicts of one plan on one set of data.

    Parameters
    ----------
    tested
        Expanded id (`H1[llama]`) -> its test, in plan order, after families and gates.
    p_adjusted
        Expanded id -> p after its family's correction; absent without a family.
    """

    tested: Mapping[str, Tested]
    p_values: Mapping[str, float | None]
    p_adjusted: Mapping[str, float | None]
    gates: tuple[GateResult, ...]
    claims: tuple[ClaimResult, ...]


def infer(data: Data) -> Inference:
    """Test everything the plan lists."""
    gates = {name: estimate_hypothesis(data, name, gate, {}) for name, gate in data.plan.gates.items()}
    gate_results = {name: _gate_result(data, name, tested) for name, tested in gates.items()}
    hypotheses = {identity: hypothesis for identity, hypothesis, _ in data.plan.expanded()}
    tested = {
        identity: _gated(estimate_hypothesis(data, identity, hypothesis, extra), hypothesis, gate_results)
        for identity, hypothesis, extra in data.plan.expanded()
    }
    p_values = {identity: p_of_prediction(t, hypotheses[identity]) for identity, t in tested.items()}
    corrected, p_adjusted = _families(data, tested, hypotheses, p_values)
    return Inference(
        tested=corrected,
        p_values=p_values,
        p_adjusted=p_adjusted,
        gates=tuple(gate_results.values()),
        claims=tuple(_claim(data, claim, corrected, hypotheses, p_values) for claim in data.plan.claim),
    )


def p_of_prediction(tested: Tested, hypothesis: Hypothesis) -> float | None:
    """The smallest alpha at which the predicted band would be the only one left, missing answers at their worst."""
    if tested.decision is None:
        return None
    return max(decision.p_for(hypothesis.predicted) for decision in (tested.decision, *tested.bounds))


def _gate_result(data: Data, name: str, tested: Tested) -> GateResult:
    need = data.plan.gates[name].need
    scale = tested.scale.raw_per_unit if tested.scale else 1.0
    estimate = tested.estimate
    return GateResult(
        name=name,
        need=need,
        verdict=list(tested.verdict),
        estimate=None if estimate is None else estimate.estimate / scale,
        ci=None if estimate is None else (estimate.ci_low / scale, estimate.ci_high / scale),
        passed=None if estimate is None else tested.verdict == (need,),
        reasons=list(tested.reasons),
    )


def _gated(tested: Tested, hypothesis: Hypothesis, gates: Mapping[str, GateResult]) -> Tested:
    """A hypothesis whose gate did not hold keeps its numbers out of the report: it is not testable."""
    required = hypothesis.requires if hypothesis.requires is not None else list(gates)
    shut = [name for name in required if gates[name].passed is not True]
    if not shut:
        return tested
    left = "; ".join(
        f"{name} needs {gates[name].need}, found {' or '.join(gates[name].verdict) or 'nothing'}" for name in shut
    )
    return replace(
        tested,
        estimate=None,
        decision=None,
        bounds=(),
        bound_estimates=(),
        reasons=(f"gate-shut: {left}", *tested.reasons),
    )


def _families(
    data: Data,
    tested: Mapping[str, Tested],
    hypotheses: Mapping[str, Hypothesis],
    p_values: Mapping[str, float | None],
) -> tuple[dict[str, Tested], dict[str, float | None]]:
    """Correct each family; a member is then judged at the level that the correction leaves it."""
    corrected = dict(tested)
    adjusted: dict[str, float | None] = {}
    for family, method in data.plan.families.items():
        members = {i: p_values[i] for i, h in hypotheses.items() if h.family == family}
        if method == "none" or not members:
            continue
        correct = holm if method == "holm" else bh
        for identity, result in correct(members, alpha=data.plan.inference.alpha).items():
            adjusted[identity] = result.p_adjusted
            if result.p is not None and result.p_adjusted:
                corrected[identity] = redecided(tested[identity], tested[identity].alpha * result.p / result.p_adjusted)
    return corrected, adjusted


def _claim(
    data: Data,
    claim: Claim,
    tested: Mapping[str, Tested],
    hypotheses: Mapping[str, Hypothesis],
    p_values: Mapping[str, float | None],
) -> ClaimResult:
    parts = [
        ClaimPart(name=m, p=p_values[m], reason="; ".join(tested[m].reasons) if p_values[m] is None else "")
        for m in claim.members
    ]
    combine = all_of if claim.all_of else any_of
    result = combine(parts, alpha=data.level_now(data.plan.inference.alpha))
    contradicted = [m for m in claim.members if tested[m].verdict and hypotheses[m].predicted not in tested[m].verdict]
    reasons = [result.reason] if result.reason else []
    if result.holds:
        decision = "supported"
    elif (claim.all_of and contradicted) or (contradicted and len(contradicted) == len(claim.members)):
        decision = "not supported"
        reasons += [f"{m} ended in {' or '.join(tested[m].verdict)}" for m in contradicted]
    elif result.holds is None:
        decision = "not testable"
    else:
        decision = "undecided"
        reasons += [f"{m} leaves {' or '.join(tested[m].verdict)}" for m in claim.members if len(tested[m].verdict) > 1]
    return ClaimResult.model_validate(
        {
            "id": claim.id,
            "says": claim.says,
            "rule": "all_of" if claim.all_of else "any_of",
            "members": claim.members,
            "p_value": result.p,
            "decision": decision,
            "reasons": reasons,
        }
    )
