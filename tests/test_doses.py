"""Slopes, rank correlations and adjusted contrasts over seeds: by hand, against R, and what they refuse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from docs.make_dose_coverage import PAGE, adjusted, cell
from seedlock.analysis.estimators.ancova_cr2 import ESTIMATOR as ANCOVA
from seedlock.analysis.estimators.ancova_cr2 import ancova_cr2
from seedlock.analysis.estimators.internals.estimator import Estimator, Method
from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.kendall import kendall
from seedlock.analysis.estimators.paired_t import paired_t
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.slope_cr2 import ESTIMATOR as SLOPE_CR2
from seedlock.analysis.estimators.slope_cr2 import slope_cr2
from seedlock.analysis.estimators.slope_t import ESTIMATOR as SLOPE_T
from seedlock.analysis.estimators.slope_t import slope_t
from seedlock.analysis.estimators.spearman import ESTIMATOR as SPEARMAN
from seedlock.analysis.estimators.spearman import spearman
from seedlock.prereg.errors import BadInput, NoSpread, NotFinite, NotThisDesign, Refusal, TooFewUnits
from seedlock.prereg.plan.doses import Dose

REFERENCE = json.loads((Path(__file__).parent / "reference/doses.json").read_text(encoding="utf-8"))
ARMS = {"a": -1.0, "b": 1.0}

type Rows = list[dict[str, Any]]


def over_numbers(rows: Rows, *, are_strangers: bool = False) -> Sample:
    """A level a number (or an item), with the slope's weights as a plan with these numbers has them."""
    numbers = {str(row.get("item", row["x"])): float(row["x"]) for row in rows}
    weights = Dose(at=numbers).weights()
    return Sample(
        levels=tuple(_level(name, weights[name], rows, "item" if "item" in rows[0] else "x") for name in numbers),
        unit="seed",
        is_proportion=False,
        are_strangers=are_strangers,
    )


def of_arms(rows: Rows, *, are_strangers: bool = False) -> Sample:
    levels = tuple(_level(arm, weight, rows, "arm") for arm, weight in ARMS.items())
    return Sample(levels=levels, unit="seed", is_proportion=False, are_strangers=are_strangers)


def _level(name: str, weight: float, rows: Rows, key: str) -> Level:
    own = [row for row in rows if str(row[key]) == name]
    return Level(
        name=name,
        weight=weight,
        unit_means={row["unit"]: float(row["y"]) for row in own},
        unit_x={row["unit"]: float(row["x"]) for row in own},
    )


def grid(y_SX: Any, x_X: Any) -> Rows:
    return [{"unit": f"s{s}", "x": float(x_X[x]), "y": float(y)} for (s, x), y in np.ndenumerate(np.asarray(y_SX))]


@pytest.mark.parametrize("name", ["slope_balanced", "slope_gaps", "slope_runs"])
def test_a_line_through_runs_equals_clubsandwich(name: str) -> None:
    expected, found = REFERENCE[name]["fit"], slope_cr2(over_numbers(REFERENCE[name]["rows"]), level=0.95, edges=())
    numbers = (found.estimate, found.se, found.df, found.ci_low, found.ci_high)
    assert numbers == pytest.approx((expected["estimate"], expected["se"], expected["df"], *expected["ci"]), rel=1e-8)


@pytest.mark.parametrize("name", ["adjusted", "adjusted_gaps", "adjusted_strangers"])
def test_an_adjusted_contrast_equals_clubsandwich(name: str) -> None:
    expected = REFERENCE[name]["fit"]
    found = ancova_cr2(of_arms(REFERENCE[name]["rows"], are_strangers="strangers" in name), level=0.95, edges=())
    numbers = (found.estimate, found.se, found.df, found.ci_low, found.ci_high)
    assert numbers == pytest.approx((expected["estimate"], expected["se"], expected["df"], *expected["ci"]), rel=1e-8)


@pytest.mark.parametrize(("name", "run"), [("spearman", spearman), ("kendall", kendall)])
def test_rank_correlations_equal_r(name: str, run: Method) -> None:
    expected = REFERENCE["ranks"][name]
    found = run(over_numbers(REFERENCE["ranks"]["rows"]), level=0.95, edges=(-0.2,))
    assert found.estimate == pytest.approx(expected["estimate"], rel=1e-9)
    assert [found.ci_low, found.ci_high] == pytest.approx(expected["ci"], rel=1e-9)
    assert found.edges[0].p_below == pytest.approx(expected["p_below"], rel=1e-9)


def test_a_slope_by_hand() -> None:
    # Slopes of s0, s1 and s2 over 0, 1, 2: (3 - 1) / 2 = 1, (4 - 0) / 2 = 2, (6 - 0) / 2 = 3.
    rows = grid([[1, 5, 3], [0, 0, 4], [0, 3, 6]], [0, 1, 2])
    found = slope_t(over_numbers(rows), level=0.95, edges=(0.0,))
    assert (found.estimate, found.se, found.df) == pytest.approx((2, 1 / math.sqrt(3), 2))
    assert found.edges[0].p_above == pytest.approx(stats.t.sf(2 * math.sqrt(3), 2))
    assert found.prediction == pytest.approx(stats.t.interval(0.95, 2, loc=2, scale=math.sqrt(4 / 3)))


@settings(max_examples=20)
@given(
    st.lists(st.lists(st.integers(-50, 50), min_size=4, max_size=4), min_size=3, max_size=6),
    st.lists(st.integers(0, 9), min_size=4, max_size=4, unique=True),
)
def test_in_balance_a_slope_is_one_number_by_every_test_that_pairs(y: list[list[int]], x: list[int]) -> None:
    data = over_numbers(grid(y, x))
    try:
        first = slope_t(data, level=0.9, edges=(0.1,))
    except NoSpread:
        return
    for other in (paired_t(data, level=0.9, edges=(0.1,)), slope_cr2(data, level=0.9, edges=(0.1,))):
        numbers = ((e.estimate, e.se, e.df, e.edges[0].p_above) for e in (first, other))
        assert next(numbers) == pytest.approx(next(numbers), rel=1e-7, abs=1e-12)


def test_strangers_are_clusters_of_one_run_and_leave_more_df() -> None:
    rows = REFERENCE["slope_balanced"]["rows"]
    within, apart = (slope_cr2(over_numbers(rows, are_strangers=s), level=0.95, edges=()) for s in (False, True))
    by_levels = pooled_t(over_numbers(rows), level=0.95, edges=())
    assert within.df == pytest.approx(4)
    assert 9 < (apart.df or 0) < by_levels.n_units
    assert within.estimate == pytest.approx(apart.estimate) == pytest.approx(by_levels.estimate)


def test_each_seed_may_stand_at_numbers_of_its_own() -> None:
    """Measured covariates differ from seed to seed: numpy's line in each, then scipy's t over them."""
    rng = np.random.default_rng(5)
    rows = [
        {"unit": f"s{s}", "item": f"p{i}", "x": x, "y": 0.5 * x + float(rng.normal(0, 0.2))}
        for s in range(4)
        for i, x in enumerate(rng.uniform(0, 1, 5 + s).tolist())
    ]
    levels = tuple(_level(name, 1.0, rows, "item") for name in sorted({str(row["item"]) for row in rows}))
    found = slope_t(Sample(levels=levels, unit="seed", is_proportion=False), level=0.95, edges=())
    own = [[row for row in rows if row["unit"] == f"s{s}"] for s in range(4)]
    slopes = [np.polyfit([row["x"] for row in one], [row["y"] for row in one], 1)[0] for one in own]
    expected = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    assert (found.ci_low, found.ci_high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("estimator", [SLOPE_T, SLOPE_CR2])
def test_many_slopes_at_once_are_the_slopes_one_by_one(estimator: Estimator) -> None:
    rng, x_X = np.random.default_rng(3), [0.0, 1.0, 3.0, 4.0]
    y_KSX = rng.normal(0, 1, (5, 4, 4))
    samples = [over_numbers(grid(y_SX, x_X)) for y_SX in y_KSX]
    many = [
        ManyLevels(weight=level.weight, means_KU=y_KSX[:, :, place], x=x_X[place])
        for place, level in enumerate(samples[0].levels)
    ]
    assert estimator.simulate is not None
    found = estimator.simulate(many, level=0.9, edges=(0.0,), limits=(-math.inf, math.inf))
    for k, data in enumerate(samples):
        one = estimator.run(data, level=0.9, edges=(0.0,))
        assert (found.estimate_K[k], found.low_K[k], found.high_K[k]) == pytest.approx(
            (one.estimate, one.ci_low, one.ci_high)
        )
        assert found.p_KB[k] == pytest.approx([one.edges[0].p_above, one.edges[0].p_below])


@settings(max_examples=20)
@given(st.lists(st.permutations(range(5)), min_size=3, max_size=5))
def test_a_correlation_and_its_interval_stay_between_its_ends(orders: list[list[int]]) -> None:
    data = over_numbers(grid(orders, [1, 2, 3, 4, 5]))
    for run in (spearman, kendall):
        try:
            found = run(data, level=0.95, edges=(0.0,))
        except NoSpread:
            assert len({tuple(order) for order in orders}) == 1 or len(set(_correlations(orders))) < len(orders)
            continue
        assert found.prediction is not None
        assert -1 <= found.prediction[0] <= found.ci_low <= found.estimate <= found.ci_high <= found.prediction[1] <= 1


def _correlations(orders: list[list[int]]) -> list[float]:
    return [round(float(stats.kendalltau(range(5), order).statistic), 9) for order in orders]


def test_perfect_order_is_read_as_half_a_step_short_of_one() -> None:
    data = over_numbers(grid([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 4, 3]], [1, 2, 3, 4]))
    # Four points: one swap of neighbours costs 0.2 of Spearman's rho and a third of Kendall's tau.
    for run, r in ((spearman, (0.9, 0.9, 0.8)), (kendall, (5 / 6, 5 / 6, 2 / 3))):
        assert run(data, level=0.95, edges=()).estimate == pytest.approx(math.tanh(np.mean(np.arctanh(r))))


@pytest.mark.parametrize("estimator", [SLOPE_T, SLOPE_CR2, ANCOVA])
def test_the_pull_of_a_mean_is_what_the_estimate_gains_by_it(estimator: Estimator) -> None:
    rows = REFERENCE["adjusted_gaps" if estimator is ANCOVA else "slope_gaps"]["rows"]
    build = of_arms if estimator is ANCOVA else over_numbers
    data = build(rows)
    assert estimator.pull is not None
    before = estimator.run(data, level=0.95, edges=()).estimate
    for level, own in estimator.pull(data).items():
        for unit, pull in own.items():
            key = "arm" if estimator is ANCOVA else "x"
            moved = [{**row, "y": row["y"] + (row["unit"] == unit and str(row[key]) == level)} for row in rows]
            assert estimator.run(build(moved), level=0.95, edges=()).estimate - before == pytest.approx(pull, abs=1e-9)


STEADY = [[0.1, 0.2, 0.25, 0.5], [0.1, 0.3, 0.2, 0.4], [0.0, 0.1, 0.3, 0.35]]


@pytest.mark.parametrize(
    ("run", "y", "x", "error", "says"),
    [
        (slope_t, [[1, 2], [2, 3]], [1, 1.0], NotThisDesign, "stand at one number"),
        (slope_cr2, [[1, 2], [2, 3]], [1, 1.0], NotThisDesign, "same number"),
        (slope_t, [[1, 2, 5]], [1, 2, 3], TooFewUnits, "fewer than 2"),
        (slope_cr2, [[1, 2, 5]], [1, 2, 3], TooFewUnits, "one cluster"),
        (slope_cr2, [[1, 2, 4], [0, 3, 1]], [1, 2, 3], TooFewUnits, "1 Satterthwaite df"),
        (slope_t, [[1, 2], [2, 3], [0, 1]], [1, 2], NoSpread, "do not differ"),
        (slope_t, [[1, math.nan], [2, 3]], [1, 2], NotFinite, "not finite"),
        (spearman, [[1, 2, 3], [3, 1, 2], [1, 3, 2]], [1, 2, 3], NotThisDesign, "4 different numbers"),
        (spearman, STEADY[:2], [1, 2, 3, 4], TooFewUnits, "fewer than 3"),
        (kendall, [*STEADY, [0, 0, 0, 0]], [1, 2, 3, 4], NoSpread, "no ranks"),
        (kendall, [[1, 2, 3, 4]] * 3, [1, 2, 3, 4], NoSpread, "do not differ"),
    ],
)
def test_what_cannot_be_estimated_is_refused(run: Method, y: Any, x: Any, error: type[Refusal], says: str) -> None:
    rows = [{**row, "item": f"p{at % len(x)}"} for at, row in enumerate(grid(y, x))]
    levels = tuple(_level(f"p{place}", 1.0, rows, "item") for place in range(len(x)))
    with pytest.raises(error, match=says):
        run(Sample(levels=levels, unit="seed", is_proportion=False), level=0.95, edges=(0.0,))


def test_levels_without_numbers_and_covariates_that_stand_still_are_refused() -> None:
    blank = Level(name="a", weight=1.0, unit_means={"s0": 1.0, "s1": 2.0})
    with pytest.raises(NotThisDesign, match="number that every level stands at"):
        slope_t(Sample(levels=(blank,), unit="seed", is_proportion=False), level=0.95, edges=())
    still = [{**row, "x": 100.0 + (row["arm"] == "b")} for row in REFERENCE["adjusted"]["rows"]]
    with pytest.raises(NotThisDesign, match="does not vary within levels"):
        ancova_cr2(of_arms(still), level=0.95, edges=())
    with pytest.raises(BadInput, match="between -1 and 1"):
        spearman(over_numbers(grid(STEADY, [1, 2, 3, 4])), level=0.95, edges=(1.0,))


def test_every_reader_of_numbers_has_a_pull() -> None:
    assert SPEARMAN.pull is not None
    pulls = SPEARMAN.pull(over_numbers(grid(STEADY, [1, 2, 3, 4])))
    assert [np.sign(pulls[level]["s0"]) for level in ("1.0", "2.0", "3.0", "4.0")] == [-1, -1, 1, 1]


def test_the_coverage_page_holds_what_its_generator_finds() -> None:
    written = PAGE.read_text(encoding="utf-8")
    for row in adjusted(3):
        (line,) = [line for line in written.splitlines() if f"| {row.case} | {row.method} |" in line]
        assert line.split(" | ")[2] == cell(row)
