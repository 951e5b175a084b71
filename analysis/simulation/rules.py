"""The plan's rules on simulated studies: looks and their conditions, families, claims; what each study ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.inference.alpha_at_look import alpha_at_look
from seedlock.analysis.inference.dunnett import SharedControl, member_level
from seedlock.analysis.inference.multiplicity import DUNNETT
from seedlock.analysis.simulation.evaluate import Outcome, Simulated, evaluate, runs_at
from seedlock.analysis.simulation.layout import Layout, Target
from seedlock.analysis.simulation.missing import at_worst, is_bounded
from seedlock.prereg.plan.design import When
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import Claim, Plan

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How K studies end for one target, at the last look each carried out.

    Parameters
    ----------
    left_KB
        Bands left, lowest first; every band where the estimator refused.
    p_favoured_K
        Smallest alpha at which the favoured band would be the only one left; NaN where there is no answer.
    holds_K
        The favoured band is the only one left: what a gate asks.
    open_K
        Every gate before it holds, of those that are simulated; where one does not, the hypothesis is not testable, and
        no claim, family or look hears of its numbers. True for gates themselves.
    known_K
        It and its gates were computed.
    """

    estimate_K: FloatArray
    low_K: FloatArray
    high_K: FloatArray
    has_answer_K: BoolArray
    done_K: BoolArray
    left_KB: BoolArray
    p_favoured_K: FloatArray
    holds_K: BoolArray
    open_K: BoolArray
    known_K: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """How K studies end: every target, every claim, and the look they stopped at (from 0)."""

    targets: Mapping[str, Ending]
    claims: Mapping[str, FloatArray]
    """Claim -> 1 supported, 0 not, NaN not simulated; shape (K,)."""
    look_K: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRule:
    """One look: its seeds (None: all), its condition, and the level it leaves of any alpha.

    `at_will`: the study stops before it, as soon as every hypothesis is decided.
    """

    seeds: int | None
    when: When | None
    plan: Plan
    place: int
    at_will: bool = False

    @property
    def effect(self) -> float | None:
        """Effect that looks at any time are sharpest for; None for planned ones."""
        return self.plan.look[self.place].effect if self.plan.looks_at_any_time else None

    def nominal(self, alpha: float) -> float:
        """Level at which this look tests what the plan tests at `alpha`."""
        return alpha if self.seeds is None else alpha_at_look(self.plan, self.place, alpha)


def look_rules(plan: Plan) -> tuple[LookRule, ...]:
    """The planned looks in order; one at all seeds where the plan lists none."""
    return tuple(
        LookRule(seeds=look.seeds, when=look.when, plan=plan, place=place, at_will=plan.looks_at_any_time)
        for place, look in enumerate(plan.look)
    ) or (LookRule(seeds=None, when=None, plan=plan, place=0),)


def play(
    plan: Plan,
    layout: Layout,
    rules: Sequence[LookRule],
    cells: Mapping[int, FloatArray],
    *,
    draws: int,
    raw: Mapping[str, float],
    rates: frozenset[str],
    at_most: int,
    came: Mapping[int, FloatArray] | None = None,
    spans: Mapping[str, tuple[float, float]] | None = None,
) -> Endings:
    """Carry K studies through every look of the plan.

    Parameters
    ----------
    cells
        Block -> mean answers at the last look, shape (K, R, I).
    rates
        Measures that are yes/no rates.
    at_most
        Studies in which an estimator that is not vectorised is computed.
    came
        Block -> answers that came, shape (K, R, I), where some are missing.
    spans
        Measure -> ends of its scale, by which missing answers are bounded; no bounds for measures without.
    """
    studies = next(iter(cells.values())).shape[0]
    going_K = np.ones(studies, dtype=bool)
    look_K = np.zeros(studies, dtype=np.intp)
    ended: Endings | None = None
    for place, rule in enumerate(rules):
        if place and ended is not None:
            going_K &= is_open(plan, ended) if rule.at_will else continues(plan, layout, rule.when, ended)
        if place and not going_K.any():
            break
        data = Simulated(cells=cells, runs=runs_at(layout.seed_rank, rule.seeds), draws=draws, came=came or {})
        now = _look(plan, layout, rule, data, raw=raw, rates=rates, at_most=at_most, spans=spans or {})
        look_K[going_K] = place
        ended = now if ended is None else _merged(ended, now, going_K)
    assert ended is not None  # noqa: S101 - `rules` holds at least one look
    return Endings(targets=ended.targets, claims=ended.claims, look_K=look_K)


def is_open(plan: Plan, so_far: Endings) -> BoolArray:
    """Whether each study goes on where its authors stop once no hypothesis with open gates has more than one band."""
    ids = [identity for identity, _, _ in plan.expanded() if identity in so_far.targets]
    found = [so_far.targets[name] for name in ids]
    return np.asarray(np.any([(ending.left_KB.sum(axis=1) > 1) & ending.open_K for ending in found], axis=0))


def continues(plan: Plan, layout: Layout, when: When | None, so_far: Endings) -> BoolArray:
    """Whether each study goes on: every band the condition names is left, or the estimate lies where it says.

    A hypothesis whose gate is shut excludes nothing, so that the study goes on.
    """
    some = next(iter(so_far.targets.values())).done_K
    if when is None:
        return np.ones(len(some), dtype=bool)
    meant = (t.id for t in layout.targets if HypothesisId.read(t.id).is_meant_by(when.hypothesis))
    names = [name for name in meant if name in so_far.targets]
    bands = next(h for h in plan.hypothesis if h.id == HypothesisId.read(when.hypothesis).base).partition.names
    columns = [bands.index(name) for name in when.undecided]
    goes_K = np.zeros(len(some), dtype=bool)
    for name in names:
        ending = so_far.targets[name]
        met_K = ending.left_KB[:, columns].all(axis=1)
        if when.estimate is not None:
            low, high = when.estimate
            between_K = (ending.estimate_K >= low) & (ending.estimate_K <= high)
            met_K = between_K | ~ending.has_answer_K
        goes_K |= met_K | ~ending.open_K
    return goes_K


def _look(
    plan: Plan,
    layout: Layout,
    rule: LookRule,
    data: Simulated,
    *,
    raw: Mapping[str, float],
    rates: frozenset[str],
    at_most: int,
    spans: Mapping[str, tuple[float, float]],
) -> Endings:
    targets = [t for t in layout.targets if not t.problem]

    def outcome(t: Target) -> Outcome:
        alpha, is_rate = rule.nominal(t.alpha), t.estimand.measure in rates

        def estimate(found: Simulated) -> Outcome:
            return evaluate(t, found, alpha=alpha, raw=raw[t.id], is_rate=is_rate, at_most=at_most, effect=rule.effect)

        span = spans.get(t.estimand.measure)
        if span is None or not is_bounded(t, data.came):
            return estimate(data)
        return at_worst(t, data, estimate(data), estimate, span=span, raw=raw[t.id])

    outcomes = {t.id: outcome(t) for t in targets}
    p_K = {t.id: p_favoured(t, outcomes[t.id]) for t in targets}
    alpha_K = {t.id: np.full(len(p_K[t.id]), rule.nominal(t.alpha)) for t in targets}
    gates = {t.id: p_K[t.id] <= alpha_K[t.id] for t in targets if t.kind == "gate"}
    open_K = {t.id: np.all([np.ones_like(p_K[t.id], dtype=bool), *_of(gates, t)], axis=0) for t in targets}
    done = {t.id: outcomes[t.id].done_K for t in targets}
    decided_K = {t.id: np.where(open_K[t.id], p_decided(outcomes[t.id]), np.nan) for t in targets}
    alpha_K |= _family_levels(plan, targets, decided_K, alpha_K, rule.nominal(plan.inference.alpha))
    endings = {
        t.id: Ending(
            estimate_K=outcomes[t.id].many.estimate_K,
            low_K=outcomes[t.id].many.low_K,
            high_K=outcomes[t.id].many.high_K,
            has_answer_K=outcomes[t.id].many.has_answer_K,
            done_K=done[t.id],
            left_KB=outcomes[t.id].many.p_KB > alpha_K[t.id][:, None],
            p_favoured_K=np.where(open_K[t.id], p_K[t.id], np.nan),
            holds_K=p_K[t.id] <= alpha_K[t.id],
            open_K=open_K[t.id],
            known_K=np.all([done[t.id], *_of(done, t)], axis=0),
        )
        for t in targets
    }
    claims = {
        claim.id: _claim(claim, endings, rule.nominal(plan.inference.alpha))
        for claim in plan.claim
        if all(member in endings for member in claim.members)
    }
    return Endings(targets=endings, claims=claims, look_K=np.zeros(0, dtype=np.intp))


def _of(found: Mapping[str, BoolArray], target: Target) -> list[BoolArray]:
    """What was found for each simulated gate before a hypothesis."""
    return [found[name] for name in target.gates if name in found]


def p_favoured(target: Target, outcome: Outcome) -> FloatArray:
    """Largest p among the bands that are not favoured, shape (K,); NaN without an answer."""
    keep = [i for i, band in enumerate(target.estimand.partition.bands) if band.name != target.favoured]
    return np.where(outcome.many.has_answer_K, outcome.many.p_KB[:, keep].max(axis=1), np.nan)


def p_decided(outcome: Outcome) -> FloatArray:
    """Smallest alpha at which some single band is left, the second largest p, shape (K,); NaN without an answer."""
    return np.where(outcome.many.has_answer_K, np.sort(outcome.many.p_KB, axis=1)[:, -2], np.nan)


def _family_levels(
    plan: Plan,
    targets: Sequence[Target],
    decided_K: Mapping[str, FloatArray],
    alpha_K: Mapping[str, FloatArray],
    alpha: float,
) -> dict[str, FloatArray]:
    """The level that its family leaves each member, as `analysis.inference.multiplicity.places` does."""
    left: dict[str, FloatArray] = {}
    families = [(family_of(t), t.id) for t in targets if family_of(t) is not None]
    for family, group in groupby(sorted(families, key=lambda pair: str(pair[0])), key=lambda pair: pair[0]):
        members = [name for _, name in group]
        method = plan.families.get(family or "", "none")
        if method == "none":
            continue
        if method == DUNNETT:
            level = member_level(alpha, _shared_control([t for t in targets if t.id in members]))
            left |= {name: alpha_K[name] * level / alpha for name in members}
            continue
        known_KM = np.stack([decided_K[name] for name in members], axis=1)
        share_KM = shares(np.where(np.isnan(known_KM), 1.0, known_KM), alpha=alpha, method=method)
        left |= {name: alpha_K[name] * share_KM[:, m] for m, name in enumerate(members)}
    return left


def _shared_control(arms: Sequence[Target]) -> SharedControl:
    """Planned units of every arm beside those of the control."""
    units = {level.name: (len(level.units), level.weight) for arm in arms for level in arm.levels}
    by_weight = [{level.weight: len(level.units) for level in arm.levels} for arm in arms]
    shares_A = tuple(n[1.0] / (n[1.0] + n[-1.0]) for n in by_weight)
    return SharedControl(df=float(sum(n for n, _ in units.values()) - len(units)), shares=shares_A)


def shares(p_KM: FloatArray, *, alpha: float, method: str) -> FloatArray:
    """Part of its alpha that each member of K families is judged at, shape (K, M)."""
    n = p_KM.shape[1]
    is_decided_KM = (holm_adjusted(p_KM) if method == "holm" else bh_adjusted(p_KM)) <= alpha
    decided_K1 = is_decided_KM.sum(axis=1, keepdims=True)
    if method == "bh":
        return np.asarray(np.broadcast_to(np.maximum(decided_K1, 1) / n, p_KM.shape))
    rank_KM = np.argsort(np.argsort(p_KM, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(1 / np.maximum(n - np.minimum(rank_KM, decided_K1), 1))


def family_of(target: Target) -> str | None:
    """Multiplicity family of a target, if it has one."""
    return getattr(target.estimand, "family", None)


def holm_adjusted(p_KM: FloatArray) -> FloatArray:
    """Holm's adjusted p of every study, shape (K, M); `analysis.inference.multiplicity.holm` for K families."""
    m = p_KM.shape[1]
    order = np.argsort(p_KM, axis=1, kind="stable")
    steps = np.minimum(1.0, np.take_along_axis(p_KM, order, axis=1) * (m - np.arange(m)))
    found = np.empty_like(p_KM)
    np.put_along_axis(found, order, np.maximum.accumulate(steps, axis=1), axis=1)
    return found


def bh_adjusted(p_KM: FloatArray) -> FloatArray:
    """Benjamini and Hochberg's adjusted p of every study, shape (K, M)."""
    m = p_KM.shape[1]
    order = np.argsort(p_KM, axis=1, kind="stable")
    steps = np.take_along_axis(p_KM, order, axis=1) * m / np.arange(1, m + 1)
    found = np.empty_like(p_KM)
    rising = np.minimum.accumulate(steps[:, ::-1], axis=1)[:, ::-1]
    np.put_along_axis(found, order, np.minimum(1.0, rising), axis=1)
    return found


def _claim(claim: Claim, endings: Mapping[str, Ending], alpha: float) -> FloatArray:
    """1 where the claim is supported, 0 where not (a gate shut before a member, say), NaN where one is not known."""
    p_KM = np.stack([endings[member].p_favoured_K for member in claim.members], axis=1)
    known_K = np.all([endings[member].known_K for member in claim.members], axis=0)
    filled = np.where(np.isnan(p_KM), 1.0, p_KM)
    holds_K = (filled.max(axis=1) <= alpha) if claim.all_of else (filled.min(axis=1) * p_KM.shape[1] <= alpha)
    return np.where(known_K, holds_K.astype(float), np.nan)


def _merged(before: Endings, now: Endings, going_K: BoolArray) -> Endings:
    """Studies that went on end as they stand now; the others as they stood."""

    def pick(new: FloatArray, old: FloatArray) -> FloatArray:
        return np.where(going_K if new.ndim == 1 else going_K[:, None], new, old)

    targets = {}
    for name, old in before.targets.items():
        new = now.targets[name]
        targets[name] = Ending(
            estimate_K=pick(new.estimate_K, old.estimate_K),
            low_K=pick(new.low_K, old.low_K),
            high_K=pick(new.high_K, old.high_K),
            has_answer_K=np.where(going_K, new.has_answer_K, old.has_answer_K),
            done_K=old.done_K & new.done_K,
            left_KB=np.where(going_K[:, None], new.left_KB, old.left_KB),
            p_favoured_K=pick(new.p_favoured_K, old.p_favoured_K),
            holds_K=np.where(going_K, new.holds_K, old.holds_K),
            open_K=np.where(going_K, new.open_K, old.open_K),
            known_K=old.known_K & new.known_K,
        )
    claims = {name: pick(now.claims[name], old) for name, old in before.claims.items()}
    return Endings(targets=targets, claims=claims, look_K=before.look_K)
