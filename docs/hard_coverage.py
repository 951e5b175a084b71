"""The hard cases of docs/coverage.md: unequal spreads and sizes, rates near an end, few hits in one run, families."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import special

from docs.coverage_table import ALPHA, LEVEL, Row, Section
from docs.rule_coverage import RULES
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.clustered_rate import clustered_rate
from seedlock.analysis.estimators.internals.design_effect import Group, worth_of
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.rules import shares

ANSWERS = 400
SIZES = ((2, 2), (3, 3), (3, 8), (8, 3), (5, 5), (2, 8), (8, 8))
RATIOS = (1.0, 4.0, 15.0)
RATES = (0.01, 0.05, 0.2, 0.5, 0.99)
SEEDS = (2, 3, 5, 8)
SEED_SDS = (0.0, 0.5, 1.0)
PAIRED = (
    ((0.01, 0.5), (0.01, 0.5), 0.9),
    ((0.01, 0.0), (0.05, 1.0), 0.5),
    ((0.05, 1.0), (0.05, 0.25), 0.9),
    ((0.05, 1.0), (0.2, 1.0), 0.5),
    ((0.5, 0.5), (0.5, 0.5), 0.5),
    ((0.98, 1.0), (0.9, 0.5), 0.9),
)
TWO_RATES = (
    ((0.02, 0.5, 3), (0.02, 0.5, 3)),
    ((0.05, 0.5, 5), (0.05, 0.5, 5)),
    ((0.05, 1.0, 3), (0.05, 0.25, 8)),
    ((0.2, 1.0, 5), (0.01, 0.5, 5)),
    ((0.5, 0.5, 5), (0.5, 0.5, 5)),
    ((0.98, 1.0, 5), (0.9, 0.5, 3)),
)
RUNS = ((20, 0.01, 0.1), (20, 0.05, 0.1), (20, 0.05, 0.5), (20, 0.2, 0.5), (20, 0.5, 0.5), (40, 0.1, 0.3))
FAMILIES = (1, 8, 16)


def unequal(studies: int) -> Iterator[Row]:
    """Two arms of normal unit means with no effect; the first arm's SD is `ratio` times the second's."""
    for sizes in SIZES:
        for ratio in RATIOS:
            rng = np.random.default_rng([11, *sizes, int(ratio)])
            levels = [
                ManyLevels(weight=weight, means_KU=rng.normal(0, sd, size=(studies, n)))
                for weight, sd, n in ((1.0, ratio, sizes[0]), (-1.0, 1.0, sizes[1]))
            ]
            yield _row(
                f"{sizes[0]} v {sizes[1]} seeds, SDs {ratio:g} : 1", ("pooled_t", "welch_t"), levels, 0.0, math.inf
            )


def near_ends(studies: int) -> Iterator[Row]:
    """One arm of rates; the worst of the SDs between seeds."""
    for rate in RATES:
        for seeds in SEEDS:
            rows = []
            for sd in SEED_SDS:
                rng = np.random.default_rng([12, int(1000 * rate), seeds, int(10 * sd)])
                level = _rates(rng, rate, sd, seeds, studies, weight=1.0)
                rows.append(_row(f"{rate:.0%}, {seeds} seeds", ("one_sample_t", "logit_t"), [level], rate, 1.0))
            yield Row(
                design=rows[0].design,
                share={name: min(row.share[name] for row in rows) for name in rows[0].share},
                refused={name: max(row.refused[name] for row in rows) for name in rows[0].refused},
            )


def two_rates(studies: int) -> Iterator[Row]:
    """Two arms of rates: mean, SD between seeds in logits, seeds."""
    for place, arms in enumerate(TWO_RATES):
        rng = np.random.default_rng([13, place])
        levels = [
            _rates(rng, rate, sd, seeds, studies, weight=weight)
            for weight, (rate, sd, seeds) in zip((1.0, -1.0), arms, strict=True)
        ]
        design = " v ".join(f"{rate:.0%} (SD {sd:g}, {seeds} seeds)" for rate, sd, seeds in arms)
        yield _row(design, ("pooled_t", "welch_t", "logit_t"), levels, arms[0][0] - arms[1][0], 1.0)


def paired_rates(studies: int) -> Iterator[Row]:
    """Two arms that share seeds: mean rate, SD between seeds in logits, and the correlation of a seed's two."""
    for place, (first, second, correlation) in enumerate(PAIRED):
        for seeds in (3, 5, 8):
            rng = np.random.default_rng([16, place, seeds])
            shared, own = rng.standard_normal((2, studies, seeds))
            effects = (shared, correlation * shared + math.sqrt(1 - correlation**2) * own)
            levels = [
                _rates(rng, rate, sd, seeds, studies, weight=weight, effect_KS=effect_KS)
                for weight, (rate, sd), effect_KS in zip((1.0, -1.0), (first, second), effects, strict=True)
            ]
            arms = " v ".join(f"{rate:.0%} (SD {sd:g})" for rate, sd in (first, second))
            design = f"{arms}, correlation {correlation:g}, {seeds} pairs"
            yield _row(design, ("paired_t", "paired_logit_t"), levels, first[0] - second[0], 1.0)


def one_run(studies: int) -> Iterator[Row]:
    """One run, new items with 10 answers each; rates of items are beta with this correlation of their answers."""
    for n_items, rate, icc in RUNS:
        rng = np.random.default_rng([14, int(1000 * rate), int(10 * icc)])
        size = (1 - icc) / icc
        hits_KI = rng.binomial(10, rng.beta(rate * size, (1 - rate) * size, size=(studies, n_items)))
        covers = [_covers_items(hits_I, rate) for hits_I in hits_KI.tolist()]
        yield Row(
            design=f"{n_items} items, {rate:.0%}, ICC {icc:g}",
            share={"clustered_t": float(np.mean(covers))},
            refused={"clustered_t": 0.0},
        )


def families(studies: int) -> Iterator[Row]:
    """Studies in which the true band of some member is excluded: five seeds an arm, no effect, Holm."""
    for members in FAMILIES:
        rng = np.random.default_rng([15, members])
        simulate = ESTIMATORS["pooled_t"].simulate
        assert simulate is not None  # noqa: S101 - a t on unit means is computed for all studies at once
        p_KMB = np.stack(
            [
                simulate(
                    [ManyLevels(weight=w, means_KU=rng.normal(size=(studies, 5))) for w in (1.0, -1.0)],
                    level=LEVEL,
                    edges=(0.0,),
                    limits=(-math.inf, math.inf),
                ).p_KB
                for _ in range(members)
            ],
            axis=1,
        )
        share_KM = shares(np.sort(p_KMB, axis=2)[:, :, -2], alpha=ALPHA, method="holm")
        excluded_KMB = p_KMB <= ALPHA * share_KM[:, :, None]
        ends = {"against the prediction": 0, "for the prediction": 1}
        yield Row(
            design=f"{members} hypotheses" if members > 1 else "1 hypothesis",
            share={name: float(excluded_KMB[:, :, band].any(axis=1).mean()) for name, band in ends.items()},
            refused=dict.fromkeys(ends, 0.0),
        )


def _row(design: str, methods: Sequence[str], levels: list[ManyLevels], truth: float, end: float) -> Row:
    share, refused = {}, {}
    for name in methods:
        simulate = ESTIMATORS[name].simulate
        assert simulate is not None  # noqa: S101 - these are computed for all studies at once
        many: Many = simulate(levels, level=LEVEL, edges=(truth,), limits=(-end, end))
        answered_K = many.has_answer_K
        covers_K = (many.low_K <= truth + 1e-12) & (truth - 1e-12 <= many.high_K)
        share[name] = float(covers_K[answered_K].mean())
        refused[name] = float(1 - answered_K.mean())
    return Row(design=design, share=share, refused=refused)


def _rates(
    rng: np.random.Generator,
    rate: float,
    sd: float,
    seeds: int,
    studies: int,
    *,
    weight: float,
    effect_KS: FloatArray | None = None,
) -> ManyLevels:
    """Rates of seeds whose logits are normal, about a centre that makes their mean `rate`; answers are counted."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    grid = np.linspace(-12, 12, 4001)
    means = special.expit(grid[:, None] + sd * nodes) @ (weights / weights.sum())
    effect_KS = rng.standard_normal((studies, seeds)) if effect_KS is None else effect_KS
    logits = np.interp(rate, means, grid) + sd * effect_KS
    hits = rng.binomial(ANSWERS, special.expit(logits))
    return ManyLevels(weight=weight, means_KU=hits / ANSWERS, answers=float(ANSWERS))


def _covers_items(hits_I: list[int], rate: float) -> bool:
    worth = worth_of([Group(n=10, total=k, squares=k) for k in hits_I], named="item").n_effective
    found = clustered_rate([k / 10 for k in hits_I], worth=worth, level=LEVEL)
    return found.low <= rate <= found.high


SECTIONS = (
    Section(
        title="Arms of unequal size and spread",
        says="Normal unit means, no effect. `check` refuses one spread for levels of unequal size (`unequal-spread`),\n"
        "and says of equal sizes, and of Welch with a small level beside a larger one, what they cost\n"
        "(`one-spread`, `few-units`).",
        rows=unequal,
        studies=4000,
    ),
    Section(
        title="One arm of rates",
        says=f"{ANSWERS} answers a seed; SD between seeds 0, 0.5 and 1 logit, the worst of the three. A study whose\n"
        "seeds all have one rate inside (0, 1) is refused. `check` warns of t where a rate near an end is planned\n"
        "(`rate-near-an-end`).",
        rows=near_ends,
        studies=1000,
    ),
    Section(
        title="A difference of two rates",
        says="As above; mean rate, SD between seeds in logits, seeds.",
        rows=two_rates,
        studies=1000,
    ),
    Section(
        title="A difference of two rates, arms that share seeds",
        says="As above. Where the rates or spreads of the arms differ, a paired t is too short (`rate-near-an-end`).",
        rows=paired_rates,
        studies=1000,
    ),
    Section(
        title="One run: items as the sample",
        says="New items with 10 answers each; answers to one item are correlated.",
        rows=one_run,
        studies=4000,
    ),
    Section(
        title="Families: how often some true band is excluded",
        says=f"Five seeds an arm, no effect, Holm at {ALPHA:g} one-sided: the number is to be no more than that.",
        rows=families,
        studies=4000,
        nominal=ALPHA,
        is_error=True,
    ),
    *RULES,
)
