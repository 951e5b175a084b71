"""The seed hierarchy for unit means, in PyMC: every unit is integrated out, so only a handful of numbers is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bayes.cells import CellMeans, FloatArray
from analysis.bayes.model import coordinates, level_means
from analysis.bayes.priors import HierarchyPriors

if TYPE_CHECKING:
    import pymc as pm


def means_model(cells: CellMeans, priors: HierarchyPriors) -> pm.Model:
    """Build unit means ~ normal(level mean, run SD^2 + sampling variance [+ shared SD^2 within a unit]).

    Where answers and SDs are known, the sums of squares inform the residual SD: with the means they are
    sufficient. With unit means alone the run SD is their whole spread. A paired unit's means share the
    covariance shared SD^2 J; its determinant and inverse are Sherman & Morrison's.
    """
    import pymc as pm

    design = cells.design
    with pm.Model(coords=coordinates(design), check_bounds=False) as model:
        level_mean_A = level_means(design, priors).level_mean_A
        run_sd = priors.run_sd.variable("run_sd")
        variance_G = run_sd**2 + _sampling_variance(cells, priors) * np.ones(design.n_groups)
        centre_G = level_mean_A[design.level_G]
        pm.Normal("mean", centre_G, pm.math.sqrt(variance_G), observed=cells.mean_G)
        if design.is_paired:
            shared_sd = priors.shared_sd.variable("shared_sd")
            grid = (len(design.levels), len(design.units))
            inflation_S = 1.0 + shared_sd**2 * (1.0 / variance_G).reshape(grid).sum(axis=0)
            pull_S = ((cells.mean_G - centre_G) / variance_G).reshape(grid).sum(axis=0)
            within = shared_sd**2 * pull_S**2 / inflation_S - pm.math.log(inflation_S)
            pm.Potential("units_pair_levels", 0.5 * within)
    return model


def units_given(
    cells: CellMeans,
    *,
    level_mean_KA: FloatArray,
    run_sd_K: FloatArray,
    shared_sd_K: FloatArray,
    residual_sd_K: FloatArray | None,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the true mean of each group given its data and one draw of everything else, shape (K, G)."""
    design = cells.design
    noise_KG = np.zeros((len(run_sd_K), design.n_groups))
    if cells.se_G is not None:
        noise_KG = noise_KG + cells.se_G**2
    elif cells.n_G is not None and residual_sd_K is not None:
        noise_KG = residual_sd_K[:, None] ** 2 / cells.n_G
    run_KG = np.broadcast_to(run_sd_K[:, None] ** 2, noise_KG.shape)
    centre_KG = level_mean_KA[:, design.level_G]
    if design.is_paired:
        of_unit_GS = np.equal.outer(design.unit_G, np.arange(len(design.units))).astype(np.float64)
        precision_KG = 1.0 / (run_KG + noise_KG)
        shared_KS = (shared_sd_K**2)[:, None]
        share_KS = shared_KS / (1.0 + shared_KS * (precision_KG @ of_unit_GS))
        mean_KS = share_KS * (((cells.mean_G - centre_KG) * precision_KG) @ of_unit_GS)
        unit_KS = mean_KS + np.sqrt(share_KS) * rng.standard_normal(mean_KS.shape)
        centre_KG = centre_KG + unit_KS[:, design.unit_G]
    share_KG = run_KG / (run_KG + noise_KG)
    mean_KG = centre_KG + share_KG * (cells.mean_G - centre_KG)
    return mean_KG + np.sqrt(share_KG * noise_KG) * rng.standard_normal(mean_KG.shape)


def _sampling_variance(cells: CellMeans, priors: HierarchyPriors) -> Any:
    """Variance of each group mean given its unit; the sums of squares inform the residual SD."""
    import pymc as pm

    if cells.se_G is not None:
        return cells.se_G**2
    if cells.n_G is None or cells.sd_G is None:
        return 0.0
    residual_sd = priors.residual_sd.variable("residual_sd")
    df = float((cells.n_G - 1).sum())
    squares = float(((cells.n_G - 1) * cells.sd_G**2).sum())
    if df > 0:
        pm.Potential("within_unit_squares", -df * pm.math.log(residual_sd) - squares / (2.0 * residual_sd**2))
    return residual_sd**2 / cells.n_G
