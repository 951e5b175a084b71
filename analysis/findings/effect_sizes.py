"""Effect sizes of a difference of two levels, each with the SD it is expressed in named."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals import effect_size as es
from seedlock.analysis.estimators.internals.sample import Level
from seedlock.analysis.inference.hypothesis import Tested
from seedlock.analysis.inference.reason import Reason
from seedlock.analysis.results.posterior import EffectSize
from seedlock.prereg.errors import NoSpread, NotFinite, Refusal, TooFewUnits

type Kind = str


def effect_sizes(tested: Tested, wanted: Sequence[str]) -> list[EffectSize]:
    """The planned difference in SDs between units, items and single answers; empty where it is no such difference.

    Parameters
    ----------
    wanted
        As `[report] effect_sizes` names them: "unit", "item", "completion".

    Notes
    -----
    In SDs between units: d, Hedges' g and Glass' delta (the level with weight -1 being the control), with noncentral t
    intervals; d_z where units are paired. In SDs of items or completions the interval is that of the planned test, the
    SD's own error included: more completions narrow the SD, not the difference between units.
    """
    sample, estimate = tested.sample, tested.estimate
    if sample is None or estimate is None or tested.estimand.unit == "answer":
        return []
    by_weight = {level.weight: level for level in sample.levels if level.weight}
    if set(by_weight) != {1.0, -1.0} or sum(bool(level.weight) for level in sample.levels) != 2:
        return []
    return [size for name in wanted for size in _in_sds_of(name, tested, by_weight[1.0], by_weight[-1.0])]


def _in_sds_of(name: str, tested: Tested, treated: Level, control: Level) -> Iterator[EffectSize]:
    level = 1 - 2 * tested.alpha
    if name == "unit":
        yield from _between_units(tested, treated, control, level)
        return

    def standardised() -> es.EffectSize:
        if tested.estimate is None:
            raise NotFinite("no estimate to standardise")
        sd, df = _item_sd(treated, control) if name == "item" else _completion_sd(tested, (treated.name, control.name))
        return es.in_frozen_sds(tested.estimate, sd=sd, sd_df=df, sd_name=name)

    yield _result("standardised", name, level, standardised)


def _between_units(tested: Tested, treated: Level, control: Level, level: float) -> Iterator[EffectSize]:
    unit = tested.estimand.unit
    if ESTIMATORS[tested.estimand.test].is_paired:
        both = sorted(treated.unit_means.keys() & control.unit_means.keys())
        one, other = ([lv.unit_means[name] for name in both] for lv in (treated, control))
        yield _result("dz", unit, level, lambda: es.cohens_dz(one, other, sd_name=unit, level=level))
        return
    one, other = list(treated.unit_means.values()), list(control.unit_means.values())
    for kind, of in (("d", es.cohens_d), ("g", es.hedges_g), ("glass", es.glass_delta)):
        yield _result(kind, unit, level, lambda of=of: of(one, other, sd_name=unit, level=level))  # type: ignore[misc]


def _result(kind: Kind, sd_of: str, level: float, made: Callable[[], es.EffectSize]) -> EffectSize:
    """The size, or the reason why it is undefined."""
    blank = {"kind": kind, "sd_of": sd_of, "ci_level": level, "ci": None, "ci_method": None}
    try:
        size = made()
    except Refusal as refusal:
        undefined = {"value": None, "sd": None, "sd_df": None, "reason": str(Reason.of(refusal))}
        return EffectSize.model_validate(blank | undefined)
    found = {"value": size.value, "sd": size.sd, "sd_df": size.sd_df, "ci_method": size.ci_method}
    return EffectSize.model_validate(blank | found | {"ci": (size.ci_low, size.ci_high)})


def _item_sd(*levels: Level) -> tuple[float, float]:
    """Pooled SD of item means (each over the units of its level), and its degrees of freedom."""
    squares, df = 0.0, 0
    for level in levels:
        by_item: dict[str, list[float]] = defaultdict(list)
        for (_, item), mean in level.cells.items():
            by_item[item].append(mean)
        means = [math.fsum(values) / len(values) for values in by_item.values()]
        if len(means) < 2:
            raise TooFewUnits(f"{level.name}: {len(means)} item(s) beside units; an SD between items needs two")
        centre = math.fsum(means) / len(means)
        squares += math.fsum((mean - centre) ** 2 for mean in means)
        df += len(means) - 1
    return _positive(math.sqrt(squares / df), "item means"), df


def _completion_sd(tested: Tested, levels: tuple[str, str]) -> tuple[float, float]:
    """Pooled SD of single answers within a level, from counts or from sums of squares."""
    if tested.chosen is None:
        raise TooFewUnits("no single answers")
    squares, df = 0.0, 0
    for name in levels:
        rows = tested.chosen[(tested.chosen["level"] == name) & tested.chosen["mean"].notna()]
        n, total, square = _sums(rows)
        if n < 2:
            raise TooFewUnits(f"{name}: {n} answers; an SD needs two")
        squares += square - total**2 / n
        df += n - 1
    return _positive(math.sqrt(max(0.0, squares / df)), "answers"), df


def _sums(rows: pd.DataFrame) -> tuple[int, float, float]:
    """Number of scored answers, their sum and their sum of squares."""
    if not rows["n_scored"].notna().all():
        raise TooFewUnits("the number of answers behind a mean is not known")
    n = int(rows["n_scored"].sum())
    if rows["k"].notna().all():
        return n, float(rows["k"].sum()), float(rows["k"].sum())
    if not rows["sum_sq"].notna().all() or not rows["total"].notna().all():
        raise TooFewUnits("the spread of single answers is not known")
    return n, math.fsum(rows["total"]), math.fsum(rows["sum_sq"])


def _positive(sd: float, what: str) -> float:
    if not sd > 1e-12:
        raise NoSpread(f"{what} show no spread")
    return sd
