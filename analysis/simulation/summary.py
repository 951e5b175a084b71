"""From how simulated studies end to rates: error, power, coverage, width, and every verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.layout import Layout, Target
from seedlock.analysis.simulation.result import LookRow, Measured, RuleRow, TargetRow, Verdict, mean_of, share
from seedlock.analysis.simulation.rules import Ending, Endings, LookRule, family_of
from seedlock.analysis.simulation.truth import World, true_band
from seedlock.prereg.plan.plan import Claim, Plan

ZERO = 1e-12


def target_row(target: Target, world: World, endings: Endings, *, raw: float, point: int) -> TargetRow:
    """Summarise one target in the world made for it."""
    truth, ending = world.truth[target.id], endings.targets[target.id]
    names = target.estimand.partition.names
    true = true_band(target, truth / raw)
    done, answered = ending.done_K, ending.done_K & ending.has_answer_K
    n = int(done.sum())
    slack = 1e-9 * max(1.0, abs(truth))
    covered = (ending.low_K - slack <= truth) & (truth <= ending.high_K + slack)
    alone = _only_left(ending, names.index(target.favoured))
    wrong = ~ending.left_KB[:, names.index(true)] & answered
    is_gated = bool(target.gates) and all(name in endings.targets for name in target.gates)
    tested = answered & ending.open_K
    return TargetRow(
        id=target.id,
        kind=target.kind,
        scenario=world.scenario,
        point=point,
        truth=float(f"{truth / raw:.10g}") if abs(truth) > ZERO else 0.0,
        true_band=true,
        alpha=target.alpha,
        error=share(_count(wrong), n),
        power=share(_count(alone & tested & ending.known_K), _count(ending.known_K)),
        coverage=share(_count(covered & answered), int(answered.sum())),
        width=mean_of((ending.high_K - ending.low_K)[answered] / raw),
        refused=share(_count(done & ~ending.has_answer_K), n),
        verdicts=list(_verdicts(ending, names)),
        reason=None,
        gates_open=share(_count(ending.open_K & ending.known_K), _count(ending.known_K)) if is_gated else None,
        error_given_open=share(_count(wrong & ending.open_K & ending.known_K), _count(ending.open_K & ending.known_K))
        if is_gated
        else None,
    )


def blank_row(target: Target, scenario: str, point: int, reason: str) -> TargetRow:
    """A row without numbers, and why."""
    return TargetRow(
        id=target.id,
        kind=target.kind,
        scenario=scenario,
        point=point,
        truth=None,
        true_band=None,
        error=None,
        power=None,
        coverage=None,
        width=None,
        refused=None,
        verdicts=[],
        reason=reason,
    )


def _verdicts(ending: Ending, names: Sequence[str]) -> Iterator[Verdict]:
    """Every set of bands left that occurred, the commonest first; none where the test refuses or a gate is shut."""
    answered, n = ending.known_K & ending.has_answer_K & ending.open_K, _count(ending.known_K)
    codes_K = ending.left_KB @ (1 << np.arange(len(names)))
    codes, counts = np.unique(codes_K[answered], return_counts=True)
    for code, count in sorted(zip(codes.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0])):
        left = [name for i, name in enumerate(names) if code >> i & 1]
        yield Verdict(left=left, probability=share(count, n))


def rule_rows(
    plan: Plan, layout: Layout, world: World, endings: Endings, *, raw: Mapping[str, float], point: int
) -> Iterator[RuleRow]:
    """Claims and families whose every member this world was made for."""
    for claim in plan.claim:
        if claim.id in endings.claims and all(member in world.truth for member in claim.members):
            holds_K = endings.claims[claim.id]
            known = ~np.isnan(holds_K)
            rate = share(_count(holds_K[known] == 1), int(known.sum()))
            yield RuleRow(
                id=claim.id,
                kind="claim",
                scenario=world.scenario,
                point=point,
                rate=rate,
                reason=None,
                alpha=plan.inference.alpha if _is_false(claim, layout, world, raw) else None,
            )
    for family in plan.families:
        members = [t for t in layout.targets if family_of(t) == family]
        if members and all(t.id in world.truth and t.id in endings.targets for t in members):
            rate = _false_claims(members, world, endings, raw)
            yield RuleRow(
                id=family,
                kind="family",
                scenario=world.scenario,
                point=point,
                rate=rate,
                reason=None,
                alpha=max(t.alpha for t in members) if plan.families[family] in {"holm", "dunnett"} else None,
            )


def _is_false(claim: Claim, layout: Layout, world: World, raw: Mapping[str, float]) -> bool:
    """Whether what a claim says is not so in this world."""
    members = [t for t in layout.targets if t.id in claim.members]
    wrong = [true_band(t, world.truth[t.id] / raw[t.id]) != t.favoured for t in members]
    return any(wrong) if claim.all_of else all(wrong)


def _false_claims(members: Sequence[Target], world: World, endings: Endings, raw: Mapping[str, float]) -> Measured:
    done = np.all([endings.targets[t.id].known_K for t in members], axis=0)
    wrong = np.zeros(len(done), dtype=bool)
    for t in members:
        if true_band(t, world.truth[t.id] / raw[t.id]) == t.favoured:
            continue
        ending = endings.targets[t.id]
        wrong |= _only_left(ending, t.estimand.partition.names.index(t.favoured)) & ending.has_answer_K & ending.open_K
    return share(_count(wrong & done), int(done.sum()))


def look_rows(rules: Sequence[LookRule], world: World, endings: Endings, *, point: int) -> Iterator[LookRow]:
    """Share of studies that get as far as each look after the first."""
    for rule in rules[1:]:
        if rule.seeds is not None:
            reached = share(_count(endings.look_K >= rule.place), len(endings.look_K))
            yield LookRow(seeds=rule.seeds, scenario=world.scenario, point=point, reached=reached)


def joined(parts: Sequence[Endings]) -> Endings:
    """Batches of studies as one."""
    first = parts[0]
    return Endings(
        targets={
            name: Ending(
                **{
                    field: np.concatenate([getattr(part.targets[name], field) for part in parts])
                    for field in Ending.__dataclass_fields__
                }
            )
            for name in first.targets
        },
        claims={name: np.concatenate([part.claims[name] for part in parts]) for name in first.claims},
        look_K=np.concatenate([part.look_K for part in parts]),
    )


def _only_left(ending: Ending, place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(ending.left_KB[:, place] & (ending.left_KB.sum(axis=1) == 1))


def _count(hits: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | FloatArray) -> int:
    return int(np.count_nonzero(hits))
