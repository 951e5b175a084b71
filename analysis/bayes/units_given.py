"""True means of the units at hand, drawn given everything else: normal with normal."""

from __future__ import annotations

import numpy as np

from seedlock.analysis.bayes.cells import CellMeans, FloatArray


def units_given(
    cells: CellMeans,
    *,
    level_mean_KA: FloatArray,
    run_sd_KA: FloatArray,
    shared_sd_K: FloatArray,
    residual_sd_K: FloatArray | None,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the true mean of each group given its data and one draw of everything else, shape (K, G)."""
    design = cells.design
    noise_KG = np.zeros((len(run_sd_KA), design.n_groups))
    if cells.se_G is not None:
        noise_KG = noise_KG + cells.se_G**2
    elif cells.n_G is not None and residual_sd_K is not None:
        noise_KG = residual_sd_K[:, None] ** 2 / cells.n_G
    run_KG = run_sd_KA[:, design.level_G] ** 2
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
