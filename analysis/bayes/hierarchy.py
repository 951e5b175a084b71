"""Fit a seed hierarchy: sufficient statistics in, draws on the response scale and their checks out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, Design, FloatArray
from seedlock.analysis.bayes.models import Engine, Likelihood
from seedlock.analysis.bayes.prior_predictive import PriorPredictive, prior_predictive
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.problem import Problem, counts_problem, means_problem
from seedlock.analysis.bayes.rating_cells import CellRatings
from seedlock.analysis.bayes.ratings import ratings_problem, ratings_response
from seedlock.analysis.bayes.response import ItemTarget, Response, counts_response, means_response
from seedlock.analysis.bayes.sampling import Diagnostics, GateRules, Sampler, diagnose, sample
from seedlock.prereg.errors import BadInput, NoSpread, NotCounts

if TYPE_CHECKING:
    import xarray as xr

_MANY_ITEMS = 200
"""Items times levels beyond which a step of 0.8 is no risk: measured, 5 items x 2 levels diverge there."""

type Cells = CellCounts | CellMeans | CellRatings
type Geometry = Literal["informed", "non-centred", "bambi's own", "hierarchically centred"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sampling run: how it was made, what its checks said, and why it failed (empty when it passed)."""

    geometry: Geometry
    sampler: Sampler
    diagnostics: Diagnostics
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HierarchyFit:
    """A posterior of the seed hierarchy; `contrast` refuses to read it where its gates failed.

    Parameters
    ----------
    design, likelihood, items
        What was fitted, and whether level means average over these items or new ones.
    priors
        In the measure's own unit.
    is_scale_from_data
        Means only: the priors' unit was taken from the data, because the plan named none.
    response
        Draws on the response scale.
    prior
        Prior predictive, and prior draws of the SD between units.
    attempts
        Every sampling run, in order; the last one is this posterior.
    rules
        The gates it was held to.
    tree
        The sampler's own draws and statistics, for plots and the archive.
    engine
        What sampled: the compiled densities of this package, or the model as bambi (or PyMC) states it.
    is_run_sd_by_level
        Each level has its own SD between runs.
    """

    design: Design
    likelihood: Likelihood
    items: ItemTarget
    priors: HierarchyPriors
    is_scale_from_data: bool
    response: Response
    prior: PriorPredictive
    attempts: tuple[Attempt, ...]
    rules: GateRules
    tree: xr.DataTree
    engine: Engine
    is_run_sd_by_level: bool

    @property
    def diagnostics(self) -> Diagnostics:
        """Diagnostics of the posterior that was kept."""
        return self.attempts[-1].diagnostics

    @property
    def sampler(self) -> Sampler:
        """Settings that drew this posterior."""
        return self.attempts[-1].sampler

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the gates failed; empty when they hold."""
        return self.attempts[-1].reasons

    @property
    def is_sound(self) -> bool:
        """Every gate holds."""
        return not self.reasons


def fit_hierarchy(
    cells: Cells,
    *,
    likelihood: Likelihood,
    seed: int,
    priors: HierarchyPriors | None = None,
    items: ItemTarget = "these",
    is_run_sd_by_level: bool = False,
    draws: int = 1000,
    chains: int = 4,
    cores: int = 2,
    rules: GateRules | None = None,
    engine: Engine = "seedlock",
) -> HierarchyFit:
    """Sample the seed hierarchy, again with a smaller step and then the other geometry where its gates fail.

    Parameters
    ----------
    cells
        Counts for "binomial" and "beta-binomial", means for "gaussian" and "student-t", ratings for
        "cumulative-logit".
    likelihood
        How answers scatter about their unit.
    seed
        Of every random number; the same seed gives the same numbers.
    priors
        Defaults as `HierarchyPriors`.
    items
        "these" averages level means over the items at hand, "new" over items of the kind.
    is_run_sd_by_level
        One run SD a level, instead of one for all.
    draws, chains, cores
        Draws kept a chain (as many warm up), chains, and chains run at once.
    rules
        Gates; the defaults are those of the design.
    engine
        "bambi" samples bambi's own form, and counts that it mixes badly on as PyMC's hierarchically centred one.

    Raises
    ------
    NotCounts
        The likelihood does not fit the kind of cells.
    NoSpread
        Means only: every unit of every level has the same mean.
    BadInput
        `items="new"` without items.

    Notes
    -----
    The unit of replication is the run: adding completions or items narrows what is known of these units,
    never of new ones beyond the spread between units. A fit that fails its gates is returned with its
    reasons, for plots; it gives no verdict.
    """
    rules = rules or GateRules()
    scaled, is_scale_from_data = _in_measure_unit(cells, likelihood, priors or HierarchyPriors())
    if items == "new" and not cells.design.items:
        raise BadInput("new items are the target, but the cells name no items")
    prior = prior_predictive(cells, scaled, np.random.default_rng([seed, 1]))
    attempts: list[Attempt] = []
    first = first_sampler(cells, seed=seed, draws=draws, chains=chains, cores=cores)
    for form, sampler in _attempts(cells, likelihood, first, engine):
        tree = _sample(cells, scaled, likelihood, form, sampler, by_level=is_run_sd_by_level)
        response = _respond(tree, cells, items, np.random.default_rng([seed, 2]))
        reported = {"level mean": response.level_mean_KA, "difference": _differences(response.level_mean_KA)}
        checks = diagnose(tree, reported, prior.outside)
        reasons = checks.reasons(rules)
        attempts.append(Attempt(geometry=form, sampler=sampler, diagnostics=checks, reasons=reasons))
        if not reasons or prior.outside:
            break
    return HierarchyFit(
        design=cells.design,
        likelihood=likelihood,
        items=items,
        priors=scaled,
        is_scale_from_data=is_scale_from_data,
        response=response,
        prior=prior,
        attempts=tuple(attempts),
        rules=rules,
        tree=tree,
        engine=engine,
        is_run_sd_by_level=is_run_sd_by_level,
    )


def first_sampler(cells: Cells, *, seed: int, draws: int = 1000, chains: int = 4, cores: int = 2) -> Sampler:
    """Settings of the first run: short steps for few numbers; hundreds of items leave no funnel and need none."""
    step = 0.8 if len(cells.design.levels) * len(cells.design.items) > _MANY_ITEMS else 0.95
    return Sampler(seed=seed, draws=draws, tune=draws, chains=chains, cores=cores, target_accept=step)


def _attempts(
    cells: Cells, likelihood: Likelihood, first: Sampler, engine: Engine
) -> tuple[tuple[Geometry, Sampler], ...]:
    """Name the runs to make, in order, until one passes: smaller steps and more draws, then another geometry."""
    careful = replace(first, target_accept=0.99, draws=4 * first.draws)
    if engine == "bambi":
        own: tuple[tuple[Geometry, Sampler], ...] = (("bambi's own", first), ("bambi's own", careful))
        return (*own, ("hierarchically centred", careful)) if likelihood == "binomial" else own
    runs: tuple[tuple[Geometry, Sampler], ...] = (("informed", first), ("informed", careful))
    return runs if isinstance(cells, CellMeans) else (*runs, ("non-centred", careful))


def _sample(
    cells: Cells, priors: HierarchyPriors, likelihood: Likelihood, form: Geometry, sampler: Sampler, *, by_level: bool
) -> xr.DataTree:
    """One sampling run in a geometry; whatever sampled, the draws have the same names."""
    if form in ("informed", "non-centred"):
        return sample(_problem(cells, priors, likelihood, form, by_level), sampler, cells.design)
    from seedlock.analysis.bayes.bambi_engine import sample_bambi, sample_centred  # noqa: PLC0415 - many seconds

    if form == "hierarchically centred" and isinstance(cells, CellCounts):
        return sample_centred(cells, priors, sampler, is_run_sd_by_level=by_level)
    return sample_bambi(cells, likelihood, priors, sampler, is_run_sd_by_level=by_level)


def _differences(level_mean_KA: FloatArray) -> FloatArray:
    """Every pairwise difference of level means, shape (K, pairs)."""
    low_P, high_P = np.triu_indices(level_mean_KA.shape[1], k=1)
    return level_mean_KA[:, high_P] - level_mean_KA[:, low_P]


def _problem(cells: Cells, priors: HierarchyPriors, likelihood: Likelihood, form: Geometry, by_level: bool) -> Problem:
    if isinstance(cells, CellCounts):
        return counts_problem(
            cells,
            priors,
            is_informed=form == "informed",
            is_overdispersed=likelihood == "beta-binomial",
            is_run_sd_by_level=by_level,
        )
    if isinstance(cells, CellRatings):
        return ratings_problem(cells, priors, is_informed=form == "informed")
    return means_problem(cells, priors, is_heavy_tailed=likelihood == "student-t", is_run_sd_by_level=by_level)


def _respond(tree: xr.DataTree, cells: Cells, items: ItemTarget, rng: np.random.Generator) -> Response:
    if isinstance(cells, CellCounts):
        return counts_response(tree, cells, items, rng)
    if isinstance(cells, CellRatings):
        return ratings_response(tree, cells, rng)
    return means_response(tree, cells, rng)


def _in_measure_unit(cells: Cells, likelihood: Likelihood, priors: HierarchyPriors) -> tuple[HierarchyPriors, bool]:
    """Refuse a likelihood that does not fit the cells; put the priors of means in the measure's unit."""
    if isinstance(cells, CellCounts):
        if likelihood not in ("binomial", "beta-binomial"):
            raise NotCounts(f"{likelihood!r} needs means per unit, not counts")
        if likelihood == "beta-binomial" and cells.n_GI.shape[1] < 2:
            raise NotCounts("with one cell a unit, overdispersion cannot be told from the spread between units")
        return priors, False
    if isinstance(cells, CellRatings) or likelihood == "cumulative-logit":
        if not isinstance(cells, CellRatings) or likelihood != "cumulative-logit":
            raise NotCounts("the cumulative logit is for ratings, and ratings are for it")
        return priors, False
    if likelihood not in ("gaussian", "student-t"):
        raise NotCounts(f"{likelihood!r} needs counts, not means")
    if likelihood == "student-t" and (cells.n_G is not None or cells.se_G is not None):
        raise NotCounts("heavy tails between units are for unit means alone, without their sampling noise")
    _refuse_no_spread(cells)
    unit, centre = priors.outcome_sd, priors.outcome_centre
    is_from_data = unit is None or centre is None
    unit = float(np.std(cells.mean_G, ddof=1)) if unit is None else unit
    centre = float(np.mean(cells.mean_G)) if centre is None else centre
    return priors.in_unit(unit, centre), is_from_data


def _refuse_no_spread(cells: CellMeans) -> None:
    level_G = cells.design.level_G
    spans: Callable[[FloatArray], float] = np.ptp
    if cells.se_G is None and all(spans(cells.mean_G[level_G == a]) == 0.0 for a in range(len(cells.design.levels))):
        raise NoSpread("every unit of every level has the same mean")
