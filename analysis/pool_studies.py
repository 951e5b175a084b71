"""Every number of a synthesis, from its locked plan, the ledgers of its studies and their sealed results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.analysis.inference.random_effects import Pooled
from seedlock.analysis.inference.synthesis import (
    METHODS,
    SILENT,
    Gathered,
    Mean,
    Told,
    bands_of,
    gather,
    mean_of,
    registered_of,
    spread_of,
)
from seedlock.analysis.results.synthesis import PooledEffect, Spread, SynthesisResults
from seedlock.prereg.base.canonical import Sha256, read_json
from seedlock.prereg.base.tool import tool_version
from seedlock.prereg.english import counted
from seedlock.prereg.errors import Finding, Incomplete
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.looks import looks_used
from seedlock.prereg.lock.synthesis import LockedSynthesisPlan, events_until, registered, state_of

CANNOT_KNOW = [
    "studies that were never locked, or are locked in a repository other than this one",
    "whether the studies are a sample of those that one wants to speak of: they were chosen",
    "results that somebody learned of before a look at them was entered in a ledger",
]

type Heads = Mapping[str, Sha256 | None]
type Read = Callable[[str, Sha256], bytes]


def require_reported(locked: LockedSynthesisPlan, heads: Heads) -> None:
    """Refuse before anything is looked at, where a study has nothing to pool and the plan does not go on without.

    Raises
    ------
    Incomplete
        With one finding a study.
    """
    root, plan = locked.paths.root, locked.plan
    stands = {study: state_of(events_until(root, study, heads.get(study))) for study in plan.studies}
    silent = {study: state for study, state in stands.items() if state != "reported"}
    if silent and (plan.accept.absent == "refuse" or len(silent) == len(stands)):
        raise Incomplete(
            f"{counted(len(silent), 'study', 'studies')} of {locked.paths.name} cannot be pooled",
            *(Finding(where=study, found=state, promised="a report") for study, state in silent.items()),
            then=_then(locked),
        )


def _then(locked: LockedSynthesisPlan) -> str:
    name = locked.paths.name
    amend = f"seedlock amend {name} --reason data-unavailable --note 'what is not there'"
    return f'wait for the reports;  or set  accept.absent = "leave out"  in its plan, and  {amend}'


def told_by(root: Path, plan_studies: Sequence[str], heads: Heads, read: Read) -> dict[str, Told]:
    """What each study had published, by its ledger up to a line.

    Parameters
    ----------
    heads
        Study -> digest of the ledger line up to which it is read.
    read
        Study and digest -> bytes of its results.json.
    """
    return {study: _told(study, events_until(root, study, heads.get(study)), read) for study in plan_studies}


def _told(study: str, events: Sequence[Event], read: Read) -> Told:
    ended = next((e for e in events if e.name == "plan.withdrawn"), None)
    if ended is not None:
        return Told(results=None, sha256=None, lock_id=None, against=f"withdrawn: {ended.body['reason']}")
    built = next((event for event in reversed(events) if event.name == "report.built"), None)
    if built is None:
        return Told(results=None, sha256=None, lock_id=None, against="locked, and never reported")
    digest = str(built.body["results_sha256"])
    results: Any = read_json(read(study, digest))
    return Told(results=results, sha256=digest, lock_id=str(built.body["lock_id"]))


def compute(locked: LockedSynthesisPlan, heads: Heads, read: Read, *, before: Sequence[Event]) -> SynthesisResults:
    """Pool what the plan names.

    Parameters
    ----------
    before
        The synthesis's own ledger, up to and with the look that this is.

    Raises
    ------
    Incomplete
        An effect is not there, and the plan refuses to go on without.
    BadInput
        Effects of different units, or of the same data.
    """
    plan, root = locked.plan, locked.paths.root
    gathered = gather(plan, locked.made.effects, told_by(root, plan.studies, heads, read))
    if gathered.left_out and plan.accept.absent == "refuse":
        raise Incomplete(
            f"{counted(len(gathered.left_out), 'effect')} of {locked.paths.name} cannot be pooled",
            *(Finding(where=f"effect {one.name}", found=one.why, promised="an estimate") for one in gathered.left_out),
            then=_then(locked),
        )
    return _results(locked, heads, gathered, mean_of(plan, gathered), before)


def _results(
    locked: LockedSynthesisPlan, heads: Heads, gathered: Gathered, mean: Mean, before: Sequence[Event]
) -> SynthesisResults:
    plan, pooled, decision = locked.plan, mean.pooled, mean.decision
    weights = pooled.weights_J if pooled else (0.0,) * len(gathered.effects)
    effects = [e.model_copy(update={"weight": w}) for e, w in zip(gathered.effects, weights, strict=True)]
    limits = (-1.0, 1.0) if gathered.is_difference else (0.0, 1.0)
    ends = limits if gathered.is_proportion else None
    spread = None if pooled is None else _cut_spread(spread_of(pooled, plan.synthesis.of), ends)
    all_registered = registered_of(plan, registered(locked.paths.root, heads))
    status, reasons = _status(locked, effects, before)
    return SynthesisResults(
        synthesis=locked.paths.name,
        title=plan.synthesis.title,
        question=plan.synthesis.question,
        include=plan.synthesis.include,
        of=plan.synthesis.of,
        claim=plan.decision.claim,
        predicted=plan.decision.predicted,
        lock_id=locked.lock_id,
        lock_n=locked.lock.n,
        status=status,
        status_reasons=reasons,
        unit_text=gathered.unit_text,
        is_proportion=gathered.is_proportion,
        is_difference=gathered.is_difference,
        effects=effects,
        left_out=list(gathered.left_out),
        registered=all_registered,
        silent=[f"{one.study}: {one.state}" for one in all_registered if one.state in SILENT],
        k=len(effects),
        estimate=None if pooled is None else pooled.estimate,
        se=None if pooled is None else pooled.se,
        df=None if pooled is None else pooled.df,
        ci=None if pooled is None else _cut(pooled.ci, ends),
        ci_level=1 - 2 * plan.decision.alpha,
        ci_method=_method(METHODS[plan.decision.interval], pooled, ends),
        p_value=None if decision is None else decision.p_for(plan.decision.predicted),
        alpha=plan.decision.alpha,
        bands=bands_of(plan, decision),
        verdict=[] if decision is None else list(decision.verdict),
        decision=f"not testable: {mean.reasons[0]}" if decision is None else decision.decision,
        spread=spread,
        others=[one.model_copy(update={"ci": _cut(one.ci, ends)}) for one in mean.others],
        reasons=list(mean.reasons),
        sentences=[],
        known=plan.synthesis.known,
        caveats=plan.synthesis.caveats,
        amendments=len(locked.locks) - 1,
        looks_used=looks_used(before),
        cannot_know=CANNOT_KNOW,
        tool_version=tool_version(),
    )


def _cut(interval: tuple[float, float], ends: tuple[float, float] | None) -> tuple[float, float]:
    """Cut an interval to the values that a rate or a difference of rates can take."""
    return interval if ends is None else (max(interval[0], ends[0]), min(interval[1], ends[1]))


def _cut_spread(spread: Spread, ends: tuple[float, float] | None) -> Spread:
    if spread.prediction is None:
        return spread
    return spread.model_copy(update={"prediction": _cut(spread.prediction, ends)})


def _method(words: str, pooled: Pooled | None, ends: tuple[float, float] | None) -> str:
    if pooled is None:
        return words
    is_cut = _cut(pooled.ci, ends) != pooled.ci
    return f"{words}; t, {pooled.df} df" + (", cut at the end of the scale" if is_cut else "")


def _status(
    locked: LockedSynthesisPlan, effects: Sequence[PooledEffect], before: Sequence[Event]
) -> tuple[Status, list[str]]:
    """What the synthesis may call itself; every step can only lower it."""
    stood = [effect for lock in locked.locks if lock.synthesis is not None for effect in lock.synthesis.effects]
    if known := list(dict.fromkeys(effect.study for effect in stood if effect.was_looked_at)):
        said = [f"somebody had looked at the data of {study} before the plan was locked" for study in known]
        return "retrospective", said
    reasons = [f"{e.study} was amended after the plan was locked" for e in effects if e.amended]
    late = [e for e in before if e.name == "plan.amended" and e.body["data_seen"] != "none"]
    reasons += [f"the plan was amended after a look: {e.body.get('note', e.body['reason'])}" for e in late]
    return ("deviated" if reasons else "confirmatory"), list(dict.fromkeys(reasons))
