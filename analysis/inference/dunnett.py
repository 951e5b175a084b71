"""A family of arms against one shared control: the level that Dunnett's joint distribution leaves each member."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import optimize, special, stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.estimators.pooled_t import ESTIMATOR as POOLED
from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.plan import Hypothesis

NODES = 80
MOST_ARMS = 10
_RESOLVED = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedControl:
    """What the joint distribution of the arms' t statistics depends on.

    Parameters
    ----------
    df
        Of the variance, pooled over the arms and the control.
    shares
        Of each arm, n / (n + n of the control): two arms correlate as the root of the product of theirs.
    """

    df: float
    shares: tuple[float, ...]


def shared_control(samples: Mapping[str, Sample], df: float) -> SharedControl:
    """The arms of a family's samples, in order; the level with weight -1 is the control."""
    found = []
    for sample in samples.values():
        (arm,) = (level for level in sample.levels if level.weight > 0)
        (control,) = (level for level in sample.levels if level.weight < 0)
        found.append(len(arm.unit_means) / (len(arm.unit_means) + len(control.unit_means)))
    return SharedControl(df=df, shares=tuple(found))


def family_error(p: float, arms: SharedControl) -> float:
    """Chance that the true band of some arm is excluded where each is judged at the one-sided level `p`.

    Every arm may be wrong in its own direction, or (an inner band) in both, half of `p` to either side: the worst.

    Notes
    -----
    Given the control's mean and the ratio of the SD to the true one, arms are independent normals, which leaves two
    dimensions, done by Gauss-Legendre (scipy's integration has random points). Dunnett (1955),
    https://doi.org/10.1080/01621459.1955.10501294
    """
    if p >= 1:
        return 1.0
    below_A, _ = _tails(float(stats.t.isf(p, arms.df)), arms)
    either_way = any_beyond(float(stats.t.isf(p / 2, arms.df)), arms)
    weight_SZ = _weights(arms.df)
    flips = product((0, 1), repeat=len(arms.shares) - 1)
    together = [_chance(weight_SZ, [below_A[sign][a] for a, sign in enumerate((0, *signs))]) for signs in flips]
    return max(either_way, float(np.clip(1 - min(together), _RESOLVED, 1.0)))


def any_beyond(t: float, arms: SharedControl) -> float:
    """Chance that some arm's |t| exceeds `t` where no arm differs: Dunnett's two-sided adjusted p."""
    _, within_A = _tails(t, arms)
    return float(np.clip(1 - _chance(_weights(arms.df), within_A), _RESOLVED, 1.0))


def member_level(alpha: float, arms: SharedControl) -> float:
    """The one-sided level of each arm at which the family errs with probability `alpha`."""
    if len(arms.shares) == 1:
        return alpha
    low = math.log(alpha / len(arms.shares) / 4)
    root = optimize.brentq(lambda x: family_error(math.exp(x), arms) - alpha, low, math.log(alpha), xtol=1e-6)
    return float(math.exp(root))


def unfit(members: Mapping[str, Hypothesis]) -> Iterator[Finding]:
    """Members of a family corrected by Dunnett's method that are no arms of one shared control."""
    first = next(iter(members.values()))
    if len(members) > MOST_ARMS:
        yield Finding(where=f"family {first.family}", found=f"{len(members)} arms", promised=f"at most {MOST_ARMS}")
    for identity, h in members.items():
        weights = h.contrast or {}
        promised = "one arm with weight 1, the shared control with -1, every other arm of the family with 0"
        if sorted(w for w in weights.values() if w) != [-1.0, 1.0] or _told(h) != _told(first):
            yield Finding(where=f"hypothesis {identity}", found=f"contrast {weights}", promised=promised)
        if ESTIMATORS.get(h.test) is not POOLED:
            pooled = next(name for name, estimator in ESTIMATORS.items() if estimator is POOLED)
            yield Finding(where=f"hypothesis {identity}.test", found=h.test, promised=f"{pooled}: one variance for all")
    treated = [level for h in members.values() for level, weight in (h.contrast or {}).items() if weight > 0]
    if len(set(treated)) < len(treated):
        yield Finding(where=f"family {first.family}", found="an arm twice", promised="each arm in one hypothesis")


def _told(h: Hypothesis) -> tuple[object, ...]:
    """What all members of a family share: the data, the levels and the control."""
    weights = h.contrast or {}
    control = {level for level, weight in weights.items() if weight < 0}
    return h.measure, h.items, str(h.where), h.over, h.unit, h.per, frozenset(weights), frozenset(control)


def _tails(c: float, arms: SharedControl) -> tuple[tuple[list[FloatArray], list[FloatArray]], list[FloatArray]]:
    """Chance that each arm's t stays below c, that it stays above -c, and both, by SD ratio and the control's z."""
    s_S, _ = _ratio(arms.df)
    z_Z, _ = _legendre(-8.5, 8.5)
    below, above, within = [], [], []
    for share in arms.shares:
        room, shift_Z = math.sqrt(1 - share), math.sqrt(share) * z_Z
        upper_SZ = special.ndtr((c * s_S[:, None] + shift_Z) / room)
        lower_SZ = special.ndtr((-c * s_S[:, None] + shift_Z) / room)
        below.append(upper_SZ)
        above.append(1 - lower_SZ)
        within.append(upper_SZ - lower_SZ)
    return (below, above), within


def _chance(weight_SZ: FloatArray, of_arms: list[FloatArray]) -> float:
    return float((np.prod(of_arms, axis=0) * weight_SZ).sum())


def _weights(df: float) -> FloatArray:
    z_Z, weight_Z = _legendre(-8.5, 8.5)
    s_S, weight_S = _ratio(df)
    density_S = stats.chi.pdf(s_S * math.sqrt(df), df) * math.sqrt(df) * weight_S
    return np.outer(density_S, stats.norm.pdf(z_Z) * weight_Z)


def _ratio(df: float) -> tuple[FloatArray, FloatArray]:
    """Nodes of the SD's ratio to the true one."""
    return _legendre(*(float(q) / math.sqrt(df) for q in (stats.chi.ppf(1e-13, df), stats.chi.isf(1e-13, df))))


def _legendre(low: float, high: float) -> tuple[FloatArray, FloatArray]:
    x, w = np.polynomial.legendre.leggauss(NODES)
    return np.asarray(low + (high - low) * (x + 1) / 2), np.asarray(w * (high - low) / 2)
