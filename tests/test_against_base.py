"""Arms against the unmodified model, which has no seed: its one mean stands beside every seed of the arm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.select import build_sample
from seedlock.analysis.simulation.assumptions import assume
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.analysis.simulation.layout import lay_out
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Hypothesis, Plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN

AGAINST = {"other": 1.0, "base": -1.0}


def hypothesis() -> Hypothesis:
    return Hypothesis(
        id="kept",
        claim="As before.",
        measure="m",
        contrast=AGAINST,
        test="paired_t",
        bands=["less", -0.1, "alike", 0.1, "more"],
        predicted="alike",
    )


def cells(tuned: np.ndarray, base: np.ndarray) -> pd.DataFrame:
    """Means of items, shape (seeds, items) and (items,)."""
    rows: list[tuple[str, str | None, int, float]]
    rows = [("other", str(seed), item, value) for seed, own in enumerate(tuned) for item, value in enumerate(own)]
    rows += [("base", None, item, value) for item, value in enumerate(base)]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "item", "mean"])
    return frame.assign(
        run_id=frame["arm"] + frame["seed"].fillna(""), item_id=frame["item"].astype(str), level=frame["arm"],
        unit_label=frame["seed"], n_scored=1.0, n_missing=0, k=np.nan, total=frame["mean"], measure="m",
    )  # fmt: skip


def test_the_difference_is_a_t_test_of_the_seeds_against_a_constant() -> None:
    rng = np.random.default_rng(3)
    tuned, base = rng.normal(0.4, 0.2, (5, 6)), rng.normal(0.3, 0.2, 6)
    sample = build_sample(cells(tuned, base), hypothesis(), is_proportion=False, cluster="item")
    found = ESTIMATORS["paired_t"].run(sample, level=0.95, edges=(-0.1, 0.1))
    by_hand = stats.ttest_1samp(tuned.mean(axis=1) - base.mean(), 0.0)
    ci = by_hand.confidence_interval(0.95)
    assert found.estimate == pytest.approx(tuned.mean() - base.mean())
    assert (found.ci_low, found.ci_high) == pytest.approx((ci.low, ci.high))


def planned(test: str) -> Plan:
    text = PLAN.replace("pooled_t", test).replace("plain = -1.0", "base = -1.0").replace("[import]", "[ignored]")
    told, _, rest = text.partition("[ignored]")
    text = told + rest[rest.index("[measures.marker]") :]
    text = text.replace("seeds  = [0, 1, 2, 3]", "seeds  = [0, 1, 2, 3]\nbaseline = true")
    return parse_plan(text.encode(), Path("plan.toml"))


def test_a_test_that_takes_the_unmodified_model_for_a_sample_is_refused() -> None:
    with pytest.raises(BadInput, match="stands beside each as it is"):
        design_lints(planned("pooled_t"))
    assert not [lint for lint in design_lints(planned("paired_t")) if lint.severity == "refuse"]


def test_it_is_simulated_as_it_is_analysed() -> None:
    plan = planned("paired_t")
    (target,) = lay_out(plan, assume(plan)).targets
    arm, base = target.levels
    assert not target.problem
    assert list(arm.units) == list(base.units) == ["0", "1", "2", "3"]
    assert len(set(base.units.values())) == 1
