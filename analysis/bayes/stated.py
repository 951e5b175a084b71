"""Every hierarchy as bambi states it, in words: formula, family and priors. Tests hold bambi's own objects to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seedlock.analysis.bayes.cells import Design
from seedlock.analysis.bayes.models import Likelihood
from seedlock.analysis.bayes.priors import HierarchyPriors

FAMILIES: Mapping[Likelihood, str] = {
    "binomial": "binomial",
    "beta-binomial": "beta_binomial",
    "gaussian": "gaussian",
    "student-t": "t",
    "cumulative-logit": "cumulative",
}
"""bambi's name of each likelihood."""
SUM_CODED = "C(arm, Sum)"
"""Levels of ratings lie about the cutpoints, which take the place of an intercept."""
_RESPONSES: Mapping[Likelihood, str] = {
    "binomial": "p(k, n)",
    "beta-binomial": "p(k, n)",
    "gaussian": "mean",
    "student-t": "mean",
    "cumulative-logit": "score",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """One hierarchy in bambi's language.

    Parameters
    ----------
    formula
        `arm` is a level, `run` a unit at a level, `unit` a paired unit. Unit means have one row a run, so that the SD
        between runs is the family's `sigma`.
    sigma_formula
        Of `sigma` where each level has its own; None where all share it.
    family
        Of the response.
    priors
        Term or parameter -> its prior, in the words of a plan.
    """

    formula: str
    sigma_formula: str | None
    family: str
    priors: Mapping[str, str]

    @property
    def text(self) -> str:
        """The formula on one line, with that of `sigma` where there is one."""
        return self.formula if self.sigma_formula is None else f"{self.formula}; {self.sigma_formula}"


def state(design: Design, likelihood: Likelihood, priors: HierarchyPriors, *, is_run_sd_by_level: bool) -> Stated:
    """State the hierarchy of a design.

    Parameters
    ----------
    priors
        In the measure's own unit, where means are modelled.
    """
    is_means = _RESPONSES[likelihood] == "mean"
    level = str(priors.level_mean)
    run = f"{priors.run_sd} in each arm" if is_run_sd_by_level else str(priors.run_sd)
    if likelihood != "cumulative-logit":
        terms, said = ["0 + arm"], {"arm": level}
    elif len(design.levels) > 1:
        terms, said = [SUM_CODED], {SUM_CODED: f"{level}, summing to zero over arms"}
    else:
        terms, said = ["1"], {}
    if design.items:
        terms.append("(0 + arm | item)")
        said["arm|item"] = _effect(f"{priors.item_sd} in each arm")
    if design.is_paired:
        terms.append("(1 | unit)")
        said["1|unit"] = _effect(f"{priors.shared_sd}")
    if not is_means:
        own = "0 + arm" if is_run_sd_by_level else "1"
        terms.append(f"({own} | run)")
        said["arm|run" if is_run_sd_by_level else "1|run"] = _effect(run)
    else:
        said["sigma"] = run
    if likelihood == "beta-binomial":
        said["kappa"] = f"1 / omega^2, omega ~ {priors.overdispersion}"
    if likelihood == "student-t":
        said["nu"] = "2 + gamma(2, 0.1)"
    if likelihood == "cumulative-logit":
        said["threshold"] = f"{priors.cutpoint}, in order"
    return Stated(
        formula=f"{_RESPONSES[likelihood]} ~ {' + '.join(terms)}",
        sigma_formula="sigma ~ 0 + arm" if is_means and is_run_sd_by_level else None,
        family=FAMILIES[likelihood],
        priors=said,
    )


def _effect(sd: str) -> str:
    return f"normal(0, SD), SD ~ {sd}"
