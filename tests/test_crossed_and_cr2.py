"""Units crossed with items: against R's lmerTest and clubSandwich, agreement in balance, and refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.analysis.estimators.cr2 import cr2
from seedlock.analysis.estimators.crossed import crossed
from seedlock.analysis.estimators.internals.cell_grid import cell_grid
from seedlock.analysis.estimators.internals.estimator import Method
from seedlock.analysis.estimators.internals.reml import fit_crossed
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.prereg.errors import NoSpread, NotFinite, NotThisDesign, TooFewUnits
from tests.sample_builders import two_arms

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))
PUBLISHED = json.loads((Path(__file__).parent / "reference/published.json").read_text(encoding="utf-8"))
WEIGHTS = {"a": -1.0, "b": 1.0}


def arm(name: str, cells: dict[tuple[str, str], float], *, weight: float) -> Level:
    units = sorted({unit for unit, _ in cells})
    means = {u: float(np.mean([y for (unit, _), y in cells.items() if unit == u])) for u in units}
    return Level(name=name, weight=weight, unit_means=means, cells=cells)


def from_rows(rows: list[dict[str, Any]]) -> Sample:
    arms = sorted({row["arm"] for row in rows})
    weights = WEIGHTS if len(arms) > 1 else {"a": 1.0}
    levels = (arm(a, {(r["unit"], r["item"]): r["y"] for r in rows if r["arm"] == a}, weight=weights[a]) for a in arms)
    return Sample(levels=tuple(levels), unit="seed", is_proportion=False)


def from_arrays(a_SI: np.ndarray[Any, Any], b_SI: np.ndarray[Any, Any]) -> Sample:
    return from_rows(
        [
            {"arm": name, "unit": f"{name}{s}", "item": f"q{i}", "y": float(y)}
            for name, y_SI in (("a", a_SI), ("b", b_SI))
            for (s, i), y in np.ndenumerate(y_SI)
        ]
    )


def numbered(units: list[str], y: list[float]) -> Sample:
    """One level; a unit's answers numbered in the order they come."""
    rows = [
        {"arm": "a", "unit": unit, "item": str(units[:at].count(unit)), "y": value}
        for at, (unit, value) in enumerate(zip(units, y, strict=True))
    ]
    return from_rows(rows)


@pytest.mark.parametrize("name", ["cr2_gaps", "cr2_lopsided"])
def test_cr2_equals_clubsandwich(name: str) -> None:
    expected = REFERENCE[name]["fit"]
    found = cr2(from_rows(REFERENCE[name]["rows"]), level=0.95, edges=())
    assert found.estimate == pytest.approx(expected["estimate"], rel=1e-9)
    assert (found.se, found.df) == pytest.approx((expected["se"], expected["df"]), rel=1e-9)
    assert [found.ci_low, found.ci_high] == pytest.approx(expected["ci"], rel=1e-9)


@pytest.mark.parametrize("name", ["crossed_one", "crossed_two", "crossed_gaps"])
def test_the_crossed_model_equals_lmertest(name: str) -> None:
    expected, data = REFERENCE[name]["fit"], from_rows(REFERENCE[name]["rows"])
    found, grid = crossed(data, level=0.95, edges=()), cell_grid(data, method="test")
    assert found.estimate == pytest.approx(expected["estimate"], rel=1e-8)
    assert found.se == pytest.approx(expected["se"], rel=1e-6)
    assert fit_crossed(grid).df == pytest.approx(expected["df"], rel=1e-5)
    assert found.df == pytest.approx(min(expected["df"], len(grid.units) - len(data.levels)), rel=1e-5)


def test_seeds_that_do_not_differ_leave_the_df_of_seeds_not_of_items() -> None:
    """Six seeds, thirty items, no spread between seeds: the formula alone gives 29 df."""
    rng = np.random.default_rng(8)
    y_SI = rng.normal(0, 1, (1, 30)) + rng.normal(0, 0.3, (6, 30))
    y_SI -= y_SI.mean(axis=1, keepdims=True) - y_SI.mean()
    rows = [{"arm": "a", "unit": f"s{s}", "item": f"q{i}", "y": float(v)} for (s, i), v in np.ndenumerate(y_SI)]
    found = crossed(from_rows(rows), level=0.95, edges=())
    assert fit_crossed(cell_grid(from_rows(rows), method="test")).df > 25
    assert found.df == 5
    assert found.unit_sd is None
    assert "SD at 0: unit" in found.assumes


def test_cr2_refuses_a_level_whose_seeds_do_not_differ() -> None:
    rng = np.random.default_rng(9)
    first, second = rng.normal(0, 1, (3, 6)), np.tile(rng.normal(0, 1, 6), (3, 1))
    with pytest.raises(NoSpread, match="no evidence of precision"):
        cr2(from_arrays(first, second), level=0.95, edges=())


@pytest.mark.parametrize("name", ["dyestuff", "dyestuff2", "dyestuff_ragged"])
def test_units_without_items_equal_lme4(name: str) -> None:
    expected = PUBLISHED[name]
    fit = fit_crossed(cell_grid(numbered(expected["unit"], expected["y"]), method="test"), has_items=False)
    assert fit.unit_sd == pytest.approx(expected["sd"]["Batch"], rel=1e-5)
    assert fit.residual_sd == pytest.approx(expected["sd"]["Residual"], rel=1e-6)
    assert (fit.estimate, fit.se) == pytest.approx((expected["fit"]["estimate"], expected["fit"]["se"]), rel=1e-6)
    assert fit.df == pytest.approx(expected["fit"]["df"], rel=1e-5)
    assert (fit.unit_sd == 0) == fit.reason.startswith("SD at 0: unit")


def test_one_way_variances_by_hand() -> None:
    # In balance: within = MS within; between = (MS between - MS within) / answers, 4 units of 3.
    y_UN = np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 7.0], [0.0, 1.0, -1.0], [3.0, 5.0, 4.0]])
    within = float(y_UN.var(axis=1, ddof=1).mean())
    between = float(y_UN.mean(axis=1).var(ddof=1)) - within / 3
    made = numbered([str(u) for u in range(4) for _ in range(3)], y_UN.ravel().tolist())
    fit = fit_crossed(cell_grid(made, method="test"), has_items=False)
    assert (fit.unit_sd**2, fit.residual_sd**2) == pytest.approx((between, within), rel=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([-1e4, 0.0, 1e6]), st.sampled_from([1e-3, 1.0, 1e3]))
def test_the_crossed_model_moves_with_the_unit_of_measure(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    y_SI = rng.normal(0, 1, 6)[:, None] + rng.normal(0, 0.5, 8) + rng.normal(0, 0.5, (6, 8))
    plain, moved = (crossed(from_arrays(y[:3], y[3:]), level=0.95, edges=()) for y in (y_SI, y_SI * scale + shift))
    assert moved.se is not None
    assert plain.se is not None
    assert moved.se == pytest.approx(plain.se * scale, rel=1e-4)
    assert moved.estimate == pytest.approx(plain.estimate * scale, abs=1e-4 * scale)


def test_a_level_far_from_zero_has_an_answer() -> None:
    """The SD of numbered preparations is at 0, and yields of 1,500 cost the optimiser no digits."""
    expected = PUBLISHED["dyestuff"]
    found = crossed(numbered(expected["unit"], expected["y"]), level=0.95, edges=())
    assert found.unit_sd == pytest.approx(expected["sd"]["Batch"], rel=1e-5)
    assert "SD at 0: item means" in found.assumes


def test_units_whose_answers_never_differ_leave_no_residual() -> None:
    made = numbered(["a", "a", "b", "b"], [1.0, 1.0, 2.0, 2.0])
    with pytest.raises(NoSpread, match="unit effects"):
        fit_crossed(cell_grid(made, method="test"), has_items=False)


def test_in_balance_t_on_seed_means_cr2_and_kenward_roger_are_one_answer() -> None:
    balanced = from_rows(REFERENCE["balanced_agreement"]["rows"])
    kenward_roger = REFERENCE["balanced_agreement"]["kenward_roger"]
    for method in (pooled_t, cr2):
        found = method(balanced, level=0.95, edges=())
        assert found.estimate == pytest.approx(kenward_roger["estimate"], rel=1e-9)
        assert found.se == pytest.approx(kenward_roger["se"], rel=1e-7)
        assert found.df == pytest.approx(8)


def test_the_crossed_variance_by_hand() -> None:
    # One arm, balanced: V = (MS_unit + MS_item - MS_residual) / (U I), df by Satterthwaite on the three.
    rng = np.random.default_rng(5)
    y = rng.normal(0, 1, (4, 1)) + rng.normal(0, 1, (1, 6)) + rng.normal(0, 0.4, (4, 6))
    rows = [{"arm": "a", "unit": f"s{s}", "item": f"q{i}", "y": float(v)} for (s, i), v in np.ndenumerate(y)]
    ms = [6 * float(y.mean(axis=1).var(ddof=1)), 4 * float(y.mean(axis=0).var(ddof=1))]
    residual = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0, keepdims=True) + y.mean()
    ms.append(float((residual**2).sum()) / 15)
    variance = (ms[0] + ms[1] - ms[2]) / 24
    df = (24 * variance) ** 2 / (ms[0] ** 2 / 3 + ms[1] ** 2 / 5 + ms[2] ** 2 / 15)
    found = crossed(from_rows(rows), level=0.95, edges=())
    assert found.se == pytest.approx(math.sqrt(variance), rel=1e-6)
    assert found.df == pytest.approx(min(df, 3), rel=1e-4)
    assert found.unit_sd == pytest.approx(math.sqrt((ms[0] - ms[2]) / 6), rel=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 7))
def test_cr2_in_balance_is_pooled_t_to_the_last_digits(seed: int, seeds: int, items: int) -> None:
    rng = np.random.default_rng(seed)
    made = from_arrays(rng.normal(size=(seeds, items)), rng.normal(size=(seeds, items)))
    robust, plain = cr2(made, level=0.9, edges=(0.1,)), pooled_t(made, level=0.9, edges=(0.1,))
    assert (robust.estimate, robust.se, robust.df) == pytest.approx((plain.estimate, plain.se, plain.df), rel=1e-8)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_speaking_of_new_items_is_never_more_certain_than_of_these(seed: int) -> None:
    rng = np.random.default_rng(seed)
    item_I, unit_S = rng.normal(0, 1, 8), rng.normal(0, 0.7, 6)
    y_SI = unit_S[:, None] + item_I + rng.normal(0, 0.5, (6, 8))
    made = from_arrays(y_SI[:3] + rng.normal(0, 0.5, 8), y_SI[3:])
    grid = cell_grid(made, method="test")
    fit = fit_crossed(grid)
    # Where no component sits on its boundary the new-items variance adds the items' share.
    if min(fit.unit_sd, fit.level_item_sd) > 0:
        these = pooled_t(made, level=0.95, edges=()).se
        assert these is not None
        assert fit.se >= these * (1 - 1e-6)


def test_a_hundred_thousand_answers_behind_few_cells_change_nothing() -> None:
    rng = np.random.default_rng(2)
    made = from_arrays(rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    more = Sample(
        levels=tuple(
            Level(name=lv.name, weight=lv.weight, unit_means=lv.unit_means, cells=lv.cells, n=100_000, k=1)
            for lv in made.levels
        ),
        unit="seed",
        is_proportion=False,
    )
    for method in (cr2, crossed):
        assert method(made, level=0.95, edges=(0.0,)) == method(more, level=0.95, edges=(0.0,))


METHODS = [cr2, crossed]


@pytest.mark.parametrize("method", METHODS)
def test_seed_means_alone_are_not_enough(method: Method) -> None:
    with pytest.raises(NotThisDesign, match="every unit on every item"):
        method(two_arms([1, 2, 3], [2, 3, 5]), level=0.95, edges=())


@pytest.mark.parametrize("method", METHODS)
def test_too_few_seeds_or_items_are_refused(method: Method) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(TooFewUnits):
        method(from_arrays(rng.normal(size=(1, 5)), rng.normal(size=(3, 5))), level=0.95, edges=())
    with pytest.raises(TooFewUnits):
        method(from_arrays(rng.normal(size=(3, 1)), rng.normal(size=(3, 1))), level=0.95, edges=())


@pytest.mark.parametrize("method", METHODS)
def test_cells_without_spread_or_without_numbers_are_refused(method: Method) -> None:
    with pytest.raises(NoSpread):
        method(from_arrays(np.full((3, 4), 0.3), np.full((3, 4), 0.1)), level=0.95, edges=())
    broken = np.ones((3, 4))
    broken[1, 2] = math.nan
    with pytest.raises(NotFinite, match="not finite"):
        method(from_arrays(broken, np.ones((3, 4))), level=0.95, edges=())


def test_cells_that_add_up_exactly_leave_no_residual_to_fit() -> None:
    exact = np.add.outer(np.array([0.0, 0.5, 1.1]), np.array([0.2, 0.9, 0.4, 0.6]))
    with pytest.raises(NoSpread, match="exact sum"):
        crossed(from_arrays(exact, exact + 1), level=0.95, edges=())


def test_arms_that_share_no_item_cannot_be_compared_by_cr2() -> None:
    rng = np.random.default_rng(1)
    a = {(f"a{s}", f"q{i}"): float(rng.normal()) for s in range(3) for i in range(3)}
    b = {(f"b{s}", f"r{i}"): float(rng.normal()) for s in range(3) for i in range(3)}
    apart = Sample(levels=(arm("a", a, weight=-1.0), arm("b", b, weight=1.0)), unit="seed", is_proportion=False)
    with pytest.raises(NotThisDesign, match="share too few items"):
        cr2(apart, level=0.95, edges=())


def test_cr2_refuses_below_two_df() -> None:
    two_seeds = [row for row in REFERENCE["crossed_one"]["rows"] if row["unit"] in {"a1", "a2"}]
    with pytest.raises(TooFewUnits, match="Satterthwaite df"):
        cr2(from_rows(two_seeds), level=0.95, edges=())
