"""t with units and items both a sample: for claims about new items as well as new seeds."""

from __future__ import annotations

from seedlock.analysis.estimators.internals.cell_grid import cell_grid
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.reml import fit_crossed
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import scale_limits


def crossed(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast by a mixed model with units and items crossed at random.

    Parameters
    ----------
    sample
        Levels with `cells`; units nested in levels, items crossed with them, cells may be missing.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        `df` by Satterthwaite, at most units less levels; `unit_sd` is the SD between units once items and
        residual are taken out, None where REML puts it at 0.

    Raises
    ------
    NotThisDesign
        No cells.
    TooFewUnits
        A level with fewer than two units, or fewer than two items.
    NoSpread
        No residual at all.
    DiagnosticsFailed
        The model does not converge.
    NotFinite
        A cell is NaN or infinite.

    Notes
    -----
    y = level + unit + item + level:item + residual, by REML; equal to R's lmerTest. Items as fixed effects
    would speak of these items only. Clark (1973), https://doi.org/10.1016/S0022-5371(73)80014-3;
    Judd, Westfall & Kenny (2012), https://doi.org/10.1037/a0028347
    """
    grid = cell_grid(sample, method="crossed")
    fit = fit_crossed(grid)
    return t_estimate(
        estimate=fit.estimate,
        se=fit.se,
        # Where REML puts the unit SD at or near 0 the formula counts items, and the units are as few as before.
        df=min(fit.df, float(len(grid.units) - len(sample.levels))),
        magnitude=grid.magnitude,
        level=level,
        edges=edges,
        method=f"crossed {sample.unit}s and items, REML, Satterthwaite t",
        what=f"{sample.unit} means",
        n_units=len(grid.units),
        limits=scale_limits(sample),
        unit_sd=fit.unit_sd or None,
        assumes="; ".join(filter(None, (f"{sample.unit}s and items are both samples", fit.reason))),
    )


ESTIMATOR = Estimator(
    run=crossed,
    family="mixed model",
    says="a mixed model with units and items crossed at random, so that it holds for new items too",
    source=(
        Source(text="Judd, Westfall & Kenny (2012), J. Personality and Social Psychology", doi="10.1037/a0028347"),
    ),
    spread="one",
)
