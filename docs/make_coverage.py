"""Write docs/coverage.md: how often the default intervals cover, beside methods that forget what is replicated.

Run from the root of the checkout:  .venv/bin/python -m docs.make_coverage
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from docs.coverage_table import page as hard_cases
from docs.hard_coverage import SECTIONS
from seedlock.analysis.estimators import pooled_t, welch_t
from seedlock.analysis.estimators.internals.estimator import Estimator
from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.assumptions import Variation
from seedlock.analysis.simulation.draw import Drawing, draw_cells
from seedlock.prereg.plan.plan import PlannedRun

PAGE = Path(__file__).parent / "coverage.md"
SEEDS = (3, 5, 8)
STUDIES = 4000
RATE, SEED_SD, ITEMS, DRAWS = 0.12, 0.5, 40, 10
LEVEL = 0.95
RESAMPLES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """K studies of two arms: share of successes a run and item, shape (K, S, I) each; the true difference is 0."""

    treated: FloatArray
    control: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Share of intervals that hold the truth, by number of seeds an arm."""

    method: str
    is_default: bool
    share: dict[int, float]


def main() -> None:
    """Simulate and write the page."""
    PAGE.write_text(page(list(coverages(STUDIES))) + "\n".join([*HARD, *hard_cases(SECTIONS), ""]), encoding="utf-8")
    print(f"wrote {PAGE.name}")


def coverages(studies: int) -> Iterator[Coverage]:
    """Coverage of every method on the same simulated studies."""
    data = {seeds: draw(seeds, studies) for seeds in SEEDS}
    for name, method, is_default in METHODS:
        yield Coverage(
            method=name, is_default=is_default, share={n: float(np.mean(method(two))) for n, two in data.items()}
        )


def draw(seeds: int, studies: int) -> Two:
    """Two arms with the same true rate, logit-normal seeds and items, binomial answers."""
    runs = tuple(
        PlannedRun(model="m", arm=arm, seed=seed, factors={}) for arm in ("treated", "control") for seed in range(seeds)
    )
    variation = Variation(
        measure="rate", is_rate=True, base={}, seed_sd=(SEED_SD,), item_sd=1.0, item_effect_sd=0.0, answer_sd=0.0
    )
    drawing = Drawing(variation=variation, seed_sd=SEED_SD, n_items=ITEMS, draws=DRAWS, new_items=False, pairing=0.0)
    own, shared = (np.random.default_rng([2026, seeds, stream]) for stream in range(2))
    cells = draw_cells(drawing, runs, np.full(len(runs), RATE), own, shared, simulations=studies)
    return Two(treated=cells[:, :seeds], control=cells[:, seeds:])


def pooled_wald(two: Two) -> FloatArray:
    """Every answer independent."""
    n = two.treated[0].size * DRAWS
    p_1, p_2 = two.treated.mean(axis=(1, 2)), two.control.mean(axis=(1, 2))
    return _covers(p_1 - p_2, np.sqrt((p_1 * (1 - p_1) + p_2 * (1 - p_2)) / n), stats.norm.isf((1 - LEVEL) / 2))


def item_clustered(two: Two) -> FloatArray:
    """Items as clusters, paired between the arms, z."""
    difference_KI = two.treated.mean(axis=1) - two.control.mean(axis=1)
    se = difference_KI.std(axis=1, ddof=1) / math.sqrt(ITEMS)
    return _covers(difference_KI.mean(axis=1), se, stats.norm.isf((1 - LEVEL) / 2))


def seed_bootstrap(two: Two) -> FloatArray:
    """Percentile bootstrap over seeds, each arm by itself."""
    rng = np.random.default_rng([2026, two.treated.shape[1]])
    first, second = (arm.mean(axis=2) for arm in (two.treated, two.control))
    drawn = np.stack([_resampled(first, rng) - _resampled(second, rng) for _ in range(RESAMPLES)])
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return np.asarray((low <= 0) & (high >= 0), dtype=float)


def _resampled(means_KS: FloatArray, rng: np.random.Generator) -> FloatArray:
    places = rng.integers(means_KS.shape[1], size=means_KS.shape)
    return np.asarray(np.take_along_axis(means_KS, places, axis=1).mean(axis=1))


def reml_wald(two: Two) -> FloatArray:
    """REML with seeds and items as random effects, z.

    Exact in a balanced design, with the seeds' variance at least 0: then seeds and residual share one variance.
    """
    seeds = two.treated.shape[1]
    both = np.concatenate([two.treated, two.control], axis=1)
    of_arm = np.repeat([two.treated.mean(axis=(1, 2)), two.control.mean(axis=(1, 2))], seeds, axis=0).T
    of_seed, of_item = both.mean(axis=2), both.mean(axis=1, keepdims=True)
    between = ITEMS * ((of_seed - of_arm) ** 2).sum(axis=1)
    residual = both - of_seed[:, :, None] - of_item + both.mean(axis=(1, 2))[:, None, None]
    within = (residual**2).sum(axis=(1, 2))
    df_between, df_within = 2 * (seeds - 1), (2 * seeds - 1) * (ITEMS - 1)
    pooled = (between + within) / (df_between + df_within)
    variance = np.where(between / df_between >= within / df_within, between / df_between, pooled) / ITEMS
    estimate = two.treated.mean(axis=(1, 2)) - two.control.mean(axis=(1, 2))
    return _covers(estimate, np.sqrt(2 * variance / seeds), stats.norm.isf((1 - LEVEL) / 2))


def cluster_z(two: Two) -> FloatArray:
    """Seeds as clusters, CR1 correction, z."""
    return _cr1(two, float(stats.norm.isf((1 - LEVEL) / 2)))


def cluster_t(two: Two) -> FloatArray:
    """Seeds as clusters, CR1 correction, t with clusters - 1 df."""
    return _cr1(two, float(stats.t.isf((1 - LEVEL) / 2, 2 * two.treated.shape[1] - 1)))


def _cr1(two: Two, quantile: float) -> FloatArray:
    seeds = two.treated.shape[1]
    means = [arm.mean(axis=2) for arm in (two.treated, two.control)]
    answers, clusters = 2 * seeds * ITEMS * DRAWS, 2 * seeds
    factor = clusters / (clusters - 1) * (answers - 1) / (answers - 2)
    variance = factor * sum(((m - m.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for m in means) / seeds**2
    return _covers(means[0].mean(axis=1) - means[1].mean(axis=1), np.sqrt(variance), quantile)


def seed_t(estimator: Estimator) -> Callable[[Two], FloatArray]:
    """The package's own t on seed means."""
    simulate = estimator.simulate
    if simulate is None:
        raise AssertionError("a t on unit means is computed for all studies at once")

    def method(two: Two) -> FloatArray:
        levels = [
            ManyLevels(weight=weight, means_KU=arm.mean(axis=2))
            for weight, arm in ((1.0, two.treated), (-1.0, two.control))
        ]
        many = simulate(levels, level=LEVEL, edges=(0.0,), limits=(-1.0, 1.0))
        return np.asarray((many.low_K <= 0) & (many.high_K >= 0), dtype=float)

    return method


def _covers(estimate: FloatArray, se: FloatArray, quantile: float) -> FloatArray:
    return np.asarray(np.abs(estimate) <= quantile * se, dtype=float)


HARD = (
    "# Hard cases",
    "",
    "Coverage of nominal 95% intervals where it is hard to have. Shares that fall short of nominal by more than three",
    "Monte Carlo errors are bold, with an arrow. By the same command; a test repeats each table with fewer studies.",
)

METHODS: tuple[tuple[str, Callable[[Two], FloatArray], bool], ...] = (
    ("pooled Wald: every answer independent", pooled_wald, False),
    ("items as clusters, paired, z", item_clustered, False),
    ("percentile bootstrap over seeds", seed_bootstrap, False),
    ("seeds as clusters, CR1, z", cluster_z, False),
    ("REML with random seeds and items, Wald z", reml_wald, False),
    ("seeds as clusters, CR1, t with G - 1 df", cluster_t, False),
    ("**`pooled_t`: t on seed means, pooled variance**", seed_t(pooled_t.ESTIMATOR), True),
    ("**`welch_t`: t on seed means, Welch**", seed_t(welch_t.ESTIMATOR), True),
)


def page(found: list[Coverage]) -> str:
    """The page as Markdown."""
    error = math.sqrt(LEVEL * (1 - LEVEL) / STUDIES)
    head = " | ".join(f"{n} seeds an arm" for n in SEEDS)
    rows = [f"| {c.method} | " + " | ".join(f"{c.share[n]:.3f}" for n in SEEDS) + " |" for c in found]
    return "\n".join(
        [
            "# What covers, and what does not",
            "",
            f"Coverage of a nominal {LEVEL:.0%} interval for the difference between two arms that are alike: a yes/no",
            f"measure at {RATE:.0%}, {ITEMS} items x {DRAWS} answers a run, SD between seeds {SEED_SD:g} and between",
            f"items 1 logit, {STUDIES:,} simulated studies; Monte Carlo error {error:.3f} at nominal. Written by",
            "`.venv/bin/python -m docs.make_coverage`; a test repeats it.",
            "",
            f"| method | {head} |",
            f"|---|{'---:|' * len(SEEDS)}",
            *rows,
            "",
            "Methods that count answers or items as the sample are wrong however many of either there are: what",
            "varies is the seed. With few seeds a normal quantile is too short as well. Bold: tests that plans name.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
