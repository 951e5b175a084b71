"""One Bayesian fit for all hypotheses that speak of the same data, with its checks: made once, numbered in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from seedlock.analysis.bayes.cells import CellCounts, Nesting, count_cells, mean_cells
from seedlock.analysis.bayes.models import MODELS, Likelihood, Model
from seedlock.analysis.bayes.rating_cells import rating_cells
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.hypothesis import Data, Tested
from seedlock.analysis.inference.select import ordered_mean, select
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import NotCounts, NotThisDesign, Refusal
from seedlock.prereg.plan.plan import BASELINE_ARM, Hypothesis

if TYPE_CHECKING:
    from seedlock.analysis.bayes.checks import FitChecks
    from seedlock.analysis.bayes.hierarchy import Cells, HierarchyFit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A fit and the cells behind it."""

    fit: HierarchyFit
    cells: Cells


@dataclass(slots=True, kw_only=True, eq=False)
class Fits:
    """Fits made so far for one set of data; a refusal is remembered like a fit."""

    data: Data
    made: dict[str, Fitted | Refusal] = field(default_factory=dict)
    checked: dict[str, FitChecks] = field(default_factory=dict)

    def of(self, hypothesis: Hypothesis, tested: Tested, run_sd_prior: str) -> Fitted:
        """The fit that answers a hypothesis under a prior of the run SD.

        Raises
        ------
        Refusal
            The data cannot carry the model.
        """
        from seedlock.analysis.bayes.hierarchy import fit_hierarchy  # noqa: PLC0415  (numba takes seconds to import)
        from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior  # noqa: PLC0415

        key = self.key(hypothesis, tested, run_sd_prior)
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
                    is_run_sd_by_level=_is_by_level(hypothesis, model, by_level=bayes.run_sd == "by level"),
                    draws=bayes.draws,
                    chains=bayes.chains,
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

        All levels of the contrasted factor lend their spread, unless units are paired.
        """
        chosen = tested.chosen
        if hypothesis.contrast is not None and not ESTIMATORS[hypothesis.test].is_paired:
            levels = [level for level in self.data.cells[hypothesis.over].dropna().unique() if level != BASELINE_ARM]
            everyone = hypothesis.model_copy(update={"contrast": dict.fromkeys(levels, 1.0)})
            chosen = select(self.data.cells, self.data.plan, everyone, tested.extra)
        if chosen is None:
            raise AssertionError("a tested hypothesis has its rows")
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
