"""Rows for slopes over doses, rank correlations and adjusted contrasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docs.validation_rows.check import Check, run, stored
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample

DOSES = stored("doses")
PUBLISHED = stored("published")
CLUBSANDWICH = "R clubSandwich, CR2 + Satterthwaite"
LINE = "`slope_cr2`: slope, SE, df, 95% interval"
ADJUSTED = "`ancova_cr2`: adjusted contrast, SE, df, 95% interval"


def dose_checks() -> Iterator[Check]:
    """Lines within units, lines through all runs, ranks, and contrasts at one value of a covariate."""
    yield _sleepstudy()
    yield _of(LINE, "slope_balanced", "5 seeds at 4 doses", run("slope_cr2", _over("slope_balanced")))
    yield _of(LINE, "slope_gaps", "the same, 5 runs lost", run("slope_cr2", _over("slope_gaps")))
    yield _of(LINE, "slope_runs", "9 runs at one dose each", run("slope_cr2", _over("slope_runs")))
    yield _of(ADJUSTED, "adjusted", "2 arms that share 6 seeds, a covariate", run("ancova_cr2", _arms("adjusted")))
    yield _of(ADJUSTED, "adjusted_gaps", "the same, 1 run lost", run("ancova_cr2", _arms("adjusted_gaps")))
    apart = run("ancova_cr2", _arms("adjusted_strangers", are_strangers=True))
    yield _of(ADJUSTED, "adjusted_strangers", "the same 12 runs as strangers", apart)
    for name in ("spearman", "kendall"):
        found, expected = run(name, _over("ranks", key="item")), DOSES["ranks"][name]
        yield Check(
            method=f"`{name}`: correlation, 95% interval",
            source=f'R, cor(method = "{name}") and t.test of its z',
            given="5 seeds x 8 items",
            expected=(expected["estimate"], *expected["ci"]),
            found=(found.estimate, found.ci_low, found.ci_high),
            digits=6,
        )


def _sleepstudy() -> Check:
    ref = PUBLISHED["sleepstudy"]
    rows = [{"unit": u, "x": x, "y": y} for u, x, y in zip(ref["unit"], ref["day"], ref["y"], strict=True)]
    found = run("slope_t", _sample(rows, "x", dict.fromkeys(map(str, ref["day"]), 1.0)))
    return Check(
        method="`slope_t`: mean slope within subjects, SE, df",
        source="R lme4 and lmerTest, random intercepts and slopes (10.467, 1.546 in Bates et al. 2015)",
        given="sleepstudy: 18 subjects x 10 days (Belenky et al. 2003)",
        expected=(ref["fit"]["estimate"], ref["fit"]["se"], ref["fit"]["df"]),
        found=(found.estimate, found.se or 0.0, found.df or 0.0),
        digits=4,
    )


def _of(method: str, name: str, given: str, found: Estimate) -> Check:
    fit = DOSES[name]["fit"]
    return Check(
        method=method,
        source=CLUBSANDWICH,
        given=given,
        expected=(fit["estimate"], fit["se"], fit["df"], *fit["ci"]),
        found=(found.estimate, found.se or 0.0, found.df or 0.0, found.ci_low, found.ci_high),
        digits=6,
    )


def _over(name: str, *, key: str = "x") -> Sample:
    rows = DOSES[name]["rows"]
    return _sample(rows, key, dict.fromkeys((str(row[key]) for row in rows), 1.0))


def _arms(name: str, *, are_strangers: bool = False) -> Sample:
    return _sample(DOSES[name]["rows"], "arm", {"a": -1.0, "b": 1.0}, are_strangers=are_strangers)


def _sample(
    rows: Sequence[Mapping[str, Any]], key: str, weights: Mapping[str, float], *, are_strangers: bool = False
) -> Sample:
    levels = []
    for name, weight in weights.items():
        own = [row for row in rows if str(row[key]) == name]
        means, numbers = ({str(row["unit"]): float(row[of]) for row in own} for of in ("y", "x"))
        levels.append(Level(name=name, weight=weight, unit_means=means, unit_x=numbers))
    return Sample(levels=tuple(levels), unit="seed", is_proportion=False, are_strangers=are_strangers)
