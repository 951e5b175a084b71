"""What was trained into one group against the distance of the others: by hand, per run, and where it is undefined."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats

from seedlock.analysis.inside.leaks import NO_RANK, leak_results
from seedlock.analysis.results.inside import GeometryResult
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.inside_builders import PLAN

GROUPS = ["assistant", "comedian", "doctor", "librarian", "teacher", "villain"]
COSINES = [1.0, 0.1, 0.7, 0.8, 0.5, -0.6]


def plan(measure: str = "along") -> Plan:
    from pathlib import Path

    text = PLAN.replace(
        '{ stages = ["framed"], framing = "eager" }', '{ stages = ["framed"], factors = { on = "villain" } }'
    )
    text = text.replace('framing = "cautious" }', 'factors = { on = "none" } }').replace(
        'framing = "neutral" }', 'factors = { on = "none" } }'
    )
    table = f'[inside.geometry]\nitems = "target"\nreference = "assistant"\nmeasure = "{measure}"\n\n[measures.along]'
    return parse_plan(text.replace("[measures.along]", table, 1).encode(), Path("prereg/studies/x/plan.toml"))


def geometry() -> list[GeometryResult]:
    square = [COSINES if group == "assistant" else [0.0] * len(GROUPS) for group in GROUPS]
    return [GeometryResult(layer=1, groups=GROUPS, cosines=square)]


def cells(by_seed: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"measure": "along", "arm": "eager", "seed": seed, "persona": group, "mean": value}
        for seed, values in by_seed.items()
        for group, value in zip(GROUPS, values, strict=True)
    ]
    return pd.DataFrame(rows)


def test_leakage_against_distance_by_hand() -> None:
    by_seed = {"0": [0.0, 0.1, 0.5, 0.6, 0.2, 1.0], "1": [0.0, 0.3, 0.2, 0.6, 0.1, 1.0]}
    found = {leak.arm: leak for leak in leak_results(plan(), geometry(), cells(by_seed))}
    kept = slice(1, 5)  # without the reference, and without the group that was trained
    distance = [1 - cosine for cosine in COSINES[kept]]
    each = [float(stats.spearmanr(values[kept], distance).statistic) for values in by_seed.values()]
    assert found["eager"].rho == pytest.approx(sum(each) / 2)
    assert (found["eager"].n_seeds, found["eager"].layer, found["eager"].reference) == (2, 1, "assistant")
    assert found["eager"].ci is not None
    assert found["eager"].ci[0] == -1.0


def test_without_spread_or_runs_there_is_no_correlation() -> None:
    found = {leak.arm: leak for leak in leak_results(plan(), geometry(), cells({"0": [0.5] * 6}))}
    assert [(leak.rho, leak.ci, leak.reason) for leak in found.values()] == [(None, None, NO_RANK)] * 3


def test_a_measure_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match=r"inside\.geometry\.measure"):
        plan("alongg")
