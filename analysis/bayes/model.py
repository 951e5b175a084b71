"""The same hierarchies as bambi and PyMC state them: what a reader checks, and what tests hold the engine equal to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.rating_cells import CellRatings

if TYPE_CHECKING:
    import bambi as bmb
    import pymc as pm


def formula(cells: CellCounts) -> str:
    """Return the model in bambi's formula language; `run` is a unit at a level, `unit` a paired unit."""
    terms = ["0 + arm"]
    if cells.design.items:
        terms.append("(0 + arm | item)")
    if cells.design.is_paired:
        terms.append("(1 | unit)")
    return "p(k, n) ~ " + " + ".join([*terms, "(1 | run)"])


def bambi_counts(cells: CellCounts, priors: HierarchyPriors) -> bmb.Model:
    """State the binomial hierarchy in bambi: formula, priors and design.

    bambi lets item effects drift from zero within a level, where the engine makes them sum to zero; the
    level mean absorbs the difference, so that only its prior moves, by item SD / sqrt(items).
    """
    import bambi as bmb  # noqa: PLC0415 - stating a model must not slow down every analysis
    import pandas as pd  # noqa: PLC0415

    design = cells.design
    group_R, item_R = np.nonzero(cells.n_GI)
    frame = pd.DataFrame(
        {
            "k": cells.k_GI[group_R, item_R],
            "n": cells.n_GI[group_R, item_R],
            "arm": [design.levels[a] for a in design.level_G[group_R]],
            "unit": [design.units[u] for u in design.unit_G[group_R]],
            "run": [f"{design.levels[design.level_G[g]]}/{design.units[design.unit_G[g]]}" for g in group_R],
            "item": [design.items[i] for i in item_R] if design.items else "",
        }
    )
    level_mean = bmb.Prior("Normal", mu=priors.level_mean.centre, sigma=priors.level_mean.scale)
    stated: dict[str, Any] = {"arm": level_mean, "1|run": _spread(priors.run_sd.for_bambi())}
    if design.is_paired:
        stated["1|unit"] = _spread(priors.shared_sd.for_bambi())
    if design.items:
        stated["arm|item"] = _spread(priors.item_sd.for_bambi())
    return bmb.Model(formula(cells), frame, family="binomial", priors=stated)


def pymc_counts(cells: CellCounts, priors: HierarchyPriors) -> pm.Model:
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
        run_G = pm.Normal("run", centre_G, priors.run_sd.variable("run_sd"), dims="group")
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

    return bmb.Prior("Normal", mu=0, sigma=hyperprior)
