"""Several arms against one control: Dunnett's simultaneous intervals and p-values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.sample import Level, Sample
from analysis.student import p_value, require_level, require_spread
from analysis.units import require_units, summarise
from prereg.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class DunnettArm:
    """One arm minus the control, with an interval and p that hold for all arms together."""

    name: str
    estimate: float
    ci_low: float
    ci_high: float
    ci_level: float
    p_adjusted: float
    df: int


def dunnett(
    arms: tuple[Level, ...], control: Level, *, level: float, rng: np.random.Generator
) -> tuple[DunnettArm, ...]:
    """Compare every arm with the shared control, two-sided.

    Parameters
    ----------
    arms, control
        Levels with their units; weights are not used.
    level
        Simultaneous confidence level.
    rng
        For scipy's integration of the multivariate t; the same generator state gives the same digits.

    Raises
    ------
    TooFewUnits
        A level with fewer than two units.
    NoSpread
        No level shows any spread.
    NotFinite
        A unit mean is NaN or infinite.
    BadInput
        No arm.

    Notes
    -----
    Variance pooled over all levels. By scipy, to about 1e-3 of p.
    Dunnett (1955), https://doi.org/10.1080/01621459.1955.10501294
    """
    require_level(level)
    if not arms:
        raise BadInput("Dunnett's test compares at least one arm with the control")
    everyone = (*arms, control)
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in everyone]
    require_units(Sample(levels=everyone, unit="unit", is_proportion=False), summaries)
    df = sum(s.n - 1 for s in summaries)
    require_spread(
        (sum(s.ss for s in summaries) / df) ** 0.5, magnitude=max(s.magnitude for s in summaries), what="unit means"
    )
    values = [np.array([lv.unit_means[u] for u in sorted(lv.unit_means)]) for lv in everyone]
    found = stats.dunnett(*values[:-1], control=values[-1], rng=rng)
    interval = found.confidence_interval(level)
    return tuple(
        DunnettArm(
            name=arm.name,
            estimate=summary.mean - summaries[-1].mean,
            ci_low=float(interval.low[i]),
            ci_high=float(interval.high[i]),
            ci_level=level,
            p_adjusted=p_value(float(found.pvalue[i])),
            df=df,
        )
        for i, (arm, summary) in enumerate(zip(arms, summaries, strict=False))
    )
