"""Is a gate another quantity than the outcome that it guards? Their correlation over the runs that have both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.infer import Inference
from seedlock.analysis.inference.select import ordered_mean, select
from seedlock.analysis.results.schema import Correlation, GateResult
from seedlock.prereg.errors import Refusal
from seedlock.prereg.plan.plan import Estimand
from seedlock.prereg.plan.runs import Where

FEWEST_RUNS = 4


def correlated_gates(data: Data, inference: Inference) -> list[GateResult]:
    """Every gate, with the correlation of its measure and that of each hypothesis it guards, in plan order."""
    gates = {name: (gate, extra) for name, gate, extra in data.plan.expanded_gates()}
    of_runs: dict[str, pd.DataFrame | None] = {
        name: _of_runs(data, gate.model_copy(update={"contrast": None}), extra) for name, (gate, extra) in gates.items()
    }
    guarded: dict[str, list[Correlation]] = {name: [] for name in gates}
    for identity, hypothesis, extra in data.plan.expanded():
        for name in data.plan.gates_of(hypothesis, extra):
            if name in of_runs:
                guarded[name].append(_correlation(identity, of_runs[name], _of_runs(data, hypothesis, extra)))
    return [gate.model_copy(update={"correlations": guarded.get(gate.name, [])}) for gate in inference.gates]


def _of_runs(data: Data, estimand: Estimand, extra: Where) -> pd.DataFrame | None:
    """Mean of a measure in each run (items weigh the same), with the level it belongs to; None where there is none."""
    try:
        chosen = select(data.cells, data.plan, estimand, extra)
    except Refusal:
        return None
    scored = chosen[chosen["mean"].notna()]
    rows = [
        (str(run), str(level), ordered_mean(one["mean"])) for (run, level), one in scored.groupby(["run_id", "level"])
    ]
    return pd.DataFrame(rows, columns=["run_id", "level", "mean"])


def _correlation(identity: str, gate: pd.DataFrame | None, outcome: pd.DataFrame | None) -> Correlation:
    if gate is None or outcome is None:
        return Correlation(hypothesis=identity, n=0, r=None, r_within=None, reason="no run has both")
    both = outcome.merge(gate[["run_id", "mean"]], on="run_id", suffixes=("", "_gate"))
    one, other = both["mean"].to_numpy(dtype="float64"), both["mean_gate"].to_numpy(dtype="float64")
    if len(both) < FEWEST_RUNS:
        few = f"{len(both)} runs have both; a correlation needs {FEWEST_RUNS}"
        return Correlation(hypothesis=identity, n=len(both), r=None, r_within=None, reason=few)
    centred = [
        values - both.assign(v=values).groupby("level")["v"].transform("mean").to_numpy() for values in (one, other)
    ]
    r = _pearson(one, other)
    return Correlation(
        hypothesis=identity,
        n=len(both),
        r=r,
        r_within=_pearson(*centred),
        reason=None if r is not None else "one of the two is the same in every run",
    )


def _pearson(one: FloatArray, other: FloatArray) -> float | None:
    spread = [float(np.ptp(values)) for values in (one, other)]
    magnitude = [float(np.abs(values).max()) for values in (one, other)]
    if any(s <= 1e-12 * max(m, 1.0) for s, m in zip(spread, magnitude, strict=True)):
        return None
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))
