"""The Bayesian answer to each hypothesis that asks for one: one fit for all that speak of the same data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedlock.analysis.bayes.fits import Fits, Fitted
from seedlock.analysis.bayes.models import Engine
from seedlock.analysis.bayes.posterior_draws import FloatArray, PosteriorDraws
from seedlock.analysis.inference.hypothesis import Data, Tested
from seedlock.analysis.inference.reason import Reason
from seedlock.analysis.inference.select import ALL
from seedlock.analysis.results.posterior import BayesResult
from seedlock.prereg.errors import Refusal
from seedlock.prereg.plan.plan import Hypothesis

if TYPE_CHECKING:
    from seedlock.analysis.bayes.checks import FitChecks
    from seedlock.analysis.bayes.contrast import ContrastPosterior
    from seedlock.analysis.bayes.units_left_out import LeaveOneOut


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Archive:
    """A fit to be kept beside the report, and the file it goes to (relative to the report)."""

    path: str
    fitted: Fitted
    log_likelihood_KU: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What results.json carries of one hypothesis, the draws its figures need, and its fit (None where refused)."""

    result: BayesResult
    draws: PosteriorDraws | None
    archive: Archive | None = None


def posteriors(
    data: Data,
    tested: Mapping[str, Tested],
    hypotheses: Mapping[str, Hypothesis],
    *,
    engine: Engine = "seedlock",
) -> dict[str, Posterior]:
    """Fit every hypothesis that names a Bayesian model; those that speak of the same data share a fit."""
    fits = Fits(data=data, engine=engine)
    return {
        identity: _posterior(tested[identity], hypothesis, fits)
        for identity, hypothesis in hypotheses.items()
        if hypothesis.bayes is not None
    }


def save_posteriors(found: Mapping[str, Posterior], report: Path) -> None:
    """Write `posteriors/fit-N.nc` of every fit that a hypothesis speaks from; it names those that do."""
    archives = {posterior.archive.path: posterior.archive for posterior in found.values() if posterior.archive}
    for path, archive in archives.items():
        from seedlock.analysis.bayes.archive import save_draws  # noqa: PLC0415

        (report / path).parent.mkdir(exist_ok=True)
        speakers = [identity for identity, p in found.items() if p.archive is not None and p.archive.path == path]
        fit = archive.fitted.fit
        about = {
            "hypotheses": ", ".join(speakers),
            "likelihood": fit.likelihood,
            "run_sd_prior": str(fit.priors.run_sd),
            "seed": str(fit.sampler.seed),
        }
        save_draws(fit, report / path, about=about, log_likelihood_KU=archive.log_likelihood_KU)


def _posterior(tested: Tested, hypothesis: Hypothesis, fits: Fits) -> Posterior:
    blank = BayesResult(model=str(hypothesis.bayes))
    if tested.estimate is None or tested.scale is None:
        why = tested.reasons[0] if tested.reasons else "not testable"
        return Posterior(result=blank.model_copy(update={"reason": why}), draws=None)
    try:
        fitted = fits.of(hypothesis, tested, fits.data.plan.bayes.run_sd_prior)
        return _read(hypothesis, tested, fitted, fits)
    except Refusal as refusal:
        failed = blank.model_copy(update={"reason": str(Reason.of(refusal)), "gates_passed": False})
        return Posterior(result=failed, draws=None)


def _read(hypothesis: Hypothesis, tested: Tested, fitted: Fitted, fits: Fits) -> Posterior:
    from seedlock.analysis.bayes.contrast import contrast, eti  # noqa: PLC0415
    from seedlock.analysis.bayes.contrast_sd import contrast_sd  # noqa: PLC0415
    from seedlock.analysis.bayes.sensitivity import prior_sensitivity  # noqa: PLC0415
    from seedlock.analysis.bayes.stated import state  # noqa: PLC0415

    fit = fitted.fit
    raw = tested.scale.raw_per_unit if tested.scale else 1.0
    weights = _weights(hypothesis)
    found = contrast(fit, weights)
    level = 1 - 2 * tested.alpha
    bands, new_bands = _bands(hypothesis, found, raw)
    interval, new_interval = eti(found.mean_K / raw, level), eti(found.new_unit_M / raw, level)
    sd_K = contrast_sd(fit, weights) / raw
    sd_interval = eti(sd_K, level)
    icc = fit.response.icc_KA
    run_sd = fits.run_sd(hypothesis, tested)
    stated = state(fit.design, fit.likelihood, fit.priors, is_run_sd_by_level=run_sd.is_by_level)
    checks = fit.diagnostics
    asked = fits.checks(hypothesis, tested)
    leaning = prior_sensitivity(fit, asked.log_likelihood_KU, found)
    archive = Archive(
        path=f"posteriors/{fits.name(hypothesis, tested)}.nc", fitted=fitted, log_likelihood_KU=asked.log_likelihood_KU
    )
    result = BayesResult(
        model=str(hypothesis.bayes),
        likelihood=fit.likelihood,
        engine=fit.engine,
        formula=stated.text,
        priors=dict(stated.priors),
        run_sd="by level" if run_sd.is_by_level else "shared",
        run_sd_reason=run_sd.reason,
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
        sensitivity=[_sensitivity(hypothesis, tested, words, fits) for words in fits.data.plan.bayes.sensitivity],
        power_scaling={
            "priors": leaning.priors,
            "likelihood": leaning.likelihood,
            "diagnosis": leaning.diagnosis,
        },
        predictive_checks=_replicated(asked),
        left_out=[left_out("unit", asked.unit), left_out("cell", asked.cell)],
        draws_file=archive.path,
        gates_passed=fit.is_sound,
    )
    chains = fit.sampler.chains
    draws = PosteriorDraws(
        contrast_K=found.mean_K / raw,
        new_unit_K=found.new_unit_M / raw,
        unit_sd_K=fit.response.unit_sd_model_KA.mean(axis=1),
        unit_sd_prior_K=fit.prior.unit_sd_M,
        unit_sd_unit="log-odds"
        if fit.likelihood in {"binomial", "beta-binomial", "cumulative-logit"}
        else "the measure's unit",
        chains_CK={
            "contrast": found.mean_K.reshape(chains, -1) / raw,
            f"SD between {hypothesis.unit}s": fit.response.unit_sd_model_KA.mean(axis=1).reshape(chains, -1),
        },
        diagnostics=result.diagnostics,
    )
    return Posterior(result=result, draws=draws, archive=archive)


def _weights(hypothesis: Hypothesis) -> dict[str, float]:
    """Levels that the hypothesis weighs; those of weight 0 are no part of its fit."""
    return {level: weight for level, weight in (hypothesis.contrast or {ALL: 1.0}).items() if weight}


def _replicated(asked: FitChecks) -> list[dict[str, Any]]:
    """Posterior predictive checks, in the measure's own unit."""
    return [
        {
            "level": check.level,
            "statistic": check.statistic,
            "observed": check.observed,
            "replicated_mean": check.replicated_mean,
            "p": check.p,
        }
        for check in asked.replicated
    ]


def left_out(what: str, loo: LeaveOneOut | str) -> dict[str, Any]:
    """Leave-one-out of units or cells, or why there is none."""
    if isinstance(loo, str):
        return {"left_out": what, "reason": loo}
    worst, many = float(loo.pareto_k_U.max()), len(loo.influential)
    weighed: dict[str, Any] = {
        "left_out": what,
        "n": len(loo.names),
        "worst_pareto_k": worst if math.isfinite(worst) else None,
        "n_influential": many,
        "influential": ", ".join(loo.influential[:5]),
    }
    if not loo.is_reliable:
        failed = f"importance weights fail for {many} of {len(loo.names)} (Pareto k above 0.7): each tells so much"
        reason = f"{failed} that the posterior without it cannot be had without fitting again"
        return weighed | {"elpd": None, "se": None, "reason": reason}
    return weighed | {"elpd": loo.elpd, "se": loo.se}


def _bands(hypothesis: Hypothesis, found: ContrastPosterior, raw: float) -> tuple[dict[str, float], dict[str, float]]:
    from seedlock.analysis.bayes.contrast import band_posteriors  # noqa: PLC0415

    partition = hypothesis.partition
    mean, new = (
        {
            name: band.probability
            for name, band in zip(partition.names, band_posteriors(draws, partition.edges), strict=True)
        }
        for draws in (found.mean_K / raw, found.new_unit_M / raw)
    )
    return mean, new


def _sensitivity(hypothesis: Hypothesis, tested: Tested, words: str, fits: Fits) -> dict[str, float | str | None]:
    """The same answer under another prior of the run SD."""
    from seedlock.analysis.bayes.contrast import contrast, eti  # noqa: PLC0415

    raw = tested.scale.raw_per_unit if tested.scale else 1.0
    try:
        found = contrast(fits.of(hypothesis, tested, words).fit, _weights(hypothesis))
    except Refusal as refusal:
        return {"prior": words, "reason": str(Reason.of(refusal))}
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
