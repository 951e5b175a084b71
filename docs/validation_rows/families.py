"""Rows for decisions: equivalence, families of tests, several arms against one control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from docs.validation_rows.check import Check, arms, level, stored
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.inference.bands import decide_bands
from seedlock.analysis.inference.dunnett import any_beyond, shared_control
from seedlock.analysis.inference.multiplicity import bh, holm
from seedlock.prereg.plan.bands import parse_bands

PUBLISHED = stored("published")
DRAWN = stored("frequentist")["dunnett"]


def family_checks() -> Iterator[Check]:
    """Compute the rows."""
    yield from _equivalence()
    yield from _five_equivalences()
    yield from _sleep()
    yield from _adjusted()
    yield from _dunnett()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tost:
    """Schuirmann's test, read off the bands: only the inner one left."""

    estimate: Estimate
    p_equivalent: float
    p_different: float


def tost(sample: Sample, method: str, *, sesoi: float) -> Tost:
    """Test at 5% whether a contrast lies within `sesoi` of 0, and whether it is 0."""
    bands = parse_bands(["lower", -sesoi, "equivalent", sesoi, "higher"])
    run = ESTIMATORS[method].run
    estimate = run(sample, level=0.9, edges=bands.edges)
    (zero,) = run(sample, level=0.9, edges=(0.0,)).edges
    return Tost(
        estimate=estimate,
        p_equivalent=decide_bands(estimate.edges, bands, 0.05).p_for("equivalent"),
        p_different=min(1.0, 2 * min(zero.p_above, zero.p_below)),
    )


def _of_one(values: Sequence[float]) -> Sample:
    return Sample(levels=(level("difference", values),), unit="person", is_proportion=False)


def _equivalence() -> Iterator[Check]:
    ref = PUBLISHED["tost_two"]
    control, organic = _values(5.25, 0.95, 95), _values(5.22, 0.83, 89)
    found = tost(arms(control, organic), "pooled_t", sesoi=ref["bound"])
    given = "95 and 89 people, means 5.25 and 5.22, SD 0.95 and 0.83, bounds d = ±0.43"
    yield Check(
        method="bands, pooled: df, t",
        source="Lakens 2017, https://doi.org/10.1177/1948550617697177 (Moery & Calin-Jageman 2016)",
        given=given,
        expected=(182.0, -2.69),
        found=(found.estimate.df or 0.0, found.estimate.edges[-1].t or 0.0),
        digits=2,
    )
    yield Check(
        method="bands, pooled: p that only the inner one is left, 90% interval",
        source="R pt and qt; p = .004 in Lakens 2017",
        given=given,
        expected=(ref["p"], *ref["ci"]),
        found=(found.p_equivalent, found.estimate.ci_low, found.estimate.ci_high),
        digits=8,
    )


def _five_equivalences() -> Iterator[Check]:
    ref = PUBLISHED["tost_five"]
    cases = zip(ref["mean"], ref["sd"], ref["n"], strict=True)
    p_values = {
        str(i): tost(_of_one(_values(mean, sd, n)), "one_sample_t", sesoi=0.68 * sd).p_equivalent
        for i, (mean, sd, n) in enumerate(cases, start=1)
    }
    family = holm(p_values, alpha=0.05).values()
    given = "five groups of 19 to 21 people, bounds d = ±0.68"
    yield Check(
        method="bands and `holm`: adjusted p",
        source="R pt and p.adjust",
        given=given,
        expected=ref["holm"],
        found=[a.p_adjusted or 0.0 for a in family],
        digits=8,
    )
    yield Check(
        method="bands and `holm`: which are equivalent",
        source="TOSTER's introduction: 1, 3 and 5 (Lakens, Semin & Foroni 2012)",
        given=given,
        expected=(1, 3, 5),
        found=[i for i, a in enumerate(family, start=1) if a.rejected],
        digits=0,
    )


def _sleep() -> Iterator[Check]:
    ref = PUBLISHED["tost_sleep"]
    paired = [a - b for a, b in zip(ref["a"], ref["b"], strict=True)]
    found: tuple[tuple[str, dict[str, Any], Tost], ...] = (
        ("welch", ref["welch"], tost(arms(ref["a"], ref["b"]), "welch_t", sesoi=ref["welch"]["bound"])),
        ("paired", ref["paired"], tost(_of_one(paired), "one_sample_t", sesoi=ref["paired"]["bound"])),
    )
    for name, expected, test in found:
        yield Check(
            method=f"bands, {name}: p that only the inner one is left, 90% interval, p of no difference",
            source="R t.test, one-sided at either bound",
            given=f"Student's sleep data, 10 patients, bounds ±{expected['bound']} h",
            expected=(expected["p"], *expected["ci"], expected["different"]),
            found=(test.p_equivalent, test.estimate.ci_low, test.estimate.ci_high, test.p_different),
            digits=8,
        )


def _adjusted() -> Iterator[Check]:
    ref = PUBLISHED["p_adjust"]
    p_values = {f"{i:02d}": p for i, p in enumerate(ref["p"])}
    corrected = {"holm": holm(p_values, alpha=0.05), "bh": bh(p_values, alpha=0.05)}
    for name, said in (("holm", 3), ("bh", 4)):
        found = corrected[name].values()
        yield Check(
            method=f"`{name}`: adjusted p",
            source=f'R p.adjust("{name if name == "holm" else "BH"}")',
            given="the 15 p-values of Benjamini & Hochberg 1995",
            expected=ref[name],
            found=[a.p_adjusted or 0.0 for a in found],
            digits=6,
        )
        yield Check(
            method=f"`{name}`: rejections at .05",
            source="Benjamini & Hochberg 1995" + (", by Bonferroni" if name == "holm" else ""),
            given="the same",
            expected=(said,),
            found=(sum(a.rejected for a in found),),
            digits=0,
        )


def _dunnett() -> Iterator[Check]:
    """Two-sided p of every arm: the chance that any |t| of the family is as large."""
    drawn = DRAWN | {"control": "control", "others": ["x", "y", "z"]}
    for given, ref in (
        ("4, 5, 3 seeds v 5", drawn),
        ("blood counts of Dunnett 1955: 4, 5 v 6 animals", PUBLISHED["dunnett_blood"]),
        ("recovery times of Westfall et al. 1999: 3, 3, 15 v 20 patients", PUBLISHED["dunnett_recovery"]),
    ):
        groups: dict[str, list[float]] = {}
        for arm, y in zip(ref["arm"], ref["y"], strict=True):
            groups.setdefault(arm, []).append(y)
        others, control = list(ref["others"]), ref["control"]
        samples = {
            arm: Sample(
                levels=tuple(level(name, ys, weight=_weight(name, arm, control)) for name, ys in groups.items()),
                unit="unit",
                is_proportion=False,
            )
            for arm in others
        }
        found = {arm: pooled_t(one, level=0.95, edges=(0.0,)) for arm, one in samples.items()}
        family = shared_control(samples, found[others[0]].df or 0.0)
        yield Check(
            method="`dunnett`: adjusted p of every arm",
            source="R multcomp (integrates with random points)",
            given=given,
            expected=ref["p"],
            found=[any_beyond(abs(found[arm].edges[0].t or 0.0), family) for arm in others],
            digits=4,
        )


def _weight(name: str, arm: str, control: str) -> float:
    return {arm: 1.0, control: -1.0}.get(name, 0.0)


def _values(mean: float, sd: float, n: int) -> list[float]:
    """Any n numbers of exactly this mean and SD: a t test sees nothing else of them."""
    ranks_N = np.arange(n, dtype=float)
    return [float(x) for x in mean + sd * (ranks_N - ranks_N.mean()) / ranks_N.std(ddof=1)]
