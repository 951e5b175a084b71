"""Every gate, hypothesis, family and claim of a plan, in the order the plan makes them depend on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seedlock.analysis.inference.claims import ClaimPart, all_of, any_of
from seedlock.analysis.inference.dunnett import family_error, member_level, shared_control
from seedlock.analysis.inference.hypothesis import Data, Tested, estimate_hypothesis, redecided
from seedlock.analysis.inference.metric_audit import audit
from seedlock.analysis.inference.multiplicity import DUNNETT, Place, holm, places
from seedlock.analysis.inference.reason import GATE_SHUT, Reason
from seedlock.analysis.results.audit import AuditResult
from seedlock.analysis.results.schema import ClaimResult, GateResult
from seedlock.prereg.plan.audit import AUDIT
from seedlock.prereg.plan.plan import Claim, Gate, Hypothesis


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
    audit: AuditResult | None = None


def infer(data: Data) -> Inference:
    """Audit the measures, test the gates, and only then what they let through: everything the plan lists."""
    audited = audit(data)
    gate_results = {
        name: _gate_result(gate, estimate_hypothesis(data, name, gate, extra))
        for name, gate, extra in data.plan.expanded_gates()
    }
    hypotheses = {identity: hypothesis for identity, hypothesis, _ in data.plan.expanded()}
    tested = {}
    for identity, hypothesis, extra in data.plan.expanded():
        stands = [gate_results[name] for name in data.plan.gates_of(hypothesis, extra)]
        shut = [*_shut_gates(stands), *_shut_by_audit(hypothesis, audited)]
        tested[identity] = _gated(estimate_hypothesis(data, identity, hypothesis, extra), shut)
    p_values = {identity: p_of_prediction(t, hypotheses[identity]) for identity, t in tested.items()}
    corrected, p_adjusted = _families(data, tested, hypotheses, p_values)
    return Inference(
        tested=corrected,
        p_values=p_values,
        p_adjusted=p_adjusted,
        gates=(*([_audit_gate(audited)] if audited else ()), *gate_results.values()),
        claims=tuple(
            _claim(data, claim, corrected, hypotheses, p_values, audited=audited) for claim in data.plan.claim
        ),
        audit=audited,
    )


def p_of_prediction(tested: Tested, hypothesis: Hypothesis) -> float | None:
    """The smallest alpha at which the predicted band would be the only one left, missing answers at their worst."""
    if tested.decision is None:
        return None
    return max(decision.p_for(hypothesis.predicted) for decision in (tested.decision, *tested.bounds))


def p_of_any_band(tested: Tested) -> float | None:
    """The smallest alpha at which some single band would be left, missing answers at their worst."""
    if tested.decision is None:
        return None
    decisions = (tested.decision, *tested.bounds)
    return min(max(decision.p_for(band.name) for decision in decisions) for band in tested.decision.bands)


def _p_against(tested: Tested, band: str) -> float:
    """The p of "the parameter lies in this band", missing answers at their worst; 1 where not testable."""
    if tested.decision is None:
        return 1.0
    return max(found.p for each in (tested.decision, *tested.bounds) for found in each.bands if found.name == band)


def _audit_gate(audited: AuditResult) -> GateResult:
    """The audit as it stands among the gates."""
    return GateResult(
        name=AUDIT,
        need=f"{audited.need} of {len(audited.measures)} measures pass",
        verdict=[measure.measure for measure in audited.measures if measure.passed],
        estimate=None,
        ci=None,
        passed=audited.passed,
        reasons=[f"{measure.measure}: {', '.join(measure.failed)}" for measure in audited.measures if measure.failed],
    )


def _shut_by_audit(hypothesis: Hypothesis, audited: AuditResult | None) -> list[str]:
    """Why the audit does not let a hypothesis through that requires it: its own measure, or all of it."""
    if audited is None or AUDIT not in (hypothesis.requires or ()):
        return []
    own = next((measure for measure in audited.measures if measure.measure == hypothesis.measure), None)
    if own is None:
        return [] if audited.passed else [f"{AUDIT} needs {audited.need} measures that pass"]
    return [] if own.passed else [f"{AUDIT} of {own.measure} failed: {', '.join(own.failed[:3])}"]


def _gate_result(gate: Gate, tested: Tested) -> GateResult:
    need = gate.need
    scale = tested.scale.raw_per_unit if tested.scale else 1.0
    estimate = tested.estimate
    return GateResult(
        name=tested.id,
        need=need,
        verdict=list(tested.verdict),
        estimate=None if estimate is None else estimate.estimate / scale,
        ci=None if estimate is None else (estimate.ci_low / scale, estimate.ci_high / scale),
        passed=None if estimate is None else tested.verdict == (need,),
        reasons=[str(reason) for reason in tested.reasons],
    )


def _shut_gates(gates: Sequence[GateResult]) -> list[str]:
    """The gates that did not hold, in words."""
    return [
        f"{gate.name} needs {gate.need}, found {' or '.join(gate.verdict) or 'nothing'}"
        for gate in gates
        if gate.passed is not True
    ]


def _gated(tested: Tested, shut: list[str]) -> Tested:
    """A hypothesis whose gate did not hold keeps its numbers out of the report: it is not testable."""
    if not shut:
        return tested
    return replace(
        tested,
        estimate=None,
        decision=None,
        bounds=(),
        bound_estimates=(),
        reasons=(Reason(GATE_SHUT, "; ".join(shut)), *tested.reasons),
    )


def _families(
    data: Data,
    tested: Mapping[str, Tested],
    hypotheses: Mapping[str, Hypothesis],
    p_values: Mapping[str, float | None],
) -> tuple[dict[str, Tested], dict[str, float | None]]:
    """Correct each family; every band of a member is then judged at the level that the correction leaves it."""
    corrected = dict(tested)
    adjusted: dict[str, float | None] = {}
    for family, method in data.plan.families.items():
        members = [i for i, h in hypotheses.items() if h.family == family]
        if method == "none" or not members:
            continue
        decided = {i: p_of_any_band(tested[i]) for i in members}
        predicted = {i: p_values[i] for i in members}
        alpha = data.level_now(data.plan.inference.alpha)
        if method == DUNNETT:
            found = _against_one_control({i: tested[i] for i in members}, predicted, alpha=alpha)
        else:
            found = places(decided, predicted, alpha=alpha, method=method)
        for identity, place in found.items():
            adjusted[identity] = place.p_adjusted
            if place.p_adjusted is not None:
                corrected[identity] = redecided(tested[identity], tested[identity].alpha * place.share)
    return corrected, adjusted


def _against_one_control(
    tested: Mapping[str, Tested], predicted: Mapping[str, float | None], *, alpha: float
) -> dict[str, Place]:
    """The level that Dunnett's method leaves every arm, one and the same; alpha in equal parts if one is missing."""
    samples = {i: t.sample for i, t in tested.items() if t.sample is not None and t.estimate is not None}
    df = next((t.estimate.df for t in tested.values() if t.estimate is not None), None)
    arms = shared_control(samples, df) if df is not None and len(samples) == len(tested) else None
    share = 1 / len(tested) if arms is None else member_level(alpha, arms) / alpha
    adjusted: dict[str, float | None] = {}
    for identity, p in predicted.items():
        if p is None:
            adjusted[identity] = None
        else:
            adjusted[identity] = min(1.0, p / share) if arms is None else family_error(p, arms)
    return {identity: Place(share=share, p_adjusted=adjusted[identity]) for identity in tested}


def _claim(
    data: Data,
    claim: Claim,
    tested: Mapping[str, Tested],
    hypotheses: Mapping[str, Hypothesis],
    p_values: Mapping[str, float | None],
    *,
    audited: AuditResult | None,
) -> ClaimResult:
    left_out = _failed_audit(claim, hypotheses, audited)
    members = [m for m in claim.members if m not in left_out]
    if audited is not None and claim.audited and _too_few(members, hypotheses, audited):
        return _not_on_enough(claim, members, left_out, audited)
    parts = [
        ClaimPart(name=m, p=p_values[m], reason="; ".join(tested[m].reasons) if p_values[m] is None else "")
        for m in members
    ]
    combine = all_of if claim.all_of else any_of
    alpha = data.level_now(data.plan.inference.alpha)
    result = combine(parts, alpha=alpha)
    contradicted = [m for m in members if tested[m].verdict and hypotheses[m].predicted not in tested[m].verdict]
    # To refute "all of" one member is enough, so the members are a family; to refute "any of" takes every one.
    against = holm({m: _p_against(tested[m], hypotheses[m].predicted) for m in members}, alpha=alpha)
    refuting = [m for m in contradicted if not claim.all_of or against[m].rejected]
    reasons = [*left_out.values(), *([result.reason] if result.reason else [])]
    if result.holds:
        decision = "supported"
    elif (claim.all_of and refuting) or (contradicted and len(contradicted) == len(members)):
        decision = "not supported"
        reasons += [f"{m} ended in {' or '.join(tested[m].verdict)}" for m in refuting or contradicted]
    elif result.holds is None:
        decision = "not testable"
    else:
        decision = "undecided"
        reasons += [f"{m} leaves {' or '.join(tested[m].verdict)}" for m in members if len(tested[m].verdict) > 1]
        reasons += [
            f"{m} ended in {' or '.join(tested[m].verdict)}, which one of {len(members)} would by chance more often "
            f"than alpha"
            for m in contradicted
        ]
    return ClaimResult.model_validate(
        {
            "id": claim.id,
            "says": claim.says,
            "rule": "all_of" if claim.all_of else "any_of",
            "members": members,
            "p_value": result.p,
            "decision": decision,
            "reasons": reasons,
        }
    )


def _failed_audit(claim: Claim, hypotheses: Mapping[str, Hypothesis], audited: AuditResult | None) -> dict[str, str]:
    """Members that a claim on audited measures does not rest on -> why."""
    if audited is None or not claim.audited:
        return {}
    failed = {measure.measure for measure in audited.measures if not measure.passed}
    return {
        m: f"{m} is left out: {hypotheses[m].measure} did not pass the audit"
        for m in claim.members
        if hypotheses[m].measure in failed
    }


def _too_few(members: Sequence[str], hypotheses: Mapping[str, Hypothesis], audited: AuditResult) -> bool:
    return len({hypotheses[m].measure for m in members}) < audited.need


def _not_on_enough(claim: Claim, members: list[str], left_out: Mapping[str, str], audited: AuditResult) -> ClaimResult:
    few = f"it rests on measures that pass the audit, and needs {audited.need} of them"
    return ClaimResult(
        id=claim.id,
        says=claim.says,
        rule="all_of" if claim.all_of else "any_of",
        members=members or claim.members,
        p_value=None,
        decision="not testable",
        reasons=[few, *left_out.values()],
    )
