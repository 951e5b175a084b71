"""Kendall's rank correlation (tau-b) within each unit, then t over units on Fisher's scale."""

from __future__ import annotations

from scipy import stats

from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.rank_correlation import over_units, pull_of_line, unit_text
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.units import FloatArray


def kendall(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the mean over units of the rank correlation between their means and their numbers.

    Parameters
    ----------
    sample
        Levels with `unit_x`; at least four different numbers a unit, and three units.
    level
        Two-sided confidence level.
    edges
        Band edges, between -1 and 1.

    Returns
    -------
    Estimate
        tanh of the mean of z; `prediction` is for one new unit; `se` is None, for it belongs to z.

    Raises
    ------
    NotThisDesign, TooFewUnits, NoSpread, BadInput, NotFinite
        As `rank_correlation.over_units`.

    Notes
    -----
    Ties share their mean rank (tau-b for Kendall's). z is Fisher's (1921); a unit in perfect order is read as half a
    step short of 1. Each unit's own points give its correlation, and the spread between units its error, so that
    nothing is assumed of points within a unit. Kendall (1938), Biometrika, https://doi.org/10.1093/biomet/30.1-2.81
    """
    return over_units(sample, _correlation, half_step=_half_step, level=level, edges=edges, name="Kendall's tau")


def _correlation(x: FloatArray, y: FloatArray) -> float:
    return float(stats.kendalltau(x, y).statistic)


def _half_step(points: int) -> float:
    """Swapping two neighbours costs 4 / (points^2 - points)."""
    return 2 / (points * (points - 1))


ESTIMATOR = Estimator(
    run=kendall,
    family="rank correlation",
    says="a rank correlation within each unit, averaged on Fisher's scale with a t interval over units",
    source=(Source(text="Kendall (1938), Biometrika", doi="10.1093/biomet/30.1-2.81"),),
    is_paired=True,
    not_simulated="a rank correlation is no weighted sum of means; docs/methods/doses.md has its error rates",
    unit_of_estimate=unit_text("Kendall's rank correlation"),
    reads="dose",
    pull=pull_of_line,
)
