"""Random effects: one mean of several studies' estimates, how far studies differ, and where the next would fall.

REML for the variance between studies, the interval of Hartung, Knapp, Sidik and Jonkman for the mean. statsmodels'
`combine_effects` has neither REML nor a prediction interval, and one set of studies a call; a test holds the two equal
where both can speak, and R's metafor is equal on stored cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from seedlock.analysis.estimators.internals.sample import EdgeTest
from seedlock.analysis.estimators.internals.t_interval import require_level, require_spread, t_edges
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.errors import BadInput, NotFinite, TooFewUnits

type Width = Literal["hksj", "hksj, never narrower"]
FEWEST = 2
"""Studies below which there is no variance between them."""
_ROUNDS = 1000
_CLOSE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """A random-effects mean and what lies around it, on the scale of the effects.

    Parameters
    ----------
    estimate, se, df, ci
        The mean over the population of studies, its HKSJ standard error, k - 1, and the t interval.
    weights_J
        Share that each study has in the mean; they sum to 1. Shape (J,).
    tau2, tau2_ci
        Variance between studies by REML, and its Q-profile interval; (0, 0) where studies differ less than chance.
    i2, i2_ci
        Share of the spread of the estimates that is between studies, at `tau2` and at the ends of its interval.
    q, q_p
        Cochran's Q and its p by chi-squared with k - 1 df.
    prediction
        Interval for the true effect of one more study, with k - 2 df; None with two studies, which leave none.
    edges
        Both one-sided tests at every edge asked for.
    """

    estimate: float
    se: float
    df: int
    ci: tuple[float, float]
    level: float
    weights_J: tuple[float, ...]
    tau2: float
    tau2_ci: tuple[float, float]
    i2: float
    i2_ci: tuple[float, float]
    q: float
    q_p: float
    prediction: tuple[float, float] | None
    edges: tuple[EdgeTest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyPooled:
    """Means of K syntheses at once, each array of shape (K,)."""

    estimate_K: FloatArray
    se_K: FloatArray
    tau2_K: FloatArray


def pool(
    effect_J: FloatArray,
    se_J: FloatArray,
    *,
    level: float,
    edges: tuple[float, ...] = (),
    width: Width = "hksj, never narrower",
) -> Pooled:
    """Pool J independent estimates by a random-effects model.

    Parameters
    ----------
    effect_J, se_J
        Estimates and their standard errors, one a study, shape (J,), in one unit.
    level
        Of all intervals, in (0, 1).
    edges
        Where to test the mean, in the same unit.
    width
        "hksj, never narrower": the weighted spread of the estimates, and not less than the standard errors ask for
        (Knapp & Hartung 2003), which keeps the level where few seeds stand behind a standard error. "hksj": without.

    Raises
    ------
    TooFewUnits
        Fewer than two studies.
    BadInput, NotFinite
        Arrays of unlike shape, a standard error that is not above 0, or a value that is not finite.
    NoSpread
        All estimates are equal, and "hksj" knows no other spread.

    Notes
    -----
    Standard errors are taken as known, as all such models do; docs/synthesis-coverage.md shows what covers.
    Hartung & Knapp (2001), https://doi.org/10.1002/sim.791;
    IntHout, Ioannidis & Borm (2014), https://doi.org/10.1186/1471-2288-14-25;
    never narrower: Knapp & Hartung (2003), https://doi.org/10.1002/sim.1482,
    Röver, Knapp & Friede (2015), https://doi.org/10.1186/s12874-015-0091-1;
    prediction, t with k - 2 df: Partlett & Riley (2017), https://doi.org/10.1002/sim.7140;
    Q profile: Viechtbauer (2007), https://doi.org/10.1002/sim.2514.
    """
    _require_poolable(effect_J, se_J, level)
    k, variance_J = effect_J.size, se_J**2
    many = pool_many(effect_J[None, :], se_J[None, :], width=width)
    estimate, se, tau2 = (float(array[0]) for array in (many.estimate_K, many.se_K, many.tau2_K))
    require_spread(se, magnitude=float(np.abs(effect_J).max()), what="the estimates of the studies")
    t = float(stats.t.isf((1 - level) / 2, k - 1))
    low, high = tau2_interval(effect_J, variance_J, level=level)
    q = _q(0.0, effect_J, variance_J)
    weight_J = 1 / (variance_J + tau2)
    prediction = None
    if k > FEWEST:
        reach = float(stats.t.isf((1 - level) / 2, k - 2)) * math.sqrt(tau2 + se**2)
        prediction = (estimate - reach, estimate + reach)
    return Pooled(
        estimate=estimate,
        se=se,
        df=k - 1,
        ci=(estimate - t * se, estimate + t * se),
        level=level,
        weights_J=tuple(float(w) for w in weight_J / weight_J.sum()),
        tau2=tau2,
        tau2_ci=(low, high),
        i2=_i2(tau2, variance_J),
        i2_ci=(_i2(low, variance_J), _i2(high, variance_J)),
        q=q,
        q_p=float(stats.chi2.sf(q, k - 1)),
        prediction=prediction,
        edges=t_edges(estimate, se, k - 1, edges),
    )


def pool_many(effect_KJ: FloatArray, se_KJ: FloatArray, *, width: Width = "hksj, never narrower") -> ManyPooled:
    """Pool K sets of J estimates at once, shapes (K, J); nothing is refused here."""
    variance_KJ = se_KJ**2
    tau2_K = reml_tau2(effect_KJ, variance_KJ)
    weight_KJ = 1 / (variance_KJ + tau2_K[:, None])
    total_K = weight_KJ.sum(axis=1)
    mean_K = (weight_KJ * effect_KJ).sum(axis=1) / total_K
    scale_K = (weight_KJ * (effect_KJ - mean_K[:, None]) ** 2).sum(axis=1) / (effect_KJ.shape[1] - 1)
    if width == "hksj, never narrower":
        scale_K = np.maximum(scale_K, 1.0)
    return ManyPooled(estimate_K=mean_K, se_K=np.sqrt(scale_K / total_K), tau2_K=tau2_K)


def reml_tau2(effect_KJ: FloatArray, variance_KJ: FloatArray) -> FloatArray:
    """Variance between studies of K sets by restricted maximum likelihood, shape (K,), never below 0.

    Notes
    -----
    Fisher scoring from the moment estimate of unweighted means, held at 0 where it would fall below; in steps that are
    halved where it goes to and fro.
    Viechtbauer (2005), https://doi.org/10.3102/10769986030003261
    """
    unit_K = variance_KJ.mean(axis=1)
    y_KJ, v_KJ = effect_KJ / np.sqrt(unit_K)[:, None], variance_KJ / unit_K[:, None]
    tau2_K = np.maximum(y_KJ.var(axis=1, ddof=1) - 1, 0.0)
    moving = np.arange(tau2_K.size)
    for round_ in range(_ROUNDS):
        before, share = tau2_K[moving], 0.5 ** min(round_ // 50, 6)
        tau2_K[moving] = np.maximum(before + share * _scoring_step(y_KJ[moving], v_KJ[moving], before), 0.0)
        moving = moving[np.abs(tau2_K[moving] - before) > _CLOSE * (1 + before)]
        if not moving.size:
            break
    return np.asarray(tau2_K * unit_K)


def _scoring_step(y_KJ: FloatArray, v_KJ: FloatArray, tau2_K: FloatArray) -> FloatArray:
    """Slope of the restricted log-likelihood over its expected curvature."""
    w = 1 / (v_KJ + tau2_K[:, None])
    s1, s2, s3 = (np.sum(w**power, axis=1) for power in (1, 2, 3))
    mean = (w * y_KJ).sum(axis=1) / s1
    score = (w**2 * (y_KJ - mean[:, None]) ** 2).sum(axis=1) - (s1 - s2 / s1)
    return np.asarray(score / (s2 - 2 * s3 / s1 + (s2 / s1) ** 2))


def tau2_interval(effect_J: FloatArray, variance_J: FloatArray, *, level: float) -> tuple[float, float]:
    """Q-profile interval of the variance between studies: the values at which Q is an unsurprising chi-squared."""
    tail, df = (1 - level) / 2, effect_J.size - 1
    at_low, at_high = (
        _where_q_is(float(quantile), effect_J, variance_J)
        for quantile in (stats.chi2.isf(tail, df), stats.chi2.ppf(tail, df))
    )
    return at_low, at_high


def _where_q_is(wanted: float, effect_J: FloatArray, variance_J: FloatArray) -> float:
    if _q(0.0, effect_J, variance_J) <= wanted:
        return 0.0
    top = float(np.ptp(effect_J)) ** 2 + float(variance_J.max())
    while _q(top, effect_J, variance_J) > wanted:
        top *= 4
    found: float = optimize.brentq(lambda tau2: _q(tau2, effect_J, variance_J) - wanted, 0.0, top, xtol=1e-14 * top)
    return found


def _q(tau2: float, effect_J: FloatArray, variance_J: FloatArray) -> float:
    weight_J = 1 / (variance_J + tau2)
    mean = float((weight_J * effect_J).sum() / weight_J.sum())
    return float((weight_J * (effect_J - mean) ** 2).sum())


def _i2(tau2: float, variance_J: FloatArray) -> float:
    """Share of `tau2` in itself and a typical sampling variance (Higgins & Thompson 2002)."""
    weight_J = 1 / variance_J
    typical = (variance_J.size - 1) * weight_J.sum() / (weight_J.sum() ** 2 - (weight_J**2).sum())
    return float(tau2 / (tau2 + typical))


def _require_poolable(effect_J: FloatArray, se_J: FloatArray, level: float) -> None:
    require_level(level)
    if effect_J.ndim != 1 or effect_J.shape != se_J.shape:
        raise BadInput(f"one estimate and one standard error a study; found shapes {effect_J.shape} and {se_J.shape}")
    if effect_J.size < FEWEST:
        raise TooFewUnits(f"{effect_J.size} studies have no spread between them: a synthesis takes at least {FEWEST}")
    if not (np.isfinite(effect_J).all() and np.isfinite(se_J).all()):
        raise NotFinite("an estimate or a standard error is not a finite number")
    if not (se_J > 0).all():
        raise BadInput("a standard error is above 0; a study without spread cannot be weighed")
