"""What every run owes: run x item x draw of the plan's grid; what never came is missing, with the reason if known.

The plan says which runs and, mostly, how many draws. Which items there are the data say where no item file does: a run
then owes every item that any run has a row of (any run alike in the factors of `[import] items_by`).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pandas as pd
import pyarrow as pa

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.scoring.scores import NamedMeasure
from seedlock.prereg.plan.filters import filtered_measures
from seedlock.prereg.plan.judges import JudgeTable
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas import TABLES

NO_ROW = "no row"
NO_RUN = "no row of the run"
QUARANTINED = "quarantined: "
TOO_FEW = "fewer answers than planned"
ADRIFT = "no row, or quarantined without its run"
type Place = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Which rows there are, and why some were refused.

    Parameters
    ----------
    rows
        (run, item) -> accepted rows.
    refused
        (run, item) -> reasons of refused rows of draws that no accepted row has.
    adrift
        Run -> reasons of refused rows of which the item is not known; None -> of those whose run is not known either.
    """

    rows: Mapping[Place, int]
    refused: Mapping[Place, Counter[str]]
    adrift: Mapping[str | None, Counter[str]] = field(default_factory=dict)

    @property
    def runs(self) -> set[str]:
        """Runs with any accepted row."""
        return {run for run, _ in self.rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Cells with every missing answer counted.

    Parameters
    ----------
    cells
        Of the runs that have data: `schemas.cells`, those of items without any row among them.
    never_ran
        Of due runs that have no row at all.
    basis
        In words, what is owed where the plan alone does not say it.
    """

    cells: pd.DataFrame
    never_ran: pd.DataFrame
    basis: tuple[str, ...]


def grid_of(completions: Iterable[pa.Table], quarantine: pa.Table | None) -> Grid:
    """Count accepted rows by run and item, batch by batch, and place the refused ones beside them."""
    rows: Counter[Place] = Counter()
    refused = _placed(quarantine)
    con = duckdb.connect(":memory:")
    try:
        con.register("refused", refused)
        for batch in completions:
            con.register("batch", batch)
            for run, item, n in con.execute("SELECT run_id, item_id, count(*) FROM batch GROUP BY ALL").fetchall():
                rows[run, item] += n
            if len(refused):
                con.execute(
                    "CREATE OR REPLACE TABLE left_over AS SELECT * FROM refused WHERE draw IS NULL OR"
                    " (run_id, item_id, draw) NOT IN (SELECT (run_id, item_id, draw::VARCHAR) FROM batch)"
                )
                refused = con.execute("SELECT * FROM left_over").df()
                con.register("refused", refused)
            con.unregister("batch")
    finally:
        con.close()
    why: dict[Place, Counter[str]] = defaultdict(Counter)
    for run, item, reason in zip(refused["run_id"], refused["item_id"], refused["reasons"], strict=True):
        why[run, item][f"{QUARANTINED}{reason}"] += 1
    return Grid(rows=rows, refused=why, adrift=_adrift(quarantine))


def _refused(quarantine: pa.Table | None) -> pd.DataFrame:
    names = ["run_id", "item_id", "draw", "reasons"]
    if quarantine is None or not set(names) <= set(quarantine.column_names):
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    found: pd.DataFrame = quarantine.select(names).to_pandas()
    return found


def _placed(quarantine: pa.Table | None) -> pd.DataFrame:
    """Refused rows whose run and item are known, one a draw."""
    frame = _refused(quarantine).dropna(subset=["run_id", "item_id"])
    once = frame["draw"].isna() | ~frame.duplicated(["run_id", "item_id", "draw"])
    found: pd.DataFrame = frame[once]
    return found


def _adrift(quarantine: pa.Table | None) -> dict[str | None, Counter[str]]:
    """Refused rows whose item is not known, by run."""
    found: dict[str | None, Counter[str]] = defaultdict(Counter)
    frame = _refused(quarantine)
    lost = frame[frame["run_id"].isna() | frame["item_id"].isna()]
    for run, reason in zip(lost["run_id"], lost["reasons"], strict=True):
        found[None if pd.isna(run) else run][f"{QUARANTINED}{reason}"] += 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Debts:
    """How many rows each run owes of each item, and what came of them.

    Parameters
    ----------
    runs
        Due runs, with their factors.
    """

    plan: Plan
    runs: pd.DataFrame
    grid: Grid

    def items_of(self) -> dict[str, dict[str, int]]:
        """Run -> item -> rows owed."""
        by = list(self.plan.import_.items_by) if self.plan.import_ is not None else []
        group = (
            dict(zip(self.runs["run_id"], zip(*(self.runs[name] for name in by), strict=True), strict=True))
            if by
            else {}
        )
        most: dict[object, dict[str, int]] = defaultdict(dict)
        for (run, item), n in [*self.grid.rows.items(), *((place, 0) for place in self.grid.refused)]:
            found = most[group.get(run)]
            found[item] = max(found.get(item, 1), n)
        planned = self.planned_draws
        if planned is not None:
            most = {key: dict.fromkeys(found, planned) for key, found in most.items()}
        return {run: most.get(group.get(run), {}) for run in self.runs["run_id"]}

    @property
    def planned_draws(self) -> int | None:
        """Rows a run owes of an item by the plan; None where only the data say it."""
        imported, decoding = self.plan.import_, self.plan.decoding
        if imported is None:
            return None
        most = max(self.grid.rows.values(), default=0)
        if imported.constants.get("draw", "").isdecimal():
            return 1
        return decoding.draws if decoding is not None and most <= decoding.draws else None

    def without_a_row(self, run: str) -> str:
        """Why an answer of a run never came where no refused row is known to have held it."""
        if self.grid.adrift.get(None):
            return ADRIFT
        return NO_ROW if run in self.grid.runs else NO_RUN

    def basis(self) -> tuple[str, ...]:
        """What the data, and not the plan, say is owed."""
        if self.plan.import_ is None:
            return ()
        alike = " and ".join(self.plan.import_.items_by)
        of = f"any run of the same {alike}" if alike else "any run"
        said = [f"items: each run owes every item that {of} has a row of"]
        if self.planned_draws is None:
            said.append("draws: each run owes as many answers to an item as the run with the most has")
        return tuple(said)


def with_owed(
    cells: pd.DataFrame, debts: Debts, measures: Sequence[NamedMeasure], *, by_choice: Iterable[str] = ()
) -> Owed:
    """Count what never came as missing in the cells of every measure of completions.

    Parameters
    ----------
    by_choice
        Measures of which nobody owes every answer: their judge was given a sample.
    """
    owed = debts.items_of()
    absent: dict[Place, dict[str, int]] = {}
    for run, items in owed.items():
        adrift = Counter(debts.grid.adrift.get(run, {}))
        for item, due in items.items():
            gone = due - debts.grid.rows.get((run, item), 0)
            if gone > 0:
                refused = debts.grid.refused.get((run, item), Counter())
                absent[run, item] = _reasons(gone, refused, adrift, debts.without_a_row(run))
    skipped = set(by_choice)
    lost = [
        (run, item, named.name, reasons)
        for named in measures
        if named.name not in skipped
        for (run, item), reasons in absent.items()
        if named.items is None or item in named.items
    ]
    proportions = {named.name for named in measures if named.measure.is_proportion}
    return _split(_with_lost(cells, lost, proportions), debts)


def counts_with_owed(cells: pd.DataFrame, debts: Debts) -> Owed:
    """Count what never came in cells of counts: answers short of the planned draws, and items a run has no count of.

    Where a count is of several items' answers, or the plan gives no draws, a count that came is taken as whole.
    """
    draws = debts.plan.decoding.draws if debts.plan.decoding is not None else None
    lost: list[tuple[str, str, str, dict[str, int]]] = []
    for measure, own in cells.groupby("measure", sort=True):
        n = own["n_scored"].dropna()
        planned = draws if draws is not None and len(n) and n.max() <= draws else None
        sizes = dict(
            zip(zip(own["run_id"], own["item_id"], strict=True), map(int, own["n_scored"].fillna(1)), strict=True)
        )
        whole = Debts(plan=debts.plan, runs=debts.runs, grid=Grid(rows=sizes, refused=debts.grid.refused))
        for run, items in whole.items_of().items():
            adrift = Counter(debts.grid.adrift.get(run, {}))
            for item, most in items.items():
                due = planned or most
                if (run, item) not in sizes:
                    refused = debts.grid.refused.get((run, item), Counter())
                    (why,) = _reasons(1, refused, adrift, debts.without_a_row(run))
                    lost.append((run, item, str(measure), {why: due}))
                elif planned is not None and (short := planned - sizes[run, item]) > 0:
                    lost.append((run, item, str(measure), {TOO_FEW: short}))
    proportions = {name for name, m in debts.plan.measures.items() if MEASURES[m.kind].is_proportion}
    return _split(_with_lost(cells, lost, proportions), debts)


def _reasons(gone: int, refused: Counter[str], adrift: Counter[str], otherwise: str) -> dict[str, int]:
    """Why so many rows never came: those refused first, then those of the run that name no item, which are used up."""
    found: Counter[str] = Counter()
    for rows in (Counter(refused), adrift):
        for reason, n in rows.most_common():
            if taken := min(n, gone):
                found[reason] += taken
                rows[reason] -= taken
                gone -= taken
    if gone:
        found[otherwise] = gone
    return dict(found)


def _with_lost(
    cells: pd.DataFrame, lost: Sequence[tuple[str, str, str, dict[str, int]]], proportions: set[str]
) -> pd.DataFrame:
    """Add missing answers to the cells they belong to; a cell without any row is made."""
    if not lost:
        return cells
    key = ["run_id", "item_id", "measure"]
    found = cells.set_index(key)
    n_missing, missing = found["n_missing"].to_dict(), found["missing"].to_dict()
    fresh = []
    for run, item, measure, reasons in lost:
        place = (run, item, measure)
        if place in n_missing:
            n_missing[place] += sum(reasons.values())
            missing[place] = _json(Counter(json.loads(missing[place])) + Counter(reasons))
            continue
        fresh.append(
            {
                **dict(zip(key, place, strict=True)),
                "n_scored": 0,
                "k": 0 if measure in proportions else None,
                "n_missing": sum(reasons.values()),
                "missing": _json(reasons),
            }
        )
    kept = found.assign(n_missing=pd.Series(n_missing, dtype="Int64"), missing=pd.Series(missing)).reset_index()
    schema = TABLES["cells"].schema()
    columns = list(schema.columns)
    made = pd.DataFrame(fresh, columns=columns).astype({name: cells[name].dtype for name in columns})
    whole = pd.concat([kept[columns], made], ignore_index=True).sort_values(key, ignore_index=True)
    checked: pd.DataFrame = schema.validate(whole, lazy=True)
    return checked


def _json(reasons: Mapping[str, int]) -> str:
    return json.dumps(dict(reasons), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _split(cells: pd.DataFrame, debts: Debts) -> Owed:
    """Cells of runs that have data, and those of runs that have none."""
    has_run = cells["run_id"].isin(debts.grid.runs)
    return Owed(cells=cells[has_run], never_ran=cells[~has_run], basis=debts.basis())


def due_frame(plan: Plan, runs: pd.DataFrame, with_rows: set[str]) -> pd.DataFrame:
    """Runs that the data at hand owe: all, or at a planned look the first seeds of every arm and the baselines.

    Parameters
    ----------
    runs
        The `runs` table.
    with_rows
        Ids of runs that have data.
    """
    if not plan.look:
        return runs
    here = runs[runs["run_id"].isin(with_rows)]
    most = int(here.groupby(["model", "arm"])["seed"].nunique().max()) if len(here) else 0
    seeds = next((look.seeds for look in plan.look if look.seeds >= most), plan.look[-1].seeds)
    first = {model: set(map(str, plan.grid.seeds_of(model)[:seeds])) for model in plan.grid.models}
    is_due = [pd.isna(seed) or seed in first[model] for model, seed in zip(runs["model"], runs["seed"], strict=True)]
    return runs[pd.Series(is_due, index=runs.index)]


def judged_by_choice(plan: Plan) -> list[str]:
    """Measures whose judge of the plan is shown some completions only: nobody owes the others."""
    chosen = {name for name, judge in plan.judges.items() if _chooses(judge)}
    found = [name for name, measure in plan.measures.items() if measure.judge in chosen]
    return [*found, *(name for name, (measure, _) in filtered_measures(plan).items() if measure in found)]


def _chooses(judge: JudgeTable) -> bool:
    return bool(judge.items or judge.where or judge.classes or judge.sample or judge.with_marker or judge.pairs)
