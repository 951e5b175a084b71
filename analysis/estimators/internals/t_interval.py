"""From an estimate, its standard error and its degrees of freedom to everything a t method reports."""

from __future__ import annotations

import math
import sys

from scipy import stats

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate
from seedlock.analysis.estimators.internals.units import ROUNDING
from seedlock.prereg.errors import BadInput, NoSpread, NotFinite, TooFewUnits

OBSERVED = "the mean of one more unit as it would be observed: the noise of its own answers is in it"
"""What a t method predicts: the spread of unit means is that of observed ones."""

# A p-value that underflows is reported as "less than this", never as 0.
LEAST_P = sys.float_info.min


def p_value(p: float) -> float:
    """Return `p` kept in (0, 1]: no finite data make a hypothesis impossible."""
    return min(1.0, max(LEAST_P, p))


def require_level(level: float) -> None:
    """Raise `BadInput` unless `level` is a confidence level in (0, 1)."""
    if not 0 < level < 1:
        raise BadInput(f"a confidence level lies between 0 and 1; found {level}")


def require_spread(se: float, *, magnitude: float, what: str) -> None:
    """Refuse a standard error that is zero, or is nothing but rounding error.

    Parameters
    ----------
    se
        Standard error, same unit as the data.
    magnitude
        Size of the data that went into it (weighted, largest absolute value).
    what
        What was averaged, in the plan's words.

    Raises
    ------
    NoSpread
        `se` is at most 1e-11 of `magnitude`.
    NotFinite
        `se` overflowed.
    """
    if not math.isfinite(se):
        raise NotFinite(f"the standard error over {what} is not a finite number")
    if se <= ROUNDING * magnitude or se <= sys.float_info.min:
        raise NoSpread(f"{what} do not differ at all: no standard error, no t statistic")


def t_edges(estimate: float, se: float, df: float, edges: tuple[float, ...]) -> tuple[EdgeTest, ...]:
    """Return both one-sided t tests at every edge, in the order asked."""
    tests = []
    for edge in edges:
        t = (estimate - edge) / se
        tests.append(
            EdgeTest(
                edge=edge, p_above=p_value(float(stats.t.sf(t, df))), p_below=p_value(float(stats.t.cdf(t, df))), t=t
            )
        )
    return tuple(tests)


def cut(low: float, high: float, limits: tuple[float, float]) -> tuple[float, float]:
    """Cut an interval to the values the estimand can take; this never loses coverage."""
    return max(low, limits[0]), min(high, limits[1])


def t_estimate(
    *,
    estimate: float,
    se: float,
    df: float,
    magnitude: float,
    level: float,
    edges: tuple[float, ...],
    method: str,
    what: str,
    n_units: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
    unit_sd: float | None = None,
    new_unit_se: float | None = None,
    assumes: str = "",
) -> Estimate:
    """Assemble the estimate, interval, edge tests and prediction of a t method.

    Parameters
    ----------
    estimate, se, df
        On the raw scale; `se` is of the estimate.
    magnitude
        Size of the data, to tell spread from rounding error.
    method
        Words printed beside the interval; the degrees of freedom are added.
    what
        What the standard error is over, for a refusal.
    limits
        Least and greatest value of the estimand; the interval is cut there, and `ci_method` says so.
    new_unit_se
        SD of (a new unit - the estimate), where the design defines a new unit.

    Raises
    ------
    NoSpread
        The standard error is zero or rounding error.
    TooFewUnits
        Less than one degree of freedom.
    """
    require_level(level)
    require_spread(se, magnitude=magnitude, what=what)
    if not df >= 1:
        raise TooFewUnits(f"{what} leave {df:.3g} degrees of freedom: no t interval")
    t = float(stats.t.isf((1 - level) / 2, df))
    low, high = cut(estimate - t * se, estimate + t * se, limits)
    is_cut = low > estimate - t * se or high < estimate + t * se
    prediction = None
    if new_unit_se is not None:
        prediction = cut(estimate - t * new_unit_se, estimate + t * new_unit_se, limits)
    return Estimate(
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=f"{method}, {df:.4g} df" + (", cut at the end of the scale" if is_cut else ""),
        n_units=n_units,
        edges=t_edges(estimate, se, df, edges),
        se=se,
        df=df,
        unit_sd=unit_sd,
        prediction=prediction,
        prediction_says="" if prediction is None else OBSERVED,
        assumes=assumes,
    )
