"""Rows for decisions: equivalence, families of tests, several arms against one control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from docs.validation_rows.check import Check, arms, level, stored
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.welch_t import welch_t
from seedlock.analysis.extra.dunnett import dunnett
from seedlock.analysis.extra.equivalence import Tost, tost, tost_mean
from seedlock.analysis.inference.multiplicity import bh, holm

PUBLISHED = stored("published")
DRAWN = stored("frequentist")["dunnett"]


def family_checks() -> Iterator[Check]:
    """Compute the rows."""
    yield from _equivalence()
    yield from _five_equivalences()
    yield from _sleep()
    yield from _adjusted()
    yield from _dunnett()


def _equivalence() -> Iterator[Check]:
    ref = PUBLISHED["tost_two"]
    control, organic = _values(5.25, 0.95, 95), _values(5.22, 0.83, 89)
    found = tost(arms(control, organic), pooled_t, sesoi=ref["bound"], alpha=0.05)
    given = "95 and 89 people, means 5.25 and 5.22, SD 0.95 and 0.83, bounds d = ±0.43"
    yield Check(
        method="`tost`, pooled: df, t",
        source="Lakens 2017, https://doi.org/10.1177/1948550617697177 (Moery & Calin-Jageman 2016)",
        given=given,
        expected=(182.0, -2.69),
        found=(found.estimate.df or 0.0, found.estimate.edges[-1].t or 0.0),
        digits=2,
    )
    yield Check(
        method="`tost`, pooled: p, 90% interval",
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
        str(i): tost_mean(_values(mean, sd, n), sesoi=0.68 * sd, alpha=0.05).p_equivalent
        for i, (mean, sd, n) in enumerate(cases, start=1)
    }
    family = holm(p_values, alpha=0.05).values()
    given = "five groups of 19 to 21 people, bounds d = ±0.68"
    yield Check(
        method="`tost_mean` and `holm`: adjusted p",
        source="R pt and p.adjust",
        given=given,
        expected=ref["holm"],
        found=[a.p_adjusted or 0.0 for a in family],
        digits=8,
    )
    yield Check(
        method="`tost_mean` and `holm`: which are equivalent",
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
        ("welch", ref["welch"], tost(arms(ref["a"], ref["b"]), welch_t, sesoi=ref["welch"]["bound"], alpha=0.05)),
        ("paired", ref["paired"], tost_mean(paired, sesoi=ref["paired"]["bound"], alpha=0.05)),
    )
    for name, expected, test in found:
        yield Check(
            method=f"`tost`, {name}: p, 90% interval, p of no difference",
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
    drawn = DRAWN | {"control": "control", "others": ["x", "y", "z"]}
    for given, ref, digits in (
        ("4, 5, 3 seeds v 5", drawn, 2),
        ("blood counts of Dunnett 1955: 4, 5 v 6 animals", PUBLISHED["dunnett_blood"], 4),
        ("recovery times of Westfall et al. 1999: 3, 3, 15 v 20 patients", PUBLISHED["dunnett_recovery"], 4),
    ):
        groups: dict[str, list[float]] = {}
        for arm, y in zip(ref["arm"], ref["y"], strict=True):
            groups.setdefault(arm, []).append(y)
        found = dunnett(
            tuple(level(a, groups[a]) for a in ref["others"]), level("control", groups[ref["control"]]), level=0.95
        )
        yield Check(
            method="`dunnett`: adjusted p of every arm",
            source="R multcomp (integrates with random points)",
            given=given,
            expected=ref["p"],
            found=[arm.p_adjusted for arm in found],
            digits=4,
        )
        yield Check(
            method="`dunnett`: simultaneous 95% intervals",
            source="R multcomp (integrates with random points)",
            given="the same",
            expected=[x for ends in zip(ref["ci_low"], ref["ci_high"], strict=True) for x in ends],
            found=[x for arm in found for x in (arm.ci_low, arm.ci_high)],
            digits=digits,
        )


def _values(mean: float, sd: float, n: int) -> list[float]:
    """Any n numbers of exactly this mean and SD: a t test sees nothing else of them."""
    ranks_N = np.arange(n, dtype=float)
    return [float(x) for x in mean + sd * (ranks_N - ranks_N.mean()) / ranks_N.std(ddof=1)]
