"""The seed hierarchy for counts, in PyMC: k ~ binomial(n, expit(run + item)), runs around their level's mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.bayes.cells import CellCounts, Design, FloatArray
from analysis.bayes.latent import Centring, normal_latent
from analysis.bayes.priors import HierarchyPriors

if TYPE_CHECKING:
    import pymc as pm

type Geometry = Literal["informed", "centred", "non-centred", "marginal"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogitSketch:
    """Each group's logit and the information its own answers carry about it, n p (1 - p), shape (G,)."""

    logit_G: FloatArray
    information_G: FloatArray


def sketch(cells: CellCounts) -> LogitSketch:
    """Approximate each group's likelihood by a normal one; half a success and half a failure are added."""
    n_G = cells.n_GI.sum(axis=1)
    rate_G = (cells.k_GI.sum(axis=1) + 0.5) / (n_G + 1.0)
    return LogitSketch(logit_G=np.log(rate_G / (1.0 - rate_G)), information_G=n_G * rate_G * (1.0 - rate_G))


def counts_model(cells: CellCounts, priors: HierarchyPriors, geometry: Geometry) -> pm.Model:
    """Build the hierarchy of counts in one of three geometries of the same posterior.

    "informed" samples each run as a standardised departure from its normal approximation given the level
    and the run SD, so that no funnel is left; "centred" samples the run itself, "non-centred" its departure
    in run SDs: Betancourt & Girolami (2013), https://arxiv.org/abs/1312.0906
    """
    import pymc as pm

    design, about = cells.design, sketch(cells)
    centring: Centring = "informed" if geometry == "marginal" else geometry
    with pm.Model(coords=coordinates(design), check_bounds=False) as model:
        run_sd = priors.run_sd.variable("run_sd")
        centre_G = _centres(design, priors, about, run_sd, centring)
        eta_GI = normal_latent(
            "run",
            centre_G,
            run_sd,
            estimate=about.logit_G,
            information=about.information_G,
            centring=centring,
            dims="group",
        )[:, None]
        if design.items:
            eta_GI = eta_GI + _items(cells, priors)[design.level_G]
        scored_GI = cells.n_GI > 0
        if scored_GI.all():
            pm.Binomial("k", n=cells.n_GI, logit_p=eta_GI, observed=cells.k_GI)
        else:
            pm.Binomial("k", n=cells.n_GI[scored_GI], logit_p=eta_GI[scored_GI], observed=cells.k_GI[scored_GI])
    return model


def coordinates(design: Design) -> dict[str, Any]:
    """Name the axes of a design for PyMC."""
    groups = [f"{design.levels[a]} / {design.units[u]}" for a, u in zip(design.level_G, design.unit_G, strict=True)]
    coords: dict[str, Any] = {"level": list(design.levels), "group": groups}
    if design.is_paired:
        coords["unit"] = list(design.units)
    if design.items:
        coords["item"] = list(design.items)
    return coords


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelMeans:
    """Level means as PyMC variables; `average` and `departure_A` exist where units are paired."""

    level_mean_A: Any
    average: Any = None
    departure_A: Any = None


def level_means(design: Design, priors: HierarchyPriors) -> LevelMeans:
    """Add the level means to the model in context.

    Independent normal level means split exactly into their average, normal(centre, sd / sqrt A), and
    zero-sum departures of the same sd. Paired units move the average and leave departures alone, so the
    split keeps what is loosely known apart from what is tightly known.
    """
    import pymc as pm

    prior = priors.level_mean
    if not design.is_paired:
        return LevelMeans(level_mean_A=prior.variable("level_mean", dims="level"))
    average = pm.Normal("average", prior.centre, prior.scale / np.sqrt(len(design.levels)))
    departure_A = pm.ZeroSumNormal("departure", prior.scale, dims="level")
    level_mean_A = pm.Deterministic("level_mean", average + departure_A, dims="level")
    return LevelMeans(level_mean_A=level_mean_A, average=average, departure_A=departure_A)


def _centres(design: Design, priors: HierarchyPriors, about: LogitSketch, run_sd: Any, centring: Centring) -> Any:
    """Prior mean of each group: its level's mean, or its paired unit plus its level's departure."""
    means = level_means(design, priors)
    if not design.is_paired:
        return means.level_mean_A[design.level_G]
    grid = (len(design.levels), len(design.units))
    weight_AS = (1.0 / (run_sd**2 + 1.0 / about.information_G)).reshape(grid)
    departed_AS = about.logit_G.reshape(grid) - means.departure_A[:, None]
    information_S = weight_AS.sum(axis=0)
    unit_S = normal_latent(
        "unit_centre",
        means.average,
        priors.shared_sd.variable("shared_sd"),
        estimate=(weight_AS * departed_AS).sum(axis=0) / information_S,
        information=information_S,
        centring=centring,
        dims="unit",
    )
    return (means.departure_A[:, None] + unit_S).flatten()


def _items(cells: CellCounts, priors: HierarchyPriors) -> Any:
    """Zero-sum item shifts of each level, shape (A, I): centred where an item is well measured."""
    import pymc as pm

    design = cells.design
    item_sd_A = priors.item_sd.variable("item_sd", dims="level")
    n_AI = np.stack([cells.n_GI[design.level_G == a].sum(axis=0) for a in range(len(design.levels))])
    k_AI = np.stack([cells.k_GI[design.level_G == a].sum(axis=0) for a in range(len(design.levels))])
    rate_AI = (k_AI + 0.5) / (n_AI + 1.0)
    if float(np.median(n_AI * rate_AI * (1.0 - rate_AI))) > 1.0:
        return pm.ZeroSumNormal("item", item_sd_A[:, None], dims=("level", "item"))
    z_AI = pm.ZeroSumNormal("item_z", 1.0, dims=("level", "item"))
    return pm.Deterministic("item", item_sd_A[:, None] * z_AI, dims=("level", "item"))
