"""t on the logits of unit rates, from the method's description: random draws in place of the product's fixed points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special, stats

DRAWS = 400_000
NEAR = 6e-3
"""Of ends of an interval and of p: the product takes 8,192 fixed points, this 400,000 random ones."""
LEAST_P = 1 / 8192


def by_logit(
    rates: Sequence[Sequence[float]],
    answers: Sequence[float],
    weights: Sequence[float],
    *,
    level: float,
    edges: Sequence[float],
    is_paired: bool,
) -> Mapping[str, Any]:
    """Interval, next unit and one-sided p of a weighted sum of mean rates, each list of rates one level."""
    rng = np.random.default_rng(2)
    low, high, new = (_paired if is_paired else _apart)(
        [np.asarray(r) for r in rates], answers, np.asarray(weights), rng
    )
    tail = (1 - level) / 2
    return {
        "ci": (float(np.quantile(low, tail)), float(np.quantile(high, 1 - tail))),
        "next_unit_ci": tuple(float(x) for x in np.quantile(new, [tail, 1 - tail])),
        "above": [max(LEAST_P, float(np.mean(low <= edge))) for edge in edges],
        "below": [max(LEAST_P, float(np.mean(high >= edge))) for edge in edges],
    }


def _logits(rates: Any, n: float) -> tuple[Any, float]:
    middle = (rates.mean() * n + 0.5) / (n + 1)
    return np.log((rates * n + 0.5) / ((1 - rates) * n + 0.5)), 1 / (n * middle * (1 - middle))


def _mean_rate(mean: Any, sd: Any) -> Any:
    """Mean of expit over a normal, by the trapezium rule on a grid of quantiles' densities."""
    z = np.linspace(-6, 6, 61)
    weight = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    return sum(w * special.expit(mean + sd * at) for at, w in zip(z, weight, strict=True))


def _wider(pivot: Any, contrast: Any, least: float, most: float) -> tuple[Any, Any]:
    """On each side the more cautious of the pivot and of t on the rates, value by value in order."""
    pivot = np.sort(pivot)
    se = contrast.std(ddof=1) / np.sqrt(len(contrast))
    t = contrast.mean() + se * stats.t.ppf((np.arange(DRAWS) + 0.5) / DRAWS, len(contrast) - 1)
    t = np.clip(t, least, most)
    return np.minimum(pivot, t), np.maximum(pivot, t)


def _apart(rates: list[Any], answers: Sequence[float], weights: Any, rng: Any) -> tuple[Any, Any, Any]:
    low, high, new = np.zeros(DRAWS), np.zeros(DRAWS), np.zeros(DRAWS)
    for r, n, weight in zip(rates, answers, weights, strict=True):
        x, noise = _logits(r, n)
        total = np.maximum(x.var() * len(x) / rng.chisquare(len(x) - 1, DRAWS), noise)
        mean = x.mean() - rng.normal(size=DRAWS) * np.sqrt(total / len(x))
        sd = np.sqrt(np.maximum(0, total - noise))
        ends = [rng.permutation(side) for side in _wider(_mean_rate(mean, sd), r, 0.0, 1.0)]
        low += weight * ends[0 if weight > 0 else 1]
        high += weight * ends[1 if weight > 0 else 0]
        new = special.expit(mean + sd * rng.normal(size=DRAWS))
    return low, high, new


def _paired(rates: list[Any], answers: Sequence[float], weights: Any, rng: Any) -> tuple[Any, Any, Any]:
    order = np.argsort([-r.std() for r in rates])
    contrast = sum(w * r for w, r in zip(weights, rates, strict=True))
    found = [_logits(rates[i], answers[i]) for i in order]
    x, u = np.array([logits for logits, _ in found]), len(rates[0])
    v = np.linalg.cholesky(np.cov(x) * (u - 1))
    q = np.zeros((DRAWS, 2, 2))
    q[:, 0, 0], q[:, 1, 1] = (np.sqrt(rng.chisquare(u - 1 - i, DRAWS)) for i in (0, 1))
    q[:, 1, 0] = rng.normal(size=DRAWS)
    a = v @ np.linalg.inv(q)
    z, fresh = rng.normal(size=(DRAWS, 2)), rng.normal(size=(DRAWS, 2))
    pivot, new = np.zeros(DRAWS), np.zeros(DRAWS)
    for at, (logits, noise) in enumerate(found):
        size = np.linalg.norm(a[:, at], axis=1)
        along = a[:, at] / size[:, None]
        total = np.maximum(size, np.sqrt(noise))
        mean = logits.mean() - (along * z).sum(axis=1) * total / np.sqrt(u)
        sd = np.sqrt(np.maximum(0, total**2 - noise))
        pivot += weights[order[at]] * _mean_rate(mean, sd)
        new += weights[order[at]] * special.expit(mean + sd * (along * fresh).sum(axis=1))
    return *_wider(pivot, contrast, weights[weights < 0].sum(), weights[weights > 0].sum()), new
