"""Several arms against one control: Dunnett's simultaneous intervals and p-values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level, require_spread
from seedlock.analysis.estimators.internals.units import FloatArray, require_units, summarise
from seedlock.prereg.errors import BadInput

NODES = 120

# The quadrature does not resolve a smaller p.
RESOLVED_P = 1e-12


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


def dunnett(arms: tuple[Level, ...], control: Level, *, level: float) -> tuple[DunnettArm, ...]:
    """Compare every arm with the shared control, two-sided.

    Parameters
    ----------
    arms, control
        Levels with their units; weights are not used.
    level
        Simultaneous confidence level.

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
    Variance pooled over all levels. Our own: scipy integrates with random points, to about 3e-4 of p; here
    the correlation's product form leaves two dimensions, done by Gauss-Legendre.
    Dunnett (1955), https://doi.org/10.1080/01621459.1955.10501294
    """
    require_level(level)
    if not arms:
        raise BadInput("Dunnett's test compares at least one arm with the control")
    everyone = (*arms, control)
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in everyone]
    require_units(Sample(levels=everyone, unit="unit", is_proportion=False), summaries)
    df = sum(s.n - 1 for s in summaries)
    sd = math.sqrt(math.fsum(s.ss for s in summaries) / df)
    require_spread(sd, magnitude=max(s.magnitude for s in summaries), what="unit means")
    reference = summaries[-1]
    share_A = np.array([s.n / (s.n + reference.n) for s in summaries[:-1]])
    critical = float(optimize.brentq(lambda c: _all_within(c, share_A, df) - level, 1e-6, 1e4, xtol=1e-10))
    found = []
    for summary in summaries[:-1]:
        estimate = summary.mean - reference.mean
        se = sd * math.sqrt(1 / summary.n + 1 / reference.n)
        found.append(
            DunnettArm(
                name=summary.name,
                estimate=estimate,
                ci_low=estimate - critical * se,
                ci_high=estimate + critical * se,
                ci_level=level,
                p_adjusted=max(RESOLVED_P, 1 - _all_within(abs(estimate) / se, share_A, df)),
                df=df,
            )
        )
    return tuple(found)


def _all_within(c: float, share_A: FloatArray, df: int) -> float:
    """P(every |T| <= c). Given the control's z and the SD's ratio s, arms are independent normals."""
    z_Z, weight_Z = _legendre(-8.5, 8.5)
    low, high = (float(q) / math.sqrt(df) for q in (stats.chi.ppf(1e-13, df), stats.chi.isf(1e-13, df)))
    s_S, weight_S = _legendre(low, high)
    density_S = stats.chi.pdf(s_S * math.sqrt(df), df) * math.sqrt(df) * weight_S
    density_Z = stats.norm.pdf(z_Z) * weight_Z
    shift_AZ = np.sqrt(share_A)[:, None] * z_Z
    room_A = np.sqrt(1 - share_A)[:, None, None]
    upper_ASZ = (c * s_S[None, :, None] + shift_AZ[:, None, :]) / room_A
    lower_ASZ = (-c * s_S[None, :, None] + shift_AZ[:, None, :]) / room_A
    inside_SZ = np.prod(special.ndtr(upper_ASZ) - special.ndtr(lower_ASZ), axis=0)
    return min(1.0, float(density_S @ inside_SZ @ density_Z))


def _legendre(low: float, high: float) -> tuple[FloatArray, FloatArray]:
    x, w = np.polynomial.legendre.leggauss(NODES)
    return np.asarray(low + (high - low) * (x + 1) / 2), np.asarray(w * (high - low) / 2)
