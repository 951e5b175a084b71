"""One Bayesian fit for all hypotheses that speak of the same data, with its checks: made once, numbered in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seedlock.analysis.bayes.cells import CellCounts, Nesting, count_cells, mean_cells
from seedlock.analysis.bayes.models import MODELS, Engine, Likelihood, Model
from seedlock.analysis.bayes.rating_cells import rating_cells
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.hypothesis import Data, Tested
from seedlock.analysis.inference.select import ordered_mean
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import NotCounts, NotThisDesign, Refusal
from seedlock.prereg.plan.plan import Hypothesis

if TYPE_CHECKING:
    from seedlock.analysis.bayes.checks import FitChecks
    from seedlock.analysis.bayes.hierarchy import Cells, HierarchyFit
    from seedlock.analysis.bayes.run_sd import RunSd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A fit and the cells behind it."""

    fit: HierarchyFit
    cells: Cells


@dataclass(slots=True, kw_only=True, eq=False)
class Fits:
    """Fits made so far for one set of data; a refusal is remembered like a fit."""

    data: Data
    engine: Engine = "seedlock"
    made: dict[str, Fitted | Refusal] = field(default_factory=dict)
    checked: dict[str, FitChecks] = field(default_factory=dict)
    spread: dict[str, RunSd] = field(default_factory=dict)

    def of(self, hypothesis: Hypothesis, tested: Tested, run_sd_prior: str) -> Fitted:
        """The fit that answers a hypothesis under a prior of the run SD.

        Raises
        ------
        Refusal
            The data cannot carry the model.
        """
        by_level = self.run_sd(hypothesis, tested).is_by_level
        return self._fit(hypothesis, tested, run_sd_prior, by_level=by_level)

    def run_sd(self, hypothesis: Hypothesis, tested: Tested) -> RunSd:
        """Whether each level has its own SD between runs, by the plan's rule and under the plan's own prior.

        Raises
        ------
        Refusal
            The data cannot carry the model.
        """
        from seedlock.analysis.bayes.predictive_check import predictive_checks  # noqa: PLC0415
        from seedlock.analysis.bayes.run_sd import RULE, RunSd, judge_shared  # noqa: PLC0415

        bayes, model = self.data.plan.bayes, MODELS[str(hypothesis.bayes)]
        if bayes.run_sd != RULE or model.of_ratings is not None:
            return RunSd(is_by_level=_is_by_level(hypothesis, model, by_level=bayes.run_sd == "by level"))
        key = self.key(hypothesis, tested, bayes.run_sd_prior)
        if key not in self.spread:
            shared = self._fit(hypothesis, tested, bayes.run_sd_prior, by_level=False)
            if len(shared.fit.design.levels) < 2 or not shared.fit.is_sound:
                self.spread[key] = RunSd(is_by_level=False)
            else:
                rng = np.random.default_rng([shared.fit.sampler.seed, 3])
                self.spread[key] = judge_shared(predictive_checks(shared.fit, shared.cells, rng))
        return self.spread[key]

    def _fit(self, hypothesis: Hypothesis, tested: Tested, run_sd_prior: str, *, by_level: bool) -> Fitted:
        from seedlock.analysis.bayes.hierarchy import fit_hierarchy  # noqa: PLC0415  (numba takes seconds to import)
        from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior  # noqa: PLC0415

        key = f"{self.key(hypothesis, tested, run_sd_prior)} {by_level}"
        bayes, model = self.data.plan.bayes, MODELS[str(hypothesis.bayes)]
        if key not in self.made:
            try:
                cells = _cells(self._rows(hypothesis, tested), model, is_paired=ESTIMATORS[hypothesis.test].is_paired)
                fit = fit_hierarchy(
                    cells,
                    likelihood=_likelihood(hypothesis, model, cells),
                    seed=bayes.seed,
                    priors=HierarchyPriors(run_sd=parse_prior(run_sd_prior)),
                    items=self.data.plan.inference.items if model.is_crossed else "these",
                    is_run_sd_by_level=by_level,
                    draws=bayes.draws,
                    chains=bayes.chains,
                    engine=self.engine,
                )
                self.made[key] = Fitted(fit=fit, cells=cells)
            except Refusal as refusal:
                self.made[key] = refusal
        found = self.made[key]
        if isinstance(found, Refusal):
            raise found
        return found

    def checks(self, hypothesis: Hypothesis, tested: Tested) -> FitChecks:
        """Checks of the fit under the plan's own prior, made once."""
        from seedlock.analysis.bayes.checks import check_fit  # noqa: PLC0415

        prior = self.data.plan.bayes.run_sd_prior
        key, found = self.key(hypothesis, tested, prior), self.of(hypothesis, tested, prior)
        if key not in self.checked:
            self.checked[key] = check_fit(found.fit, found.cells)
        return self.checked[key]

    def name(self, hypothesis: Hypothesis, tested: Tested) -> str:
        """`fit-1`: the place of a hypothesis's own fit among those that have checks."""
        key = self.key(hypothesis, tested, self.data.plan.bayes.run_sd_prior)
        return f"fit-{1 + list(self.checked).index(key)}"

    def key(self, hypothesis: Hypothesis, tested: Tested, run_sd_prior: str) -> str:
        """What determines a fit."""
        rows = self._rows(hypothesis, tested)
        paired = ESTIMATORS[hypothesis.test].is_paired
        return sha256_json([rows.to_json(orient="values"), paired, run_sd_prior, hypothesis.bayes])

    def _rows(self, hypothesis: Hypothesis, tested: Tested) -> pd.DataFrame:
        """One row a unit and level (and item): k and n where answers were counted, else the unit's mean.

        Levels of weight 0 stay out: their units say nothing of how much the others' differ.
        """
        chosen = tested.chosen
        if chosen is None:
            raise AssertionError("a tested hypothesis has its rows")
        if hypothesis.contrast is not None:
            weighed = [level for level, weight in hypothesis.contrast.items() if weight]
            chosen = chosen[chosen["level"].isin(weighed)]
        scored = chosen[chosen["mean"].notna()]
        if MODELS[str(hypothesis.bayes)].of_ratings is not None:
            return _rating_rows(scored, self.data.ratings, hypothesis)
        is_crossed = MODELS[str(hypothesis.bayes)].is_crossed
        groups = scored.groupby(["level", "unit_label", *(["item_id"] if is_crossed else [])], sort=True)
        is_count = bool(scored["k"].notna().all() and scored["n_scored"].notna().all())
        frame = groups[["k", "n_scored"]].sum().astype("Int64") if is_count else pd.DataFrame(index=groups.size().index)
        frame["mean"] = [ordered_mean(rows["mean"]) for _, rows in groups]
        return frame.reset_index()


def _rating_rows(scored: pd.DataFrame, ratings: pd.DataFrame | None, hypothesis: Hypothesis) -> pd.DataFrame:
    """One row a unit, level and score, with how often it was given."""
    if ratings is None:
        raise NotThisDesign(f"{hypothesis.bayes} reads single answers, and only counts or means are sealed")
    own = ratings.loc[ratings["measure"] == hypothesis.measure, ["run_id", "item_id", "score", "n"]]
    joined = scored[["run_id", "item_id", "level", "unit_label"]].merge(own, on=["run_id", "item_id"])
    if int(joined["n"].sum()) != int(scored["n_scored"].sum()):
        raise NotThisDesign(f"{hypothesis.bayes} reads single answers; these were averaged before they were compared")
    return joined.groupby(["level", "unit_label", "score"], sort=True)["n"].sum().reset_index()


def _is_by_level(hypothesis: Hypothesis, model: Model, *, by_level: bool) -> bool:
    if by_level and model.of_ratings is not None:
        raise NotThisDesign(f'{hypothesis.bayes} has one SD between runs: [bayes] run_sd = "shared"')
    return by_level


def _likelihood(hypothesis: Hypothesis, model: Model, cells: Cells) -> Likelihood:
    if model.of_ratings is not None:
        return model.of_ratings
    found = model.of_counts if isinstance(cells, CellCounts) else model.of_means
    if found is None:
        wants = "means, and answers were counted" if isinstance(cells, CellCounts) else "counts, and there are means"
        raise NotCounts(f"{hypothesis.bayes} is a model of {wants}")
    if model.is_crossed and hypothesis.unit in {"item", "answer"}:
        raise NotThisDesign(f"{hypothesis.bayes} crosses units with items, but the items are the units")
    return found


def _cells(rows: pd.DataFrame, model: Model, *, is_paired: bool) -> Cells:
    level, unit = [str(v) for v in rows["level"]], [str(v) for v in rows["unit_label"]]
    nesting: Nesting = "paired" if is_paired and len(set(level)) > 1 else "nested"
    if model.of_ratings is not None:
        score, times = rows["score"].to_numpy(dtype="float64"), rows["n"].to_numpy(dtype="int64")
        return rating_cells(level=level, unit=unit, score=score, n=times, paired=nesting == "paired")
    if "k" not in rows or model.of_counts is None:
        return mean_cells(level=level, unit=unit, mean=rows["mean"].to_numpy(dtype="float64"), nesting=nesting)
    k, n = rows["k"].to_numpy(dtype="int64"), rows["n_scored"].to_numpy(dtype="int64")
    item = [str(v) for v in rows["item_id"]] if model.is_crossed else None
    if item is not None and len(set(item)) < 2:
        raise NotThisDesign(f"units cannot be crossed with {len(set(item))} item")
    return count_cells(level=level, unit=unit, item=item, k=k, n=n, nesting=nesting)
