"""The Bayesian answer to each hypothesis that asks for one: one fit for all that speak of the same data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from analysis.bayes.cells import CellCounts, CellMeans, Nesting, count_cells, mean_cells
from analysis.report.inputs import PosteriorDraws
from analysis.results import BayesResult
from analysis.selection import ALL, ordered_mean, select
from analysis.testing import Data, Tested, in_words
from prereg.canonical import sha256_json
from prereg.errors import Refusal
from prereg.plan import Hypothesis

if TYPE_CHECKING:
    from analysis.bayes.contrast import ContrastPosterior
    from analysis.bayes.hierarchy import HierarchyFit

MODELS = ("seed_hierarchy",)
"""Names a plan may give as `bayes`."""
PAIRED_TESTS = frozenset({"paired_t", "clustered_t"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What results.json carries of one hypothesis, and the draws its figures need (None where refused)."""

    result: BayesResult
    draws: PosteriorDraws | None


def posteriors(data: Data, tested: Mapping[str, Tested], hypotheses: Mapping[str, Hypothesis]) -> dict[str, Posterior]:
    """Fit every hypothesis that names a Bayesian model; those that speak of the same data share a fit."""
    fits: dict[str, HierarchyFit | Refusal] = {}
    found = {}
    for identity, hypothesis in hypotheses.items():
        if hypothesis.bayes is not None:
            found[identity] = _posterior(data, tested[identity], hypothesis, fits)
    return found


def _posterior(
    data: Data, tested: Tested, hypothesis: Hypothesis, fits: dict[str, HierarchyFit | Refusal]
) -> Posterior:
    blank = BayesResult(model=str(hypothesis.bayes))
    if tested.estimate is None or tested.scale is None:
        why = tested.reasons[0] if tested.reasons else "not testable"
        return Posterior(result=blank.model_copy(update={"reason": why}), draws=None)
    try:
        fit = _fit(data, hypothesis, tested, data.plan.bayes.run_sd_prior, fits)
        return _read(data, hypothesis, tested, fit, fits)
    except Refusal as refusal:
        failed = blank.model_copy(update={"reason": in_words(refusal), "gates_passed": False})
        return Posterior(result=failed, draws=None)


def _fit(
    data: Data, hypothesis: Hypothesis, tested: Tested, run_sd: str, fits: dict[str, HierarchyFit | Refusal]
) -> HierarchyFit:
    """The fit for a hypothesis's data, made once; all levels of the contrasted factor lend their spread."""
    from analysis.bayes.hierarchy import fit_hierarchy  # noqa: PLC0415  (PyMC takes seconds to import)
    from analysis.bayes.priors import HierarchyPriors, parse_prior  # noqa: PLC0415

    rows = _rows(data, hypothesis, tested)
    key = sha256_json([rows.to_json(orient="values"), hypothesis.test in PAIRED_TESTS, run_sd])
    if key not in fits:
        bayes = data.plan.bayes
        try:
            cells = _cells(rows, is_paired=hypothesis.test in PAIRED_TESTS)
            fits[key] = fit_hierarchy(
                cells,
                likelihood="binomial" if isinstance(cells, CellCounts) else "gaussian",
                seed=bayes.seed,
                priors=HierarchyPriors(run_sd=parse_prior(run_sd)),
                draws=bayes.draws,
                chains=bayes.chains,
            )
        except Refusal as refusal:
            fits[key] = refusal
    fit = fits[key]
    if isinstance(fit, Refusal):
        raise fit
    return fit


def _rows(data: Data, hypothesis: Hypothesis, tested: Tested) -> pd.DataFrame:
    """One row a unit and level: k and n where answers were counted, else the unit's mean."""
    chosen = tested.chosen
    if hypothesis.contrast is not None and hypothesis.test not in PAIRED_TESTS:
        levels = [level for level in data.cells[hypothesis.over].dropna().unique() if level != "base"]
        everyone = hypothesis.model_copy(update={"contrast": dict.fromkeys(levels, 1.0)})
        chosen = select(data.cells, data.plan, everyone, tested.extra)
    if chosen is None:
        raise AssertionError("a tested hypothesis has its rows")
    scored = chosen[chosen["mean"].notna()]
    groups = scored.groupby(["level", "unit_label"], sort=True)
    is_count = bool(scored["k"].notna().all() and scored["n_scored"].notna().all())
    frame = groups[["k", "n_scored"]].sum().astype("Int64") if is_count else pd.DataFrame(index=groups.size().index)
    frame["mean"] = [ordered_mean(rows["mean"]) for _, rows in groups]
    return frame.reset_index()


def _cells(rows: pd.DataFrame, *, is_paired: bool) -> CellCounts | CellMeans:
    level, unit = [str(v) for v in rows["level"]], [str(v) for v in rows["unit_label"]]
    nesting: Nesting = "paired" if is_paired and len(set(level)) > 1 else "nested"
    if "k" in rows:
        k, n = rows["k"].to_numpy(dtype="int64"), rows["n_scored"].to_numpy(dtype="int64")
        return count_cells(level=level, unit=unit, k=k, n=n, nesting=nesting)
    return mean_cells(level=level, unit=unit, mean=rows["mean"].to_numpy(dtype="float64"), nesting=nesting)


def _read(
    data: Data, hypothesis: Hypothesis, tested: Tested, fit: HierarchyFit, fits: dict[str, HierarchyFit | Refusal]
) -> Posterior:
    from analysis.bayes.contrast import contrast, eti  # noqa: PLC0415

    raw = tested.scale.raw_per_unit if tested.scale else 1.0
    weights = hypothesis.contrast or {ALL: 1.0}
    found = contrast(fit, weights)
    level = 1 - 2 * tested.alpha
    bands, new_bands = _bands(hypothesis, found, raw)
    interval, new_interval = eti(found.mean_K / raw, level), eti(found.new_unit_M / raw, level)
    sd_K = fit.response.unit_sd_KA.mean(axis=1) / raw
    sd_interval = eti(sd_K, level)
    icc = fit.response.icc_KA
    checks = fit.diagnostics
    result = BayesResult(
        model=str(hypothesis.bayes),
        estimate=float(found.mean_K.mean() / raw),
        ci=(interval.low, interval.high),
        ci_level=level,
        new_unit_ci=(new_interval.low, new_interval.high),
        p_predicted=bands[hypothesis.predicted],
        p_predicted_new_seed=new_bands[hypothesis.predicted],
        band_posteriors=bands,
        band_posteriors_new_unit=new_bands,
        unit_sd=float(sd_K.mean()),
        unit_sd_ci=(sd_interval.low, sd_interval.high),
        icc=None if icc is None else float(icc.mean()),
        diagnostics={
            "rhat": checks.rhat,
            "bulk_ess": checks.bulk_ess,
            "tail_ess": checks.tail_ess,
            "divergences": checks.divergences,
            "bfmi": checks.bfmi,
            "attempts": len(fit.attempts),
        },
        sensitivity=[_sensitivity(data, hypothesis, tested, words, fits) for words in data.plan.bayes.sensitivity],
        gates_passed=fit.is_sound,
    )
    chains = fit.sampler.chains
    draws = PosteriorDraws(
        contrast_K=found.mean_K / raw,
        new_unit_K=found.new_unit_M / raw,
        unit_sd_K=fit.response.unit_sd_model_KA.mean(axis=1),
        unit_sd_prior_K=fit.prior.unit_sd_M,
        unit_sd_unit="log-odds" if fit.likelihood == "binomial" else "the measure's unit",
        chains_CK={
            "contrast": found.mean_K.reshape(chains, -1) / raw,
            f"SD between {hypothesis.unit}s": fit.response.unit_sd_model_KA.mean(axis=1).reshape(chains, -1),
        },
        diagnostics=result.diagnostics,
    )
    return Posterior(result=result, draws=draws)


def _bands(hypothesis: Hypothesis, found: ContrastPosterior, raw: float) -> tuple[dict[str, float], dict[str, float]]:
    from analysis.bayes.contrast import band_posteriors  # noqa: PLC0415

    partition = hypothesis.partition
    mean, new = (
        {
            name: band.probability
            for name, band in zip(partition.names, band_posteriors(draws, partition.edges), strict=True)
        }
        for draws in (found.mean_K / raw, found.new_unit_M / raw)
    )
    return mean, new


def _sensitivity(
    data: Data, hypothesis: Hypothesis, tested: Tested, words: str, fits: dict[str, HierarchyFit | Refusal]
) -> dict[str, float | str | None]:
    """The same answer under another prior of the run SD."""
    from analysis.bayes.contrast import contrast, eti  # noqa: PLC0415

    raw = tested.scale.raw_per_unit if tested.scale else 1.0
    try:
        fit = _fit(data, hypothesis, tested, words, fits)
        found = contrast(fit, hypothesis.contrast or {ALL: 1.0})
    except Refusal as refusal:
        return {"prior": words, "reason": in_words(refusal)}
    bands, new_bands = _bands(hypothesis, found, raw)
    interval = eti(found.mean_K / raw, 1 - 2 * tested.alpha)
    return {
        "prior": words,
        "estimate": float(found.mean_K.mean() / raw),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "p_predicted": bands[hypothesis.predicted],
        "p_predicted_new_seed": new_bands[hypothesis.predicted],
    }
