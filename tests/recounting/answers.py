"""Tests, bands, families and looks from unit values: scipy's distributions, and nothing of Seedlock."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import integrate, optimize, stats

from tests.recounting.pivots import NEAR, by_logit
from tests.recounting.rows import Level, RawStudy, Row

TOLERANCE = 1e-9
"""Relative; the largest difference found is 8.3e-14, in an alpha that a planned look leaves."""


class NoNumber(Exception):
    """A hypothesis that its test cannot answer: the message is the code of the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a test says: `above` and `below` are its one-sided p at every edge."""

    estimate: float
    ci: tuple[float, float]
    above: Sequence[float]
    below: Sequence[float]
    n_units: int
    is_t: bool = True
    is_of_units: bool = True
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What its family leaves a member: adjusted p, and the part of alpha that its bands are judged at."""

    p_adjusted: float
    share: float


def recount(study: RawStudy, *, as_published: bool) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Hypotheses and gates by name: their numbers by path, and why others have none.

    `as_published` takes the rules of version 0.1.0: intervals of rates alone are cut at the ends of their scale, levels
    without spread lend precision, and a family judges only its predictions step by step.
    """
    found: dict[str, dict[str, Any]] = {}
    ps: dict[str, list[dict[str, float]]] = {}
    refused: dict[str, str] = {}
    families: dict[str, dict[str, float]] = {}
    decided: dict[str, dict[str, float]] = {}
    alpha = alpha_at_last_look(study.plan)
    for name, entry, extra in study.asked():
        try:
            levels = study.levels(entry, extra)
            tested = [answer_of(study, entry, levels, alpha=alpha, as_published=as_published)]
        except NoNumber as reason:
            refused[name] = str(reason)
            continue
        if any(level.n_missing for level in levels):
            for fill in ({1: 0, -1: 1}, {1: 1, -1: 0}):
                worst = study.levels(entry, extra, fill)
                tested.append(answer_of(study, entry, worst, alpha=alpha, as_published=as_published))
        ps[name] = [band_ps(each, entry["bands"]) for each in tested]
        p_of = {band: max(p for each in ps[name] for b, p in each.items() if b != band) for band in ps[name][0]}
        p_value = p_of[entry["predicted"]]
        found[name] = _numbers(tested, ps[name][0], levels, alpha) | {"p_value": p_value}
        if entry.get("family"):
            families.setdefault(entry["family"], {})[name] = p_value
            decided.setdefault(entry["family"], {})[name] = min(p_of.values())
    judge = family_0_1 if as_published else family
    for named, members in families.items():
        if study.plan.get("families", {}).get(named, "none") != "none":
            for name, place in judge(members, decided[named], alpha).items():
                found[name] |= {"p_adjusted": place.p_adjusted, "alpha_in_family": alpha * place.share}
    for name, numbers in found.items():
        at = numbers.get("alpha_in_family", alpha)
        numbers["verdict"] = [band for band in ps[name][0] if any(each[band] > at for each in ps[name])]
    return found, refused


def _numbers(tested: list[Found], ps: Mapping[str, float], levels: list[Level], alpha: float) -> dict[str, Any]:
    """What was found, by the path that results.json has it under; nothing that is undefined."""
    main, *bounds = tested
    found = {"estimate": main.estimate, "n_units": main.n_units, "alpha": alpha, "ci_level": 1 - 2 * alpha, **main.more}
    found |= pair("ci", main.ci) | pair("next_unit_ci", found.pop("next_unit_ci", None))
    found |= {f"bands.{band}": p for band, p in ps.items()}
    for at, bound in enumerate(bounds):
        found |= {f"bounds.{at}": bound.estimate, **pair(f"bounds.{at}.ci", bound.ci)}
    if main.is_of_units:
        found |= spread_of(levels)
        found |= {f"units.{lv.name}.{unit}": mean for lv in levels for unit, mean in lv.means.items()}
        found |= {f"units.{lv.name}.{unit}.k": k for lv in levels for unit, k in lv.k.items() if k is not None}
        found |= {f"units.{lv.name}.{unit}.n": lv.n[unit] for lv in levels for unit, k in lv.k.items() if k is not None}
    return {name: value for name, value in found.items() if value is not None}


def pair(name: str, ends: Any) -> dict[str, float]:
    return {} if ends is None else {f"{name}.low": ends[0], f"{name}.high": ends[1]}


def by_t(
    levels: Sequence[Level],
    *,
    level: float,
    edges: Sequence[float],
    ends: tuple[float, float] | None,
    is_paired: bool,
    lends_flat: bool,
) -> Found:
    """One-sample, paired or pooled t on unit means; `lends_flat` has levels without spread lend precision to a pool."""
    weights = [lv.weight for lv in levels]
    values = [[lv.means[unit] for unit in sorted(lv.means)] for lv in levels]
    if min(map(len, values)) < 2:
        raise NoNumber("too-few-units")
    estimate = sum(w * statistics.fmean(found) for w, found in zip(weights, values, strict=True))
    if is_paired:
        values = [[sum(w * x for w, x in zip(weights, unit, strict=True)) for unit in zip(*values, strict=True)]]
    lenders = [found for found in values if max(found) - min(found) > 1e-12]
    if not lenders:
        raise NoNumber("no-spread")
    lenders = values if lends_flat else lenders
    df = sum(len(found) - 1 for found in lenders)
    sd = math.sqrt(sum(statistics.variance(found) * (len(found) - 1) for found in lenders) / df)
    shares = [1 / len(values[0])] if is_paired else [w * w / len(x) for w, x in zip(weights, values, strict=True)]
    se = sd * math.sqrt(sum(shares))
    t = float(stats.t.ppf((1 + level) / 2, df))
    low, high = (
        (-math.inf, math.inf) if ends is None else (sum(f(w * e for e in ends) for w in weights) for f in (min, max))
    )

    def cut(reach: float) -> tuple[float, float]:
        return max(low, estimate - reach), min(high, estimate + reach)

    new_unit = cut(t * math.hypot(sd, se)) if len(values) == 1 else None
    return Found(
        estimate=estimate,
        ci=cut(t * se),
        above=[float(stats.t.sf((estimate - edge) / se, df)) for edge in edges],
        below=[float(stats.t.cdf((estimate - edge) / se, df)) for edge in edges],
        n_units=sum(map(len, values)),
        more={"df": df, "se": se, "unit_sd": sd, "next_unit_ci": new_unit},
    )


def by_counting(levels: Sequence[Level], *, level: float, edges: Sequence[float], is_exact: bool) -> Found:
    """Wilson or Clopper and Pearson on the answers of one level."""
    (only,) = levels
    k, n = sum(x or 0 for x in only.k.values()), sum(x or 0 for x in only.n.values())
    exact = is_exact or k in (0, n)
    low, high = stats.binomtest(k, n).proportion_ci(level, method="exact" if exact else "wilson")
    if exact:
        above = [float(stats.binomtest(k, n, edge, alternative="greater").pvalue) for edge in edges]
        below = [float(stats.binomtest(k, n, edge, alternative="less").pvalue) for edge in edges]
    else:
        z = [(k / n - edge) / math.sqrt(edge * (1 - edge) / n) for edge in edges]
        above, below = [float(stats.norm.sf(x)) for x in z], [float(stats.norm.cdf(x)) for x in z]
    return Found(
        estimate=k / n, ci=(low, high), above=above, below=below, n_units=n, is_t=False, is_of_units=False, more={}
    )


def by_ratio(levels: Sequence[Level], *, level: float, edges: Sequence[float]) -> Found:
    """Fieller: the shares that a t test of "above - share x below = 0" keeps, found by a search for its ends."""
    over, under = ([lv.means[unit] for unit in sorted(lv.means)] for lv in sorted(levels, key=lambda lv: -lv.weight))
    share, n = statistics.fmean(over) / statistics.fmean(under), len(over)

    sign = math.copysign(1, statistics.fmean(under))

    def t(at: float) -> float:
        left = [a - at * b for a, b in zip(over, under, strict=True)]
        return sign * statistics.fmean(left) / (statistics.stdev(left) / math.sqrt(n))

    far = float(stats.t.ppf((1 + level) / 2, n - 1))
    low = float(optimize.brentq(lambda at: t(at) - far, share - 1, share, xtol=1e-15))
    high = float(optimize.brentq(lambda at: t(at) + far, share, share + 1, xtol=1e-15))
    left = [a - share * b for a, b in zip(over, under, strict=True)]
    se = statistics.stdev(left) / math.sqrt(n) / abs(statistics.fmean(under))
    return Found(
        estimate=share,
        ci=(low, high),
        above=[float(stats.t.sf(t(edge), n - 1)) for edge in edges],
        below=[float(stats.t.cdf(t(edge), n - 1)) for edge in edges],
        n_units=n,
        more={"df": n - 1, "se": se},
    )


def by_rank(levels: Sequence[Level], *, level: float, edges: Sequence[float]) -> Found:
    """The place of one value among its controls."""
    one, controls = (sorted(lv.means.values()) for lv in sorted(levels, key=lambda lv: -lv.weight))
    (value,), k = one, len(controls)
    kept = math.floor((1 - level) / 2 * (k + 1) + 1e-9)
    return Found(
        estimate=value - statistics.fmean(controls),
        ci=(value - controls[-kept], value - controls[kept - 1]),
        above=[sum(x >= value - edge for x in [*controls, value - edge]) / (k + 1) for edge in edges],
        below=[sum(x <= value - edge for x in [*controls, value - edge]) / (k + 1) for edge in edges],
        n_units=k,
        is_t=False,
        more={},
    )


def by_logits(levels: Sequence[Level], *, level: float, edges: Sequence[float], is_paired: bool) -> Found:
    """Pivots on logits of unit rates; the estimate and its standard error are those of the rates."""
    weights = [lv.weight for lv in levels]
    rates = [[lv.means[unit] for unit in sorted(lv.means)] for lv in levels]
    answers = [statistics.fmean(n or 0 for n in lv.n.values()) for lv in levels]
    found = by_logit(rates, answers, weights, level=level, edges=edges, is_paired=is_paired)
    if is_paired:
        rates = [[sum(w * x for w, x in zip(weights, unit, strict=True)) for unit in zip(*rates, strict=True)]]
        weights = [1.0]
    is_one = len(rates) == 1
    return Found(
        estimate=sum(w * statistics.fmean(r) for w, r in zip(weights, rates, strict=True)),
        ci=found["ci"],
        above=found["above"],
        below=found["below"],
        n_units=sum(map(len, rates)),
        is_t=False,
        more={
            "se": math.sqrt(sum(w * w * statistics.variance(r) / len(r) for w, r in zip(weights, rates, strict=True))),
            "unit_sd": statistics.stdev(rates[0]) if is_one else None,
            "next_unit_ci": found["next_unit_ci"] if is_one else None,
        },
    )


def answer_of(study: RawStudy, entry: Row, levels: Sequence[Level], *, alpha: float, as_published: bool) -> Found:
    """The test that a plan's entry names, at two-sided level 1 - 2 alpha."""
    level, edges, name = 1 - 2 * alpha, entry["bands"][1::2], entry["test"]
    if name in {"wilson", "clopper_pearson"}:
        return by_counting(levels, level=level, edges=edges, is_exact=name == "clopper_pearson")
    if name == "fieller":
        return by_ratio(levels, level=level, edges=edges)
    if name == "rank_among":
        return by_rank(levels, level=level, edges=edges)
    if name in {"one_sample_t", "paired_t", "pooled_t"}:
        ends, is_paired = study.ends(entry), name == "paired_t"
        ends = None if as_published and ends != (0.0, 1.0) else ends
        return by_t(levels, level=level, edges=edges, ends=ends, is_paired=is_paired, lends_flat=as_published)
    if name in {"logit_t", "paired_logit_t"}:
        return by_logits(levels, level=level, edges=edges, is_paired=name == "paired_logit_t")
    raise NoNumber(f"no recount of {name}")


def spread_of(levels: Sequence[Level]) -> dict[str, float]:
    """SD between units of one rate less counting noise, and chi-square of homogeneity over its df; empty for others."""
    if len(levels) > 1 or not levels[0].n or None in levels[0].k.values():
        return {}
    (only,) = levels
    k_U, n_U = [k or 0 for k in only.k.values()], [n or 0 for n in only.n.values()]
    noise = statistics.fmean(k / n * (1 - k / n) / (n - 1) for k, n in zip(k_U, n_U, strict=True))
    sd = math.sqrt(max(0.0, statistics.variance(k / n for k, n in zip(k_U, n_U, strict=True)) - noise))
    table = [k_U, [n - k for k, n in zip(k_U, n_U, strict=True)]]
    if not all(map(sum, table)):
        return {"unit_sd_after_noise": sd}
    same = stats.chi2_contingency(table, correction=False)
    return {"unit_sd_after_noise": sd, "overdispersion": same.statistic / same.dof}


def band_ps(found: Found, bands: Sequence[str | float]) -> dict[str, float]:
    """The p of "the parameter lies in this band" for every band of the plan, from bottom to top."""
    names = [str(name) for name in bands[::2]]
    ps = {}
    for at, name in enumerate(names):
        if at == 0:
            ps[name] = found.above[0]
        elif at == len(names) - 1:
            ps[name] = found.below[-1]
        elif found.is_t:
            ps[name] = min(1.0, found.above[at - 1] + found.above[at], found.below[at - 1] + found.below[at])
        else:
            ps[name] = min(1.0, 2 * found.above[at], 2 * found.below[at - 1])
    return ps


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p of each member."""
    order = sorted(p, key=lambda name: p[name])
    steps = itertools.accumulate((min(1.0, (len(p) - at) * p[name]) for at, name in enumerate(order)), max)
    return dict(zip(order, steps, strict=True))


def family_0_1(predicted: Mapping[str, float], _decided: Mapping[str, float], _alpha: float) -> dict[str, Place]:
    """Holm on the p of the predictions; a member's bands are judged at alpha x p / adjusted p."""
    return {name: Place(p_adjusted=step, share=predicted[name] / step) for name, step in holm(predicted).items()}


def family(predicted: Mapping[str, float], decided: Mapping[str, float], alpha: float) -> dict[str, Place]:
    """Holm on the p at which any band of a member is left: step by step, and alpha / (M - d) for those undecided."""
    places, steps = {}, holm(decided)
    rejected = [name for name in steps if steps[name] <= alpha]
    for name, step in steps.items():
        share = 1 / (len(steps) - (rejected.index(name) if name in rejected else len(rejected)))
        is_same = predicted[name] == decided[name]
        places[name] = Place(p_adjusted=step if is_same else min(1.0, max(step, predicted[name] / share)), share=share)
    return places


def alpha_at_last_look(plan: Row) -> float:
    """The one-sided level at the second of two looks under O'Brien-Fleming spending; alpha without looks."""
    alpha = float(plan["inference"]["alpha"])
    if "look" not in plan:
        return alpha
    first, last = (look["seeds"] for look in plan["look"])
    t = first / last
    spent = 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / math.sqrt(t))
    z = stats.norm.isf(spent)

    def late(c: float) -> float:
        """Probability to pass `c` at the last look only."""
        density = lambda x: stats.norm.pdf(x) * stats.norm.sf((c - x * math.sqrt(t)) / math.sqrt(1 - t))  # noqa: E731
        return float(integrate.quad(density, -12, z, epsabs=1e-14, epsrel=1e-13)[0])

    return float(stats.norm.sf(optimize.brentq(lambda c: late(c) - (alpha - spent), 1.0, 4.0, xtol=1e-14)))


def is_off(path: str, mine: Any, theirs: Any, test: str) -> bool:
    """Whether two numbers differ: ends and p of a test that draws, by more than its draws do; others at all."""
    if "logit" in test and path.startswith(("ci.", "next_unit_ci.", "bands.", "p_", "bounds.")):
        return bool(abs(mine - theirs) > NEAR)
    return apart(mine, theirs) > TOLERANCE


def apart(mine: Any, theirs: Any) -> float:
    """Relative difference of two numbers; of words, infinite unless they are the same."""
    if isinstance(theirs, (int, float)):
        return 0.0 if mine == theirs else abs(mine - theirs) / max(abs(mine), abs(theirs))
    return 0.0 if mine == theirs else math.inf
