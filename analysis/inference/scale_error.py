"""An estimate judged in SDs that were themselves estimated: the error of the SD goes into its tests and interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import optimize, stats

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate
from seedlock.analysis.estimators.internals.t_interval import p_value
from seedlock.prereg.errors import NotThisDesign, TooFewUnits

NODES = 512
FARTHEST = 1e6
"""Beyond so many SDs an interval has no end worth printing."""


def with_scale_error(estimate: Estimate, *, sd: float, sd_df: float) -> Estimate:
    """Carry the error of an estimated SD into an estimate's tests and interval.

    Parameters
    ----------
    estimate
        Of a t method, in raw units, with its tests at edges that are multiples of `sd`.
    sd
        Estimated SD in raw units, above 0.
    sd_df
        Degrees of freedom behind it.

    Returns
    -------
    Estimate
        In raw units still: divided by `sd`, its interval holds every number of true SDs that its tests do not reject.

    Raises
    ------
    NotThisDesign
        The method has no standard error and degrees of freedom.
    TooFewUnits
        The SD has less than one degree of freedom, or is so uncertain that the interval has no end.

    Notes
    -----
    Generalised pivots: mean* = estimate - t se and SD* = sd sqrt(df / chi2), independent as mean and SD of a normal
    sample are; p at e SDs is P(mean* <= e SD*), integrated over chi2. Where SE and SD are one quantity it is close to
    the noncentral t interval, which a test shows.
    Weerahandi (1993), https://doi.org/10.1080/01621459.1993.10476355
    """
    if estimate.se is None or estimate.df is None:
        raise NotThisDesign(
            f"{estimate.ci_method} has no standard error, so the error of an estimated SD cannot be carried",
            then="[sd.NAME]  value = ...  with its source freezes the SD before the data",
        )
    if not sd_df >= 1:
        raise TooFewUnits(f"an SD with {sd_df:.3g} degrees of freedom")
    middle, se, df = estimate.estimate, estimate.se, estimate.df
    sd_N = sd * np.sqrt(sd_df / stats.chi2.ppf((np.arange(NODES) + 0.5) / NODES, sd_df))

    def above(in_sds: float) -> float:
        return float(np.mean(stats.t.cdf((in_sds * sd_N - middle) / se, df)))

    def below(in_sds: float) -> float:
        return float(np.mean(stats.t.sf((in_sds * sd_N - middle) / se, df)))

    tail, centre, step = (1 - estimate.ci_level) / 2, middle / sd, se / sd
    return replace(
        estimate,
        ci_low=sd * _end(above, centre, -step, tail),
        ci_high=sd * _end(below, centre, step, tail),
        ci_method=f"{estimate.ci_method}, error of the SD included ({sd_df:.4g} df)",
        edges=tuple(
            EdgeTest(edge=test.edge, p_above=p_value(above(test.edge / sd)), p_below=p_value(below(test.edge / sd)))
            for test in estimate.edges
        ),
    )


def _end(p_at: Callable[[float], float], centre: float, step: float, tail: float) -> float:
    """Where p falls to `tail`, walking away from the centre."""
    near, far = centre, centre + step
    while p_at(far) > tail:
        near, far = far, centre + 2 * (far - centre)
        if abs(far - centre) > FARTHEST * max(1.0, abs(centre)):
            raise TooFewUnits("the SD is so uncertain that no number of SDs is excluded")
    found: float = optimize.brentq(lambda x: p_at(x) - tail, min(near, far), max(near, far), xtol=1e-12)
    return found
