"""Rows for methods over seeds: t, cells of seeds and items, exact tests, effect sizes."""

from __future__ import annotations

from collections.abc import Iterator

from scipy import stats

from docs.validation_rows.check import Check, arms, level, rows, run, sample, stored
from seedlock.analysis.estimators.internals.cell_grid import cell_grid
from seedlock.analysis.estimators.internals.effect_size import EffectSize, cohens_d, cohens_dz, glass_delta, hedges_g
from seedlock.analysis.estimators.internals.mcnemar import Fourfold, mcnemar
from seedlock.analysis.estimators.internals.overdispersion import between_unit_sd
from seedlock.analysis.estimators.internals.reml import fit_crossed

REFERENCE = stored("frequentist")
BIRDS = (50, 72, 81, 59, 92, 64, 75, 40, 69, 79, 87, 72, 67, 84, 87, 70, 68, 75, 74, 73, 64, 75, 78)


def seed_checks() -> Iterator[Check]:
    """Compute the rows."""
    yield from _t_methods()
    yield from _crossed()
    yield from _exact()
    yield from _effects()


def _t_methods() -> Iterator[Check]:
    two, pairs = REFERENCE["two_arms"], REFERENCE["pairs"]
    for name, source, data, fit in (
        ("pooled_t", "R t.test(var.equal = TRUE)", two, two["pooled"]),
        ("welch_t", "R t.test", two, two["welch"]),
        ("paired_t", "R t.test(paired = TRUE)", pairs, pairs["paired"]),
    ):
        found = run(name, arms(data["a"], data["b"]), 0.0)
        yield Check(
            method=f"`{name}`: 95% interval, df, two-sided p",
            source=source,
            given=f"{len(data['a'])} and {len(data['b'])} seeds",
            expected=(*fit["ci"], fit["df"], fit["p"]),
            found=(found.ci_low, found.ci_high, found.df or 0.0, 2 * found.edges[0].p_above),
            digits=8,
        )
    birds = run("one_sample_t", sample(level("birds", [b / 100 for b in BIRDS]), is_proportion=True))
    scipy = stats.ttest_1samp([b / 100 for b in BIRDS], 0.0).confidence_interval(0.95)
    yield Check(
        method="`one_sample_t`: 95% interval",
        source="scipy ttest_1samp",
        given="23 fine-tuning seeds",
        expected=(float(scipy.low), float(scipy.high)),
        found=(birds.ci_low, birds.ci_high),
        digits=8,
    )
    spread = between_unit_sd({str(i): k for i, k in enumerate(BIRDS)}, {str(i): 100 for i in range(len(BIRDS))})
    other = stats.chi2_contingency([BIRDS, [100 - k for k in BIRDS]], correction=False)
    yield Check(
        method="`between_unit_sd`: chi-square of homogeneity",
        source="scipy chi2_contingency",
        given="23 seeds, k of 100",
        expected=(float(other.statistic),),
        found=(spread.chi2 or 0.0,),
        digits=6,
    )


def _crossed() -> Iterator[Check]:
    for name, key, source, given, digits in (
        ("cr2", "cr2_gaps", "R clubSandwich, CR2 + Satterthwaite", "5 v 5 seeds x 12 items, 10 cells missing", 8),
        ("cr2", "cr2_lopsided", "R clubSandwich, CR2 + Satterthwaite", "5 v 3 seeds x 12 items, cells missing", 8),
        ("crossed", "crossed_one", "R lmerTest, REML + Satterthwaite", "5 seeds x 12 items", 3),
        ("crossed", "crossed_two", "R lmerTest, REML + Satterthwaite", "5 v 5 seeds x 12 items", 3),
        ("crossed", "crossed_gaps", "R lmerTest, REML + Satterthwaite", "5 v 5 seeds x 12 items, 10 cells missing", 3),
    ):
        fit = REFERENCE[key]["fit"]
        data = rows(REFERENCE[key]["rows"])
        found = run(name, data)
        # `crossed` caps the df at units less levels; R's are those of its fit.
        df = fit_crossed(cell_grid(data, method=name)).df if name == "crossed" else found.df
        yield Check(
            method=f"`{name}`: estimate, SE, df" + (" before its cap" if name == "crossed" else ""),
            source=source,
            given=given,
            expected=(fit["estimate"], fit["se"], fit["df"]),
            found=(found.estimate, found.se or 0.0, df or 0.0),
            digits=digits,
        )
    balanced = REFERENCE["balanced_agreement"]
    for name in ("pooled_t", "cr2"):
        found = run(name, rows(balanced["rows"]))
        yield Check(
            method=f"`{name}` in balance: SE, df",
            source="R pbkrtest, Kenward-Roger",
            given="5 v 5 seeds x 12 items",
            expected=(balanced["kenward_roger"]["se"], balanced["kenward_roger"]["df"]),
            found=(found.se or 0.0, found.df or 0.0),
            digits=6,
        )


def _exact() -> Iterator[Check]:
    ref = REFERENCE["permutation"]
    found = run("permutation", arms(ref["a"], ref["b"]), 0.0, confidence=0.9)
    yield Check(
        method="`permutation`: one-sided p",
        source="R coin, exact oneway_test",
        given="5 v 4 seeds",
        expected=(ref["greater"],),
        found=(found.edges[0].p_above,),
        digits=8,
    )
    pair = REFERENCE["mcnemar"]
    table = Fourfold(both=0, first_only=pair["b"], second_only=pair["c"], neither=0)
    yield Check(
        method="`mcnemar`: exact p",
        source="R binom.test",
        given="12 against 3 discordant items",
        expected=(pair["p"],),
        found=(mcnemar(table).p,),
        digits=8,
    )
    overlap = run("brunner_munzel", arms(ref["a"], ref["b"]), 0.5)
    other = stats.brunnermunzel(ref["b"], ref["a"], alternative="less")
    yield Check(
        method="`brunner_munzel`: one-sided p of 0.5",
        source="scipy brunnermunzel",
        given="5 v 4 seeds",
        expected=(float(other.pvalue),),
        found=(overlap.edges[0].p_above,),
        digits=8,
    )


def _effects() -> Iterator[Check]:
    ref = REFERENCE["effect_size"]
    found: tuple[tuple[str, str, EffectSize], ...] = (
        ("cohens_d", "d", cohens_d(ref["a"], ref["b"], sd_name="seed")),
        ("hedges_g", "g", hedges_g(ref["a"], ref["b"], sd_name="seed")),
        ("glass_delta", "glass", glass_delta(ref["a"], ref["b"], sd_name="seed")),
        ("cohens_dz", "dz", cohens_dz(ref["pairs_a"], ref["pairs_b"], sd_name="seed")),
    )
    for name, key, effect in found:
        yield Check(
            method=f"`{name}`: value, 95% interval",
            source="R effectsize",
            given="5 v 4 seeds" if key != "dz" else "6 pairs",
            expected=(ref[key]["value"], *ref[key]["ci"]),
            found=(effect.value, effect.ci_low, effect.ci_high),
            digits=4,
        )
