"""The hierarchies as bambi and PyMC state them: what a reader checks, `--engine bambi` fits and tests compare."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, CellMeans
from seedlock.analysis.bayes.models import Likelihood
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.rating_cells import CellRatings
from seedlock.analysis.bayes.stated import SUM_CODED, Stated, state
from seedlock.prereg.errors import NotThisDesign

if TYPE_CHECKING:
    import bambi as bmb
    import pandas as pd
    import pymc as pm


def bambi_model(
    cells: CellCounts | CellMeans | CellRatings,
    likelihood: Likelihood,
    priors: HierarchyPriors,
    *,
    is_run_sd_by_level: bool = False,
) -> bmb.Model:
    """Build the hierarchy in bambi from the words that `state` says of it.

    Levels, units, items and runs are labelled by their place in the design, in three to six digits.

    Raises
    ------
    NotThisDesign
        Means with the spread of their answers, or ratings with an SD a level: no plan asks for them.

    Notes
    -----
    bambi lets item effects drift from zero within a level, where the engine makes them sum to zero; the level mean
    absorbs the difference, so that only its prior moves, by item SD / sqrt(items).
    """
    import bambi as bmb  # noqa: PLC0415 - stating a model must not slow down every analysis

    if isinstance(cells, CellMeans) and (cells.n_G is not None or cells.se_G is not None):
        raise NotThisDesign("bambi's form is stated for unit means without the spread of their answers")
    if isinstance(cells, CellRatings) and is_run_sd_by_level:
        raise NotThisDesign("ratings have one SD between runs")
    stated = state(cells.design, likelihood, priors, is_run_sd_by_level=is_run_sd_by_level)
    formulas = [stated.formula, *([stated.sigma_formula] if stated.sigma_formula else [])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns inside bambi's design matrices
        model = bmb.Model(
            bmb.Formula(*formulas), _rows(cells), family=stated.family, priors=_bambi_priors(stated, priors, cells)
        )
        if SUM_CODED in stated.priors:
            model.set_alias({SUM_CODED: "level"})  # the sampler splits names of axes at commas
        model.build()
    return model


def _rows(cells: CellCounts | CellMeans | CellRatings) -> pd.DataFrame:
    """One row a cell of counts, a unit mean, or a single rating."""
    import pandas as pd  # noqa: PLC0415

    design = cells.design
    if isinstance(cells, CellCounts):
        group_R, item_R = np.nonzero(cells.n_GI)
        told: dict[str, Any] = {"k": cells.k_GI[group_R, item_R], "n": cells.n_GI[group_R, item_R]}
        told["item"] = [f"{i:06d}" for i in item_R]
    elif isinstance(cells, CellRatings):
        group_R = np.repeat(np.arange(design.n_groups), cells.n_GC.sum(axis=1))
        score_R = np.concatenate([np.repeat(np.arange(len(n_C)), n_C) for n_C in cells.n_GC])
        told = {"score": pd.Categorical(score_R, categories=range(len(cells.score_C)), ordered=True)}
    else:
        group_R, told = np.arange(design.n_groups), {"mean": cells.mean_G}
    told["arm"] = [f"{a:03d}" for a in design.level_G[group_R]]
    told["unit"] = [f"{u:06d}" for u in design.unit_G[group_R]]
    told["run"] = [f"{g:06d}" for g in group_R]
    return pd.DataFrame(told)


def _bambi_priors(
    stated: Stated, priors: HierarchyPriors, cells: CellCounts | CellMeans | CellRatings
) -> dict[str, Any]:
    """The stated priors as bambi's objects, term by term."""
    import bambi as bmb  # noqa: PLC0415
    import pymc as pm  # noqa: PLC0415
    import pytensor.tensor as pt  # noqa: PLC0415

    def kappa(name: str) -> Any:
        return pm.Deterministic(name, priors.overdispersion.variable(f"{name}_omega") ** -2)

    def nu(name: str) -> Any:
        return pm.Deterministic(name, 2.0 + pm.Gamma(f"{name}_beyond_two", 2.0, 0.1))

    def log_sd(name: str, dims: Any = None) -> Any:
        return pm.Deterministic(name, pt.log(priors.run_sd.variable(f"{name}_sd", dims=dims)), dims=dims)

    level = {"mu": priors.level_mean.centre, "sigma": priors.level_mean.scale}
    of_run = _spread(priors.run_sd.for_bambi())
    cuts = len(cells.score_C) - 1 if isinstance(cells, CellRatings) else 0
    in_order = {"transform": pm.distributions.transforms.ordered, "initval": np.arange(cuts, dtype=np.float64)}
    of_run = _spread(priors.run_sd.for_bambi())
    every = {
        "arm": bmb.Prior("Normal", auto_scale=False, **level),
        SUM_CODED: _sum_coded(len(cells.design.levels), priors.level_mean.scale),
        "1|run": of_run,
        "arm|run": of_run,
        "1|unit": _spread(priors.shared_sd.for_bambi()),
        "arm|item": _spread(priors.item_sd.for_bambi()),
        "sigma": {"arm": bmb.Prior("LogSD", auto_scale=False, dist=log_sd)}
        if stated.sigma_formula
        else priors.run_sd.for_bambi(),
        "kappa": bmb.Prior("Kappa", auto_scale=False, dist=kappa),
        "nu": bmb.Prior("Nu", auto_scale=False, dist=nu),
        "threshold": bmb.Prior(
            "Normal", auto_scale=False, mu=priors.cutpoint.centre, sigma=priors.cutpoint.scale, **in_order
        ),
    }
    return {term: every[term] for term in stated.priors}


def pymc_counts(cells: CellCounts, priors: HierarchyPriors, *, is_run_sd_by_level: bool = False) -> pm.Model:
    """Build the binomial hierarchy in PyMC, hierarchically centred: run ~ normal(level mean + unit, run SD)."""
    import pymc as pm  # noqa: PLC0415

    design = cells.design
    coords = {"level": design.levels, "unit": design.units, "item": design.items, "group": range(design.n_groups)}
    with pm.Model(coords={axis: list(labels) for axis, labels in coords.items() if labels}) as model:
        prior = priors.level_mean
        level_mean_A = pm.Normal("level_mean", prior.centre, prior.scale, dims="level")
        centre_G = level_mean_A[design.level_G]
        if design.is_paired:
            shared_sd = priors.shared_sd.variable("shared_sd")
            centre_G = centre_G + pm.Normal("shared", 0.0, shared_sd, dims="unit")[design.unit_G]
        run_sd = priors.run_sd.variable("run_sd", dims="level" if is_run_sd_by_level else None)
        run_G = pm.Normal("run", centre_G, run_sd[design.level_G] if is_run_sd_by_level else run_sd, dims="group")
        logit_GI = run_G[:, None]
        if design.items:
            item_sd_A = priors.item_sd.variable("item_sd", dims="level")
            item_AI = pm.ZeroSumNormal("item_shift", item_sd_A[:, None], dims=("level", "item"))
            logit_GI = logit_GI + item_AI[design.level_G]
        scored_GI = cells.n_GI > 0
        pm.Binomial("k", n=cells.n_GI[scored_GI], logit_p=logit_GI[scored_GI], observed=cells.k_GI[scored_GI])
    return model


def pymc_ratings(cells: CellRatings, priors: HierarchyPriors) -> pm.Model:
    """Build the cumulative logit hierarchy in PyMC: level means sum to zero, cutpoints in order."""
    import pymc as pm  # noqa: PLC0415

    design, cuts = cells.design, len(cells.score_C) - 1
    with pm.Model() as model:
        level_mean_A = pm.ZeroSumNormal("level_mean", priors.level_mean.scale, shape=len(design.levels))
        cut = pm.Normal(
            "cutpoint",
            priors.cutpoint.centre,
            priors.cutpoint.scale,
            shape=cuts,
            transform=pm.distributions.transforms.ordered,
            initval=np.arange(cuts, dtype=float),
        )
        run_G = pm.Normal("run", level_mean_A[design.level_G], priors.run_sd.variable("run_sd"), shape=design.n_groups)
        pm.OrderedMultinomial("n", eta=run_G, cutpoints=cut, n=cells.n_GC.sum(axis=1), observed=cells.n_GC)
    return model


def _spread(hyperprior: Any) -> Any:
    import bambi as bmb  # noqa: PLC0415

    return bmb.Prior("Normal", auto_scale=False, mu=0, sigma=hyperprior)


def _sum_coded(levels: int, sd: float) -> Any:
    """Normal effects that sum to zero over levels, as all but the last of them are coded."""
    import bambi as bmb  # noqa: PLC0415

    free = max(1, levels - 1)
    covariance = sd**2 * (np.eye(free) - 1.0 / levels)
    if free == 1:
        return bmb.Prior("Normal", auto_scale=False, mu=0.0, sigma=float(np.sqrt(covariance[0, 0])))
    return bmb.Prior("MvNormal", auto_scale=False, mu=np.zeros(free), cov=covariance)
