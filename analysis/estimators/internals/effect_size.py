"""Standardised effects that name their SD: Cohen's d, Hedges' g, Glass' delta, d_z, and a frozen SD."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import optimize, special, stats

from seedlock.analysis.estimators.internals.sample import Estimate
from seedlock.analysis.estimators.internals.t_interval import require_level, require_spread
from seedlock.analysis.estimators.internals.units import UnitSummary, summarise
from seedlock.prereg.errors import BadInput, DiagnosticsFailed, NotPaired, TooFewUnits

type SdName = str
"""What an SD is between: "completion", "item", or a unit of replication ("seed")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSize:
    """A difference in units of a named SD.

    Parameters
    ----------
    kind
        "d", "g", "glass", "dz" or "frozen".
    value, ci_low, ci_high, ci_level
        In SDs.
    sd, sd_name, sd_df
        The SD, what it is between, and its degrees of freedom; `sd_df` None where it is taken as known.
    ci_method
        In words.
    """

    kind: Literal["d", "g", "glass", "dz", "frozen"]
    value: float
    ci_low: float
    ci_high: float
    ci_level: float
    sd: float
    sd_name: SdName
    sd_df: float | None
    ci_method: str


def exact_j(df: float) -> float:
    """Return Hedges' exact small-sample factor, .564 at 2 df.

    Notes
    -----
    J = gamma(df/2) / (sqrt(df/2) gamma((df-1)/2)). Hedges (1981), https://doi.org/10.3102/10769986006002107.
    Undefined at 1 df and below.
    """
    if not df > 1:
        raise TooFewUnits(f"Hedges' J needs more than 1 df; found {df:g}")
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2) - 0.5 * math.log(df / 2))


def cohens_d(treated: Sequence[float], control: Sequence[float], *, sd_name: SdName, level: float = 0.95) -> EffectSize:
    """Difference of two means in pooled SDs, with a noncentral-t interval.

    Parameters
    ----------
    treated, control
        One value per unit, shapes (T,) and (C,).
    sd_name
        What the values are one of: the SD is between these.
    level
        Two-sided confidence level.

    Raises
    ------
    TooFewUnits
        Fewer than two units in an arm.
    NoSpread
        Neither arm shows any spread.
    NotFinite
        A value is NaN or infinite.

    Notes
    -----
    By pingouin, whose intervals are normal approximations: the noncentral t is ours. Exact under normality with one SD.
    Cumming & Finch (2001), https://doi.org/10.1177/0013164401614002
    """
    a, b = _two(treated, control)
    df = a.n + b.n - 2
    sd = math.sqrt((a.ss + b.ss) / df)
    require_spread(sd, magnitude=max(a.magnitude, b.magnitude), what="values within an arm")
    root_n = 1 / math.sqrt(1 / a.n + 1 / b.n)
    value = _pingouin(treated, control, "cohen")
    return _noncentral("d", value, root_n=root_n, sd=sd, df=df, sd_name=sd_name, level=level)


def hedges_g(treated: Sequence[float], control: Sequence[float], *, sd_name: SdName, level: float = 0.95) -> EffectSize:
    """Cohen's d times the exact J, which removes its bias; the interval's limits times J as well.

    pingouin takes the approximation 1 - 3 / (4 df - 1), .571 in place of .564 at 2 df.

    Parameters, refusals
    --------------------
    As `cohens_d`.
    """
    d = cohens_d(treated, control, sd_name=sd_name, level=level)
    j = exact_j(d.sd_df or 0.0)
    return EffectSize(
        kind="g",
        value=d.value * j,
        ci_low=d.ci_low * j,
        ci_high=d.ci_high * j,
        ci_level=level,
        sd=d.sd,
        sd_name=sd_name,
        sd_df=d.sd_df,
        ci_method=f"{d.ci_method}, times J = {j:.4g}",
    )


def glass_delta(
    treated: Sequence[float], control: Sequence[float], *, sd_name: SdName, level: float = 0.95
) -> EffectSize:
    """Difference of two means in SDs of the control arm.

    Parameters, refusals
    --------------------
    As `cohens_d`, the control arm's spread being the one that counts.

    Notes
    -----
    Noncentral t with C - 1 df; the arms' SDs may differ, and the ratio observed is taken as the true one.
    Glass (1976), https://doi.org/10.3102/0013189X005010003
    """
    a, b = _two(treated, control)
    sd = math.sqrt(b.ss / (b.n - 1))
    require_spread(sd, magnitude=max(a.magnitude, b.magnitude), what="values of the control arm")
    ratio = a.ss / (a.n - 1) / sd**2
    root_n = 1 / math.sqrt(ratio / a.n + 1 / b.n)
    return _noncentral("glass", (a.mean - b.mean) / sd, root_n=root_n, sd=sd, df=b.n - 1, sd_name=sd_name, level=level)


def cohens_dz(
    treated: Sequence[float], control: Sequence[float], *, sd_name: SdName, level: float = 0.95
) -> EffectSize:
    """Mean paired difference in SDs of the differences.

    Parameters
    ----------
    treated, control
        One value per unit, in the same order, shape (U,) each.

    Raises
    ------
    NotPaired
        Different lengths.
    TooFewUnits, NoSpread, NotFinite
        Of the differences, as `cohens_d`.

    Notes
    -----
    Not comparable with d: a high correlation within pairs makes it larger.
    Lakens (2013), https://doi.org/10.3389/fpsyg.2013.00863
    """
    if len(treated) != len(control):
        raise NotPaired(f"{len(treated)} treated and {len(control)} control values do not pair")
    scale = max((abs(x) for x in (*treated, *control)), default=0.0)
    diff = _summary("difference", [t - c for t, c in zip(treated, control, strict=True)])
    sd = math.sqrt(diff.ss / (diff.n - 1))
    require_spread(sd, magnitude=scale, what="differences")
    value = _pingouin(treated, control, "cohen_dz")
    return _noncentral("dz", value, root_n=math.sqrt(diff.n), sd=sd, df=diff.n - 1, sd_name=sd_name, level=level)


def in_frozen_sds(estimate: Estimate, *, sd: float, sd_df: float | None, sd_name: SdName) -> EffectSize:
    """An estimate in units of an SD frozen elsewhere (pilot, neutral arm), its own error propagated.

    Parameters
    ----------
    estimate
        Of a t method, at its own level.
    sd
        The frozen SD, above 0, in the unit of the measure.
    sd_df
        Degrees of freedom behind it, from data other than the estimate's; None takes it as known.
    sd_name
        What the SD is between.

    Raises
    ------
    BadInput
        The SD or its df is not above 0, or the estimate has no standard error.

    Notes
    -----
    Delta method: variance (se / sd)^2 + value^2 / (2 sd_df), with df by Satterthwaite.
    """
    if not sd > 0 or (sd_df is not None and not sd_df > 0):
        raise BadInput(f"a frozen SD and its df are above 0; found {sd} and {sd_df}")
    if estimate.se is None or estimate.df is None:
        raise BadInput(f"an estimate without standard error cannot be standardised ({estimate.ci_method})")
    value = estimate.estimate / sd
    parts = [((estimate.se / sd) ** 2, estimate.df)]
    if sd_df is not None:
        parts.append((value**2 / (2 * sd_df), sd_df))
    variance = math.fsum(v for v, _ in parts)
    df = variance**2 / math.fsum(v**2 / n for v, n in parts)
    half = float(stats.t.isf((1 - estimate.ci_level) / 2, df)) * math.sqrt(variance)
    return EffectSize(
        kind="frozen",
        value=value,
        ci_low=value - half,
        ci_high=value + half,
        ci_level=estimate.ci_level,
        sd=sd,
        sd_name=sd_name,
        sd_df=sd_df,
        ci_method=f"t, {df:.4g} df, " + ("SD taken as known" if sd_df is None else "error of the SD included"),
    )


def noncentrality_limits(t: float, df: float, level: float) -> tuple[float, float]:
    """Return the noncentralities for which `t` is at either tail.

    Raises
    ------
    DiagnosticsFailed
        The noncentral t distribution cannot be evaluated this far out.
    """
    tail = (1 - level) / 2

    def excess(ncp: float, p: float) -> float:
        return float(special.nctdtr(df, ncp, t)) - p

    return _limit(lambda ncp: excess(ncp, 1 - tail), t, -1.0), _limit(lambda ncp: excess(ncp, tail), t, 1.0)


def _limit(excess: Callable[[float], float], t: float, step: float) -> float:
    """The root of a falling function, walking from `t` towards `step` (the far tail is not computable)."""
    near = t if excess(t) * step > 0 else t - step * (1 + abs(t))
    far = near + step
    for _ in range(40):
        at = excess(far)
        if not math.isfinite(at):
            break
        if at * step < 0:
            return float(optimize.brentq(excess, min(near, far), max(near, far), xtol=1e-10))
        near, far = far, far + (far - near) * 1.5
    raise DiagnosticsFailed("the noncentral t distribution cannot be evaluated this far out")


def _pingouin(treated: Sequence[float], control: Sequence[float], kind: str) -> float:
    """Value by pingouin; what it answers where an arm has no spread (infinity) was refused before."""
    import pingouin  # noqa: PLC0415 - nearly two seconds of start-up, for analyses that standardise something

    return float(pingouin.compute_effsize(treated, control, paired=kind == "cohen_dz", eftype=kind))


def _summary(name: str, values: Sequence[float]) -> UnitSummary:
    if len(values) < 2:
        raise TooFewUnits(f"{name}: {len(values)} value(s), at least 2 are needed for an SD")
    return summarise(name, 1.0, {f"{i:06d}": float(x) for i, x in enumerate(values)})


def _two(treated: Sequence[float], control: Sequence[float]) -> tuple[UnitSummary, UnitSummary]:
    return _summary("treated", treated), _summary("control", control)


def _noncentral(
    kind: Literal["d", "glass", "dz"], value: float, *, root_n: float, sd: float, df: int, sd_name: SdName, level: float
) -> EffectSize:
    require_level(level)
    low, high = noncentrality_limits(value * root_n, df, level)
    return EffectSize(
        kind=kind,
        value=value,
        ci_low=low / root_n,
        ci_high=high / root_n,
        ci_level=level,
        sd=sd,
        sd_name=sd_name,
        sd_df=df,
        ci_method=f"noncentral t, {df} df",
    )
