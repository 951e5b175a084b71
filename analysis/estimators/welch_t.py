"""t on unit means with a variance of its own for every level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels, contrast, magnitude, many_t
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import (
    refuse_flat,
    require_units,
    scale_limits,
    summarise,
    weighted_levels,
)
from seedlock.analysis.estimators.pooled_t import other_variance


def welch_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast of unit means, each level keeping its own variance.

    Parameters
    ----------
    sample
        Any number of levels with any weights; U_l units in level l. Levels of weight 0 take no part.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        `df` by Welch-Satterthwaite; `unit_sd` only with one level, where there is one SD to name.

    Raises
    ------
    TooFewUnits
        A level of the contrast has fewer than two units.
    NoSpread
        A level of the contrast shows no spread: its variance would be estimated as 0, from nothing. The plan
        may name a `fallback`; `pooled_t` takes the spread from the other levels.
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    Welch (1947), https://doi.org/10.1093/biomet/34.1-2.28;
    Satterthwaite (1946), https://doi.org/10.2307/3002019
    """
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in weighted_levels(sample)]
    require_units(sample, summaries)
    refuse_flat(sample, summaries, then='fallback = "pooled_t" in the plan, or a test by counting')
    variances = [s.weight**2 * s.ss / (s.n - 1) / s.n for s in summaries]
    variance = math.fsum(variances)
    # Shares, not raw variances: their squares cannot underflow to 0 / 0.
    shares = [v / variance for v in variances]
    df = 1 / math.fsum(share**2 / (s.n - 1) for share, s in zip(shares, summaries, strict=True))
    is_one_level = len(summaries) == 1
    unit_sd = math.sqrt(summaries[0].ss / (summaries[0].n - 1)) if is_one_level else None
    new_unit_se = None
    if unit_sd is not None:
        new_unit_se = math.hypot(math.sqrt(variance), summaries[0].weight * unit_sd)
    return t_estimate(
        estimate=math.fsum(s.weight * s.mean for s in summaries),
        se=math.sqrt(variance),
        df=df,
        magnitude=math.fsum(abs(s.weight) * s.magnitude for s in summaries),
        level=level,
        edges=edges,
        method=f"t on {sample.unit} means" + ("" if is_one_level else ", Welch"),
        what=f"{sample.unit} means",
        n_units=sum(s.n for s in summaries),
        limits=scale_limits(sample),
        unit_sd=unit_sd,
        new_unit_se=new_unit_se,
        assumes=f"{sample.unit}s are a sample",
    )


def _simulate(
    levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float], limits: tuple[float, float]
) -> Many:
    used = [lv for lv in levels if lv.weight != 0]
    parts = [lv.weight**2 * lv.ss_K / (lv.n_units - 1) / lv.n_units for lv in used]
    variance_K = np.sum(parts, axis=0)
    safe_K = np.where(variance_K > 0, variance_K, 1.0)
    squares_K = np.sum([(p / safe_K) ** 2 / (lv.n_units - 1) for p, lv in zip(parts, used, strict=True)], axis=0)
    return many_t(
        estimate_K=contrast(used),
        se_K=np.sqrt(variance_K) * np.all([lv.has_spread_K for lv in used], axis=0),
        df_K=1 / np.maximum(squares_K, 1e-300),
        magnitude_K=magnitude(levels),
        level=level,
        edges=edges,
        limits=limits,
    )


def _beside(planned: Estimator, sample: Sample) -> Beside | None:
    return None if planned.run is welch_t else other_variance(planned, sample)


ESTIMATOR = Estimator(
    run=welch_t,
    family="t on unit means",
    says="a t interval on unit means with each level's own variance (Satterthwaite's df)",
    source=(Source(text="Welch (1947), Biometrika", doi="10.1093/biomet/34.1-2.28"),),
    spread="own",
    simulate=_simulate,
    beside=_beside,
)
