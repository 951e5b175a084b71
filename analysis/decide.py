"""What decides: from sealed tables to every number and verdict of results.json. Locked; words nothing."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa

from seedlock.analysis.bayes.models import Engine
from seedlock.analysis.bayes.posteriors import Posterior, posteriors
from seedlock.analysis.bayes.rating_counts import count_scores, rated_measures
from seedlock.analysis.findings.cells import cell_results
from seedlock.analysis.findings.gate_correlation import correlated_gates
from seedlock.analysis.findings.hypothesis import hypothesis_result
from seedlock.analysis.findings.judge_agreement import judge_agreements
from seedlock.analysis.findings.judges import judge_results
from seedlock.analysis.findings.missing_answers import missing_by_arm
from seedlock.analysis.findings.multiverse import multiverse
from seedlock.analysis.findings.sample_answers import draw_samples, words_asked
from seedlock.analysis.findings.software import software_used
from seedlock.analysis.findings.training_examples import training_examples
from seedlock.analysis.inference.continuation_rule import look_result
from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.infer import Inference, infer
from seedlock.analysis.inference.reason import GATE_SHUT
from seedlock.analysis.inference.replication import replication_result
from seedlock.analysis.inside.cells import InsideCells, inside_cells, items_by_set
from seedlock.analysis.inside.frame import Inside, inside_of
from seedlock.analysis.inside.summary import inside_results
from seedlock.analysis.results.inside import InsideResult
from seedlock.analysis.results.judge import JudgeResult
from seedlock.analysis.results.replication import ReplicationResult
from seedlock.analysis.results.schema import (
    Accounting,
    DeviationResult,
    HypothesisResult,
    InputResult,
    NearCopies,
    Numbers,
)
from seedlock.analysis.scoring.duplicate_runs import duplicated_runs
from seedlock.analysis.scoring.gold import gold_scores
from seedlock.analysis.scoring.item_sets import average_orders, plan_measures, with_sets
from seedlock.analysis.scoring.near_copies import likeness_of_runs
from seedlock.analysis.scoring.owed import (
    Debts,
    Owed,
    counts_with_owed,
    due_frame,
    grid_of,
    judged_by_choice,
    with_owed,
)
from seedlock.analysis.scoring.scores import NamedMeasure, cells_of_counts, cells_of_scores, describe_cells, score_rows
from seedlock.analysis.scoring.ties import count_ties
from seedlock.analysis.sealed import Sealed
from seedlock.prereg.errors import Finding, Incomplete
from seedlock.prereg.lock.due_runs import due_runs, look_at, looks_passed_over, missing_runs, runs_with_data
from seedlock.prereg.lock.gate import (
    LockedPlan,
    deviated_plan,
    status_of,
)
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.looks import looks_used
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import Hypothesis, Plan
from seedlock.schemas.table import to_frame

PAIRS_SHOWN = 5
"""Pairs of runs in results.json, the most alike first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Every number and verdict, and the posteriors that figures are drawn from."""

    numbers: Numbers
    posteriors: Mapping[str, Posterior]


def decide(locked: LockedPlan, sealed: Sealed, engine: Engine = "seedlock") -> Decided:
    """Every number of the report; reads sealed data and the ledger, writes nothing."""
    plan = locked.plan
    data = load_data(plan, sealed)
    inference = infer(data)
    hypotheses = {identity: h for identity, h, _ in plan.expanded()}
    found = posteriors(data, inference.tested, hypotheses, engine=engine)
    entries = [
        hypothesis_result(identity, h, inference, found[identity].result if identity in found else None, data)
        for identity, h in hypotheses.items()
    ]
    events = tuple(read_ledger(locked.paths.ledger))
    judges = _judges(locked, sealed)
    return Decided(
        numbers=Numbers(
            study=locked.paths.name,
            title=plan.study.title,
            question=plan.study.question,
            lock_id=locked.lock_id,
            lock_n=locked.lock.n,
            status=status_of(locked.locks, events, plan),
            status_reasons=_status_reasons(locked),
            hypotheses=_with_deviations(locked, sealed, entries),
            claims=list(inference.claims),
            cells=cell_results(data),
            gates=correlated_gates(data, inference),
            deviations=[
                DeviationResult(
                    pointer=d.pointer,
                    before=d.before,
                    after=d.after,
                    reason=d.reason,
                    effect=d.effect,
                    hypotheses=list(d.hypotheses),
                    at=d.at,
                )
                for d in locked.deviations
            ],
            accounting=_accounting(locked, data, entries, _near_copies(sealed)),
            samples=_samples(locked, sealed),
            training_examples=training_examples(plan, locked.paths.study),
            inputs=[
                InputResult(table=t.table, path=f"data/{t.path.name}", sha256=t.sha256, rows=t.rows)
                for t in sealed.tables
            ],
            multiverse=multiverse(data, shut=_shut(inference)),
            inside=_inside_in_brief(plan, sealed, data),
            audit=inference.audit,
            replication=_replication(locked, entries),
            judges=judges,
            agreements=(agreements := judge_agreements(sealed.whole("judgements"), level=_level(locked))),
            software=software_used(entries, judges, agreements),
            known=list(plan.study.known),
            caveats=list(plan.study.caveats),
            next_steps=list(plan.study.next_steps),
        ),
        posteriors=found,
    )


def _replication(locked: LockedPlan, entries: list[HypothesisResult]) -> ReplicationResult | None:
    """What the original promised by the lock, beside what was found; None of a study that replicates none."""
    promised = locked.lock.replication
    return None if promised is None else replication_result(promised, locked.paths, entries)


def _judges(locked: LockedPlan, sealed: Sealed) -> list[JudgeResult]:
    """What became of every judge's judgements."""
    tables = (sealed.whole("judgements"), sealed.whole("canaries"))
    return judge_results(locked.plan, locked.events, *tables, level=_level(locked))


def _level(locked: LockedPlan) -> float:
    """Confidence level that matches the plan's alpha."""
    return 1 - 2 * locked.plan.inference.alpha


def _shut(inference: Inference) -> dict[str, str]:
    """Hypotheses whose gate did not hold, and the reason they carry."""
    return {
        identity: reason
        for identity, tested in inference.tested.items()
        for reason in tested.reasons
        if reason.code == GATE_SHUT
    }


def load_data(plan: Plan, sealed: Sealed) -> Data:
    """Score completions, gather counts, and put run factors and item attributes beside every cell."""
    runs, items = (_frame(sealed.whole(name)) for name in ("runs", "items"))
    counts = sealed.whole("counts")
    attributes = with_sets(items)
    measures = plan_measures(plan, attributes, sealed.whole("judgements"))
    grid = grid_of(sealed.batches("completions"), sealed.whole("quarantine"))
    found: list[Owed] = []
    duplicates: tuple[tuple[str, ...], ...] = ()
    if counts is not None:
        cells = cells_of_counts(counts)
        here = replace(grid, rows=dict.fromkeys(zip(cells["run_id"], cells["item_id"], strict=True), 1))
        found.append(counts_with_owed(cells, Debts(plan=plan, runs=due_frame(plan, runs, here.runs), grid=here)))
    if any(table.table == "completions" for table in sealed.tables):
        cells = cells_of_scores(score_rows(sealed.batches("completions"), measures), measures)
        debts = Debts(plan=plan, runs=due_frame(plan, runs, grid.runs), grid=grid)
        found.append(with_owed(cells, debts, measures, by_choice=judged_by_choice(plan)))
        duplicates = tuple(twin.run_ids for twin in duplicated_runs(sealed.batches("completions"), runs))
    inside = _inside(plan, sealed, runs, attributes)
    parts = [owed.cells for owed in found]
    if inside is not None:
        parts.append(inside.cells)
        attributes = pd.concat([attributes, inside.items], ignore_index=True)
    describe = functools.partial(describe_cells, runs=runs, items=attributes)
    by_order = describe(pd.concat(parts, ignore_index=True))
    gone = [owed.never_ran for owed in found if len(owed.never_ran)]
    return Data(
        plan=plan,
        cells=average_orders(by_order),
        never_ran=average_orders(describe(pd.concat(gone, ignore_index=True))) if gone else None,
        ties=count_ties(sealed.batches("completions"), measures),
        basis=tuple(dict.fromkeys(sentence for owed in found for sentence in owed.basis)),
        duplicates=duplicates,
        by_order=by_order if plan.audit else None,
        option_mass=_option_mass(sealed) if plan.audit else None,
        ratings=_ratings(plan, sealed, measures),
        gold=gold_scores(
            plan,
            sealed.batches("completions"),
            measures,
            sealed.whole("judgements"),
            runs=runs,
            items=attributes,
        ),
    )


def _ratings(plan: Plan, sealed: Sealed, measures: list[NamedMeasure]) -> pd.DataFrame | None:
    """How often each score was given, where a Bayesian model of ratings asks for it."""
    wanted = rated_measures(plan)
    rated = [named for named in measures if named.name in wanted]
    return count_scores(score_rows(sealed.batches("completions"), rated)) if rated else None


def _option_mass(sealed: Sealed) -> pd.DataFrame | None:
    """What probes recorded of the probability that their options shared."""
    parts = [batch.select(["run_id", "item_id", "option_mass"]) for batch in sealed.batches("requests")]
    return to_frame(pa.concat_tables(parts)).dropna() if parts else None


def _readings(sealed: Sealed, runs: pd.DataFrame) -> Inside | None:
    """Readings with their conditions, where any are sealed."""
    readings, conditions, directions = (sealed.whole(name) for name in ("readings", "conditions", "directions"))
    if readings is None or conditions is None:
        return None
    found = None if directions is None else to_frame(directions)
    return inside_of(to_frame(readings), to_frame(conditions), found, runs)


def _inside(plan: Plan, sealed: Sealed, runs: pd.DataFrame, items: pd.DataFrame) -> InsideCells | None:
    """Cells of readings, where any are sealed."""
    found = _readings(sealed, runs)
    return None if found is None else inside_cells(plan, found, items)


def _inside_in_brief(plan: Plan, sealed: Sealed, data: Data) -> list[InsideResult]:
    """What the figures of the readings show."""
    runs, items = (_frame(sealed.whole(name)) for name in ("runs", "items"))
    found = _readings(sealed, runs)
    return [] if found is None else inside_results(plan, found, items_by_set(plan, with_sets(items)), data.cells)


def _frame(table: pa.Table | None) -> pd.DataFrame:
    if table is None:
        raise Incomplete("a sealed table is missing", Finding(where="data", found="none", promised="runs and items"))
    return to_frame(table)


def _near_copies(sealed: Sealed) -> list[NearCopies]:
    """The runs whose answers are most alike."""
    if not any(table.table == "completions" for table in sealed.tables):
        return []
    found = likeness_of_runs(sealed.batches("completions"), _frame(sealed.whole("runs")))
    most = sorted(found, key=lambda pair: (-pair.near, pair.run_ids))[:PAIRS_SHOWN]
    return [NearCopies(runs=pair.run_ids, n=pair.n, equal=pair.equal, near=pair.near) for pair in most]


def _accounting(
    locked: LockedPlan, data: Data, entries: Sequence[HypothesisResult], near_copies: list[NearCopies]
) -> Accounting:
    sealed = [event for event in locked.events if event.name == "data.sealed"]
    absent = missing_runs(sealed, locked.lock)
    rows = [int(e.body["rows"]) for e in sealed if e.body["table"] == "completions"]
    return Accounting(
        runs_planned=len(locked.lock.runs),
        runs_with_data=len(runs_with_data(sealed, locked.lock)),
        runs_not_due=len(locked.lock.runs) - len(due_runs(sealed, locked.lock)),
        runs_missing=absent,
        answers=sum(rows) if rows else None,
        answers_missing=_answers_missing(data),
        by_arm=missing_by_arm(data),
        owed_basis=list(data.basis),
        quarantined=dict(sum((Counter(e.body.get("quarantined", {})) for e in sealed), Counter())),
        looks_planned=max(1, len(locked.plan.look)),
        looks_used=looks_used(read_ledger(locked.paths.ledger)),
        look=look_result(locked.plan, look_at(sealed, locked.lock), entries),
        amendments=len(locked.locks) - 1,
        near_copies=near_copies,
    )


def _answers_missing(data: Data) -> dict[str, int]:
    """`measure: reason` -> answers that could not be scored."""
    total: dict[str, int] = {}
    cells = data.owed
    for measure, reasons in zip(cells["measure"], cells["missing"], strict=True):
        for reason, n in json.loads(reasons).items():
            total[f"{measure}: {reason}"] = total.get(f"{measure}: {reason}", 0) + int(n)
    return dict(sorted(total.items()))


def _status_reasons(locked: LockedPlan) -> list[str]:
    reasons = []
    first = locked.locks[0].exposure
    if first.declared == "published":
        reasons.append("by the plan the results were published before it was written")
    reasons += [f"existed at the lock: {path}" for path in first.outputs]
    if any(e.body.get("predates_lock") for e in locked.events if e.name == "data.sealed"):
        reasons.append("an imported file is older than the lock")
    reasons += [
        f"the look at {seeds} seeds, which was to decide whether the plan goes on, did not take place"
        for seeds in looks_passed_over(locked.events, locked.lock)
    ]
    reasons += [
        f"another ledger of the study, from line {e.body['line']} on, was left: it held {_counted(e.body['held'])}"
        for e in locked.events
        if e.name == "fork.declared" and e.body.get("held")
    ]
    reasons += [f"deviation at {d.pointer}: {d.reason}" for d in locked.deviations]
    reasons += [
        f"amended after data were {e.body['data_seen']}: {e.body.get('note', e.body['reason'])}"
        for e in locked.events
        if e.name == "plan.amended"
    ]
    return reasons


def _counted(held: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in held.items())


def _with_deviations(locked: LockedPlan, sealed: Sealed, entries: list[HypothesisResult]) -> list[HypothesisResult]:
    """Each affected hypothesis carries its result under the plan as it was carried out, beside the planned one."""
    changed = deviated_plan(locked)
    if changed is None:
        return entries
    data = load_data(changed, sealed)
    inference = infer(data)
    touched = {name for deviation in locked.deviations for name in deviation.hypotheses}
    hypotheses = {identity: h for identity, h, _ in changed.expanded()}
    return [
        entry.model_copy(update={"as_deviated": _brief(entry.id, hypotheses, inference, data)})
        if entry.id in hypotheses and any(HypothesisId.read(entry.id).is_meant_by(name) for name in touched)
        else entry
        for entry in entries
    ]


def _brief(identity: str, hypotheses: dict[str, Hypothesis], inference: Inference, data: Data) -> dict[str, Any]:
    result = hypothesis_result(identity, hypotheses[identity], inference, None, data).model_dump(mode="json")
    keys = (
        "estimate",
        "ci",
        "ci_level",
        "ci_method",
        "n_units",
        "p_value",
        "verdict",
        "decision",
        "reasons",
        "unit_text",
    )
    return {key: result[key] for key in keys}


def _samples(locked: LockedPlan, sealed: Sealed) -> list[dict[str, Any]]:
    plan = locked.plan
    if plan.samples is None:
        return []
    runs, items = (_frame(sealed.whole(name)) for name in ("runs", "items"))
    by_name = {named.name: named for named in plan_measures(plan, with_sets(items), sealed.whole("judgements"))}
    named = by_name.get(plan.samples.measure) if plan.samples.measure else None
    asked = words_asked(plan, locked.paths.study)
    return draw_samples(sealed.batches("completions"), named, plan, runs, items, asked=asked)
