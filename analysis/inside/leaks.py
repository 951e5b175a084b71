"""Does what was trained into one group reach its neighbours? A measure by group against distance in the base model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd
from scipy import stats

from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.results.inside import GeometryResult, LeakResult
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan

LEVEL = 0.95
LEAST_GROUPS = 4
NO_RANK = "fewer than four groups, or no spread"


def leak_results(plan: Plan, geometry: list[GeometryResult], cells: pd.DataFrame) -> Iterator[LeakResult]:
    """One entry an arm and layer, each seed one correlation over groups.

    Groups that the plan leaves out, by default those that an arm's factors name (its trigger), do not enter, nor does
    the reference, whose distance is 0.

    Parameters
    ----------
    geometry
        Of one base model.
    cells
        Described cells of the runs of that base model.

    Notes
    -----
    Spearman (1904), https://doi.org/10.2307/1412159
    """
    asked = plan.inside.geometry if plan.inside else None
    if asked is None or asked.measure is None or asked.by not in cells.columns:
        return
    rows = cells[(cells["measure"] == asked.measure) & cells["mean"].notna() & cells[asked.by].notna()]
    for arm in [arm for arm in plan.planned_arms if arm != BASELINE_ARM]:
        own = {*(asked.leave_out or plan.arms[arm].factors.values()), asked.reference}
        mine = rows[(rows["arm"] == arm) & ~rows[asked.by].isin(own)]
        for layer in geometry:
            found = [rho for _, run in mine.groupby("seed") if (rho := _rho(run, asked.by, asked.reference, layer))[0]]
            yield _entry(arm, asked.measure, asked.reference, layer, [rho for _, rho in found])


def _rho(run: pd.DataFrame, by: str, reference: str, layer: GeometryResult) -> tuple[bool, float]:
    """Whether one run has a correlation, and which."""
    distance = dict(zip(layer.groups, (1 - c for c in layer.cosines[layer.groups.index(reference)]), strict=True))
    means: Mapping[str, float] = {str(g): ordered_mean(r["mean"]) for g, r in run.groupby(by) if str(g) in distance}
    if len(means) < LEAST_GROUPS or len(set(means.values())) < 2:
        return False, 0.0
    return True, float(stats.spearmanr(list(means.values()), [distance[g] for g in means]).statistic)


def _entry(arm: str, measure: str, reference: str, layer: GeometryResult, rhos: list[float]) -> LeakResult:
    n = len(rhos)
    mean = math.fsum(rhos) / n if n else None
    ci = None
    if mean is not None and n > 1:
        sd = math.sqrt(math.fsum((rho - mean) ** 2 for rho in rhos) / (n - 1))
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd / math.sqrt(n)
        ci = (max(-1.0, mean - half), min(1.0, mean + half))
    return LeakResult(
        arm=arm,
        layer=layer.layer,
        measure=measure,
        reference=reference,
        n_groups=len(layer.groups),
        n_seeds=n,
        rho=mean,
        ci=ci,
        reason=None if n else NO_RANK,
    )
