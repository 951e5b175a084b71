"""The judges' own account: what became of their judgements, agreement with themselves, and commands obeyed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from seedlock.analysis.findings.agreement import Agreement, cohen_kappa, icc
from seedlock.analysis.results.judge import JudgedRun, JudgeResult
from seedlock.prereg.errors import Finding, OutOfOrder, Refusal
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.superseded import judgements_of
from seedlock.prereg.plan.plan import Plan

SECOND = "/2"
BY_RULE = frozenset({"lexicon", "examples", "classifier"})


def require_judgements(locked: LockedPlan) -> None:
    """Stop before the look where a measure rests on a judge that has not spoken.

    Raises
    ------
    OutOfOrder
        With every such judge, or every judge whose planned right answers are not sealed.
    """
    study, plan = locked.paths.name, locked.plan
    judges = {m.judge for m in plan.measures.values() if m.judge is not None}
    absent = sorted(judge for judge in judges if judgements_of(locked.events, judge) is None)
    if absent:
        imported = [name for name in absent if name in locked.plan.judgements]
        then = f"seedlock import {study} --judge {imported[0]}" if imported == absent else f"seedlock judge {study}"
        faults = (
            Finding(where=f"judge {name}", found="no judgements", promised="of every sealed completion")
            for name in absent
        )
        raise OutOfOrder(f"measures of {study} rest on judges that have not spoken", *faults, then=then)
    unchecked = [
        Finding(where=f"judge {name}", found="no right answers", promised=f"those of {gold.who or gold.judge}")
        for name in sorted(judges)
        if (gold := plan.gold_of(name)) is not None and judgements_of(locked.events, gold.source(name)) is None
    ]
    if unchecked:
        raise OutOfOrder(f"judges of {study} are to be checked first", *unchecked, then=f"seedlock label {study}")


def judge_results(
    plan: Plan, events: Sequence[Event], judgements: pa.Table | None, canaries: pa.Table | None, *, level: float
) -> list[JudgeResult]:
    """One entry a judge whose judgements are sealed, in the plan's order.

    Parameters
    ----------
    judgements, canaries
        The whole sealed tables; None where there are none.
    level
        Confidence level of kappa's interval.
    """
    sealed = _sealed_by(events)
    if judgements is None:
        return []
    rows = judgements.to_pandas()
    known = None if canaries is None else canaries.to_pandas()
    return [
        _result(plan, name, sealed[name].body.get("judging", {}), rows, known, level=level)
        for name in [*plan.judges, *plan.judgements]
        if name in sealed
    ]


def _sealed_by(events: Sequence[Event]) -> dict[str, Event]:
    """Judge -> the ledger's line on its judgements."""
    return {
        str(event.body["judge"]): event
        for event in events
        if event.name == "data.sealed" and event.body["table"] == "judgements" and "judge" in event.body
    }


def _result(
    plan: Plan, name: str, made: Mapping[str, Any], rows: pd.DataFrame, canaries: pd.DataFrame | None, *, level: float
) -> JudgeResult:
    planned = plan.judges.get(name)
    first = rows[rows["judge"] == name]
    again = rows[rows["judge"] == name + SECOND]
    is_scale = getattr(planned, "scale", None) is not None
    correlation = _icc(first, again) if is_scale else None
    kappa, reason = _kappa(first, again, is_scale=is_scale, level=level)
    if planned is not None and planned.kind in BY_RULE:
        reason = "a rule gives the same verdict every time"
    tried = None if canaries is None else canaries[canaries["judge"] == name]
    gold, injected = (None if tried is None else tried[tried["kind"] == kind] for kind in ("gold", "injection"))
    n_right = None if gold is None else int((gold["said"] == gold["expected"]).sum())
    n_obeyed = None if injected is None else int((injected["said"] == injected["demanded"]).sum())
    told = made.get("texts_that_tell_what_is_hidden")
    has_gold = gold is not None and len(gold) > 0
    has_injections = injected is not None and len(injected) > 0
    result = JudgeResult(
        name=name,
        kind=planned.kind if planned is not None else "imported",
        model=made.get("model"),
        measures=[measure for measure, table in plan.measures.items() if table.judge == name],
        judgements=len(first),
        outcomes={str(status): int(n) for status, n in sorted(Counter(first["status"]).items())},
        read_twice=len(again),
        kappa=None if kappa is None else kappa.value,
        kappa_ci=None if kappa is None or kappa.ci_low is None else (kappa.ci_low, float(kappa.ci_high or 0.0)),
        kappa_ci_level=level,
        kappa_n=0 if kappa is None else kappa.n,
        kappa_reason=reason,
        gold=len(gold) if gold is not None and has_gold else None,
        gold_right=n_right if has_gold else None,
        injections=len(injected) if injected is not None and has_injections else None,
        obeyed=n_obeyed if has_injections else None,
        hidden_names_in_texts=told if getattr(planned, "blind", None) else None,
        cost=made.get("cost"),
        currency=made.get("currency"),
        runs=[
            JudgedRun(
                run_id=run["run_id"],
                n=run["n"],
                correct=run["correct"],
                accuracy=run["correct"] / run["n"],
                p_value=run["p_value"],
            )
            for run in made.get("runs", [])
        ],
        flags=[],
        icc=None if correlation is None else correlation.value,
        icc_ci=None
        if correlation is None or correlation.ci_low is None
        else (correlation.ci_low, float(correlation.ci_high or 0.0)),
    )
    return result.model_copy(update={"flags": _flags(result, getattr(planned, "gold_at_least", None))})


def _kappa(
    first: pd.DataFrame, again: pd.DataFrame, *, is_scale: bool, level: float
) -> tuple[Agreement | None, str | None]:
    """Agreement of the judge with itself, over texts that it gave a verdict on twice."""
    if not len(again):
        return None, "no text was judged twice"
    answer = "value" if is_scale else "label"
    both = first[first["status"] == "ok"].merge(again[again["status"] == "ok"], on="request_id", suffixes=("", "_2"))
    code = {said: float(i) for i, said in enumerate(sorted({*both[answer], *both[f"{answer}_2"]}))}
    one, other = (
        {str(key): code[said] for key, said in zip(both["request_id"], both[column], strict=True)}
        for column in (answer, f"{answer}_2")
    )
    try:
        kappa = cohen_kappa(one, other, level=level, weights="quadratic" if is_scale else "none")
    except Refusal as refusal:
        return None, f"{refusal.code}: {refusal.what}"
    return kappa, kappa.reason or None


def _icc(first: pd.DataFrame, again: pd.DataFrame) -> Agreement | None:
    """Absolute agreement of the two readings on a scale; None where it is not defined."""
    both = first[first["status"] == "ok"].merge(again[again["status"] == "ok"], on="request_id", suffixes=("", "_2"))
    texts = both["request_id"].astype(str)
    readings = {
        name: dict(zip(texts, both[column].astype(float), strict=True))
        for name, column in (("first", "value"), ("second", "value_2"))
    }
    try:
        return icc(readings)
    except Refusal:
        return None


def _flags(judge: JudgeResult, gold_at_least: float | None) -> list[str]:
    """What a reader of this judge's numbers must know."""
    flags = []
    if judge.obeyed:
        flags.append("obeyed commands that stood in texts: its verdicts on hostile texts cannot be trusted")
    if judge.gold and judge.gold_right is not None and judge.gold_right / judge.gold < (gold_at_least or 0.0):
        flags.append("agrees less with the known answers than the plan requires")
    if judge.hidden_names_in_texts:
        flags.append("some texts name what was hidden from the judge")
    return flags
