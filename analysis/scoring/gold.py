"""Gold labels as scores: what a judge said and what was right, completion by completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seedlock.analysis.measures.base.measure import flat
from seedlock.analysis.scoring.scores import NamedMeasure, Verdicts, score_rows
from seedlock.prereg.errors import Finding, Incomplete, LockedFileChanged
from seedlock.prereg.plan.plan import Plan

COLUMNS = ("request_id", "run_id", "item_id", "judged", "gold")


def gold_scores(
    plan: Plan,
    completions: Iterable[pa.Table],
    measures: Sequence[NamedMeasure],
    judgements: pa.Table | None,
    *,
    runs: pd.DataFrame,
    items: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Score gold labels as the measure scores its judge, for every measure whose judge is checked.

    Parameters
    ----------
    completions
        Every sealed completion, in batches; read once.
    measures
        From `plan_measures`.
    judgements
        The whole sealed table, gold labels among the judges' own.
    runs
        `run_id` and `arm` of every run.
    items
        From `with_sets`; the two orders of a question are one item.

    Returns
    -------
    dict[str, pandas.DataFrame]
        Measure -> one row a completion that has a label and a score by the judge: `request_id`, `run_id`, `item_id`,
        `judged`, and `gold`, NaN where the label never came or says that there is nothing to score.

    Raises
    ------
    Incomplete
        Gold labels are planned and none are sealed.
    LockedFileChanged
        They are labels of other texts than the plan's seed draws.
    """
    pairs = [(named, _gold_of(plan, named, judgements)) for named in measures if _is_checked(plan, named)]
    parts: dict[str, list[pd.DataFrame]] = {named.name: [] for named, _ in pairs}
    judged: dict[str, dict[str, list[str]]] = {named.name: {} for named, _ in pairs}
    for batch in completions if pairs else ():
        for named, right in pairs:
            if named.verdicts is not None:
                _note(judged[named.name], named.verdicts.on(batch))
            known = flat(right.verdicts.judgements["request_id"]) if right.verdicts else pa.array([])
            labelled = batch.filter(pc.is_in(batch["request_id"], value_set=known))
            parts[named.name].append(_both(labelled, named, right))
    arm_of = dict(zip(runs["run_id"], runs["arm"], strict=True))
    for named, right in pairs:
        _require_drawn(plan, named, right, judged[named.name], arm_of)
    of_pair = _pair_of(items)
    return {
        name: pd.concat(found, ignore_index=True).assign(
            item_id=lambda rows: rows["item_id"].map(lambda item: of_pair.get(item, item))
        )
        for name, found in parts.items()
    }


def _is_checked(plan: Plan, named: NamedMeasure) -> bool:
    return plan.gold_of(None if named.verdicts is None else named.verdicts.judge) is not None


def _gold_of(plan: Plan, named: NamedMeasure, judgements: pa.Table | None) -> NamedMeasure:
    """The same measure on what is right."""
    judge = named.verdicts.judge if named.verdicts else ""
    gold = plan.gold_of(judge)
    source = gold.source(judge) if gold else ""
    own = None if judgements is None else judgements.filter(pc.equal(judgements["judge"], source))
    if own is None or not own.num_rows:
        fault = Finding(where=f"judge {judge}", found="no gold labels", promised="sealed gold labels")
        raise Incomplete("a judge is to be checked, and no right answer is sealed", fault, then="seedlock label STUDY")
    return replace(named, verdicts=Verdicts(judge=source, judgements=own, is_choice=True))


def _note(by_run: dict[str, list[str]], rows: pa.Table) -> None:
    """Add the answers that the judge gave a verdict on."""
    answered = rows.filter(pc.equal(rows["status"], "ok"))
    for run, request in zip(answered["run_id"].to_pylist(), answered["request_id"].to_pylist(), strict=True):
        by_run.setdefault(run, []).append(request)


def _require_drawn(
    plan: Plan, named: NamedMeasure, right: NamedMeasure, judged: Mapping[str, list[str]], arm_of: Mapping[str, str]
) -> None:
    """Refuse labels of texts that nobody drew: whoever chooses what is checked chooses the correction."""
    judge = named.verdicts.judge if named.verdicts else ""
    gold = plan.gold_of(judge)
    if gold is None or gold.judge is not None or right.verdicts is None:
        return
    drawn = {request for run, requests in judged.items() for request in gold.drawn(judge, arm_of[run], requests)}
    labelled = set(right.verdicts.judgements["request_id"].to_pylist())
    if labelled != drawn:
        fault = Finding(
            where=f"gold labels of {judge}",
            found=f"{len(labelled - drawn)} texts that were not drawn, {len(drawn - labelled)} drawn ones missing",
            promised="the texts that the plan's seed draws",
        )
        raise LockedFileChanged(
            "gold labels are of other texts than the plan draws", fault, then="seedlock label STUDY"
        )


def _both(labelled: pa.Table, named: NamedMeasure, right: NamedMeasure) -> pd.DataFrame:
    """What the judge's verdicts score and what the right ones do, on the completions that the judge scored."""
    judged, gold = (
        next(score_rows([labelled], [one])).select(["request_id", "run_id", "item_id", "score"]).to_pandas()
        for one in (named, right)
    )
    scored = judged[judged["score"].notna()].rename(columns={"score": "judged"})
    found = scored.merge(gold[["request_id", "score"]].rename(columns={"score": "gold"}), on="request_id", how="left")
    both: pd.DataFrame = found[list(COLUMNS)].astype({"judged": float, "gold": float})
    return both


def _pair_of(items: pd.DataFrame) -> dict[str, str]:
    if "pair" not in items.columns:
        return {}
    paired = items[items["pair"].notna()]
    return dict(zip(paired["item_id"].astype(str), paired["pair"].astype(str), strict=True))
