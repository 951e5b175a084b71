"""Cluster-robust contrast of units with gaps: bias-reduced variance (CR2) and Satterthwaite df."""

from __future__ import annotations

import numpy as np

from seedlock.analysis.estimators.internals.cell_grid import CellGrid, cell_grid
from seedlock.analysis.estimators.internals.cluster_robust import fit_cr2
from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import (
    FloatArray,
    UnitSummary,
    refuse_flat,
    scale_limits,
    summarise,
)
from seedlock.analysis.estimators.pooled_t import pooled_t


def cr2(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast by least squares on unit x item cells, with units as clusters.

    Parameters
    ----------
    sample
        Levels with `cells`; units nested in levels, items crossed with them, cells may be missing. Arms
        and items are fixed effects, so that a missing item does not tilt a comparison.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        Of the contrast at equally weighted items. With no cell missing and equal numbers of units it is
        `pooled_t` to the last digit.

    Raises
    ------
    NotThisDesign
        No cells, or levels share too few items to be compared.
    TooFewUnits
        A level with fewer than two units, fewer than two items, or fewer than 2 df.
    NoSpread
        The units of a level do not differ: the variance would be estimated as 0 there, from nothing.
    NotFinite
        A cell is NaN or infinite.

    Notes
    -----
    For these items. Working model: independent cells of one variance. Our own, as statsmodels has neither
    CR2 nor its df; equal to R's clubSandwich. Bell & McCaffrey (2002), Survey Methodology 28, 169-181;
    Pustejovsky & Tipton (2018), https://doi.org/10.1080/07350015.2016.1247004
    """
    grid = cell_grid(sample, method="cr2")
    refuse_flat(sample, _unit_summaries(sample, grid), then='test = "pooled_t" takes the spread from the other levels')
    x_NP, y_N, unit_N = _design(grid)
    contrast_P = np.concatenate([grid.weights_L, np.zeros(x_NP.shape[1] - len(grid.weights_L))])
    apart = "levels share too few items: their difference is not separate from the items'"
    fit = fit_cr2(x_NP, y_N, unit_N, contrast_P, inseparable=apart)
    return t_estimate(
        estimate=fit.estimate,
        se=fit.se,
        df=fit.df,
        magnitude=grid.magnitude,
        level=level,
        edges=edges,
        method=f"CR2 by {sample.unit}, Satterthwaite t",
        what=f"{sample.unit} means",
        n_units=len(grid.units),
        limits=scale_limits(sample),
        assumes=f"{sample.unit}s are a sample; these items",
    )


def _unit_summaries(sample: Sample, grid: CellGrid) -> list[UnitSummary]:
    """The mean of every unit over its cells, a summary a level of the contrast."""
    means_U = np.nanmean(grid.y_UI, axis=1)
    return [
        summarise(lv.name, lv.weight, {str(u): float(means_U[u]) for u in np.flatnonzero(grid.level_U == place)})
        for place, lv in enumerate(sample.levels)
        if lv.weight != 0
    ]


def _design(grid: CellGrid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Arms as dummies, items as deviations from their mean; observed cells only."""
    unit_N, item_N = np.nonzero(~np.isnan(grid.y_UI))
    n_items = grid.y_UI.shape[1]
    deviations_II = np.vstack([np.eye(n_items - 1), -np.ones(n_items - 1)])
    arms_NL = np.eye(len(grid.weights_L))[grid.level_U[unit_N]]
    return np.hstack([arms_NL, deviations_II[item_N]]), grid.y_UI[unit_N, item_N], unit_N.astype(np.float64)


def _beside(planned: Estimator, sample: Sample) -> Beside | None:
    """Beside the pooled t, which it must equal where every unit answers every item."""
    items = {item for level in sample.levels for _, item in level.cells}
    if planned.run is not pooled_t or len(items) < 2 or not all(level.cells for level in sample.levels):
        return None
    return Beside(note="cluster-robust over units, with items as fixed effects", is_equal_when_balanced=True)


ESTIMATOR = Estimator(
    run=cr2,
    family="cluster-robust",
    says="a least-squares contrast with bias-reduced cluster-robust variance, units as clusters",
    source=(
        Source(
            text="Pustejovsky & Tipton (2018), J. Business & Economic Statistics", doi="10.1080/07350015.2016.1247004"
        ),
    ),
    beside=_beside,
    spread="one",
)
