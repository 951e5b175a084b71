"""What an import would bring, run by run: answers owed and there, and runs that are copies of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from seedlock.analysis.scoring.near_copies import Likeness, likeness_of_runs
from seedlock.analysis.scoring.owed import Debts, due_frame, grid_of
from seedlock.prereg.english import counted
from seedlock.prereg.plan.plan import Plan

ALIKE = 0.5
"""Share of nearly equal answers from which two runs are named."""
MOST_REASONS = 5
"""Ways in which answers lack a part that are told, the most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCoverage:
    """Rows that one run owes and has, and how many of them hold an answer."""

    arm: str
    run_id: str
    owed: int
    rows: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Every due run, what the data (not the plan) say is owed, and runs whose answers are alike.

    Parameters
    ----------
    lacking
        Answers of which a part that the plan maps is missing (a word where a number should be, say): why -> rows.
    """

    runs: tuple[RunCoverage, ...]
    basis: tuple[str, ...]
    alike: tuple[Likeness, ...]
    lacking: Mapping[str, int]

    def lines(self) -> Iterator[str]:
        """For a person: arm by arm, then the runs that fall short."""
        yield from (f"owed      {sentence}" for sentence in self.basis)
        for arm in dict.fromkeys(run.arm for run in self.runs):
            own = [run for run in self.runs if run.arm == arm]
            owed, rows, answers = (sum(getattr(run, name) for run in own) for name in ("owed", "rows", "answers"))
            yield f"arm       {arm}: {answers} answers, {rows} rows of {owed} owed, {len(own)} runs"
            yield from (
                f"            {run.run_id}: {run.answers} answers, {run.rows} rows of {run.owed}"
                for run in own
                if run.answers < run.owed
            )
        for reason, n in self.lacking.items():
            yield f"lacking   {counted(n, 'answer')} without a part: {reason}"
        for pair in self.alike:
            yield f"alike     {' and '.join(pair.run_ids)}: {pair.near:.0%} of {pair.n} answers equal or nearly so"

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "runs": [
                {"arm": r.arm, "run_id": r.run_id, "owed": r.owed, "rows": r.rows, "answers": r.answers}
                for r in self.runs
            ],
            "owed": list(self.basis),
            "lacking": dict(self.lacking),
            "alike": [{"runs": list(a.run_ids), "n": a.n, "equal": a.equal, "near": a.near} for a in self.alike],
        }


def coverage(plan: Plan, tables: Mapping[str, pa.Table]) -> Coverage:
    """Compare rows with the plan's grid, before any of them is scored.

    Parameters
    ----------
    tables
        `runs`, `quarantine`, and `completions` or `counts`, as an import would seal them.
    """
    rows = tables["completions"] if "completions" in tables else tables["counts"]
    grid = grid_of([rows], tables["quarantine"])
    runs = tables["runs"].to_pandas()
    debts = Debts(plan=plan, runs=due_frame(plan, runs, grid.runs), grid=grid)
    owed = debts.items_of()
    is_answer = (
        rows.filter(rows["status"].to_numpy(zero_copy_only=False) == "ok") if "status" in rows.column_names else rows
    )
    there, answers = (_by_run(found) for found in (rows, is_answer))
    found = tuple(
        RunCoverage(
            arm=arm, run_id=run, owed=sum(owed[run].values()), rows=there.get(run, 0), answers=answers.get(run, 0)
        )
        for run, arm in zip(debts.runs["run_id"], debts.runs["arm"], strict=True)
    )
    alike = likeness_of_runs([rows], runs) if "completions" in tables else ()
    lacking = Counter(is_answer["reason"].drop_null().to_pylist()) if "reason" in rows.column_names else Counter[str]()
    return Coverage(
        runs=found,
        basis=debts.basis(),
        alike=tuple(a for a in alike if a.near >= ALIKE),
        lacking=dict(lacking.most_common(MOST_REASONS)),
    )


def _by_run(rows: pa.Table) -> dict[str, int]:
    counted: pd.Series[int] = rows["run_id"].to_pandas().value_counts()
    return {str(run): int(n) for run, n in counted.items()}
