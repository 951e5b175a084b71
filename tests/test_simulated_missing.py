"""Answers that never come, simulated: lost as the design says, bounded as the analysis bounds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.infer import infer
from seedlock.analysis.simulation.assumptions import Variation
from seedlock.analysis.simulation.missing import Came, lose_answers
from seedlock.analysis.simulation.rules import play
from seedlock.analysis.simulation.simulate import Design, _draw_all, _lose_all, declare_design, worlds_at
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.test_simulated_promises import BETWEEN, HEAD, close, hypothesis, run

DESIGN = """
[design]
items = 6
draws = 4
[design.measures.rate]
base = 0.5
seed_sd = [0.5]
{rate}
[design.measures.score]
seed_sd = [1.0]
{score}
[missing]
answers = "{answers}"
"""
BOTH = (
    hypothesis("rates", measure="rate", test="welch_t", contrast=BETWEEN)
    + hypothesis("scores", measure="score", test="pooled_t", contrast=BETWEEN, edge=0.5)
    + hypothesis("one", measure="rate", test="permutation", contrast=BETWEEN)
)


def lossy(answers: str, *parts: str, rate: str = "", score: str = "", seeds: int = 4) -> Plan:
    head = HEAD.replace("[measures.score]\n", "[measures.score]\nlow = -8.0\nhigh = 8.0\n")
    own = DESIGN.format(answers=answers, rate=rate, score=score)
    return parse_plan("\n".join([head.format(seeds=list(range(seeds))), *parts, own]).encode(), Path("s/plan.toml"))


def frame(design: Design, complete: dict[int, Any], came: dict[int, Came], study: int) -> pd.DataFrame:
    """One simulated study as the table of cells that the analysis reads."""
    rows = []
    for block, cells in complete.items():
        measure = design.layout.blocks[block].measure
        mean_KRI, n_KRI = came[block].mean_KRI, came[block].n_KRI
        for r, one in enumerate(design.layout.runs):
            for i in range(cells.shape[2]):
                mean, n = float(mean_KRI[study, r, i]), int(n_KRI[study, r, i])
                total = 0.0 if n == 0 else mean * n
                rows.append(
                    {"run_id": one.label, "model": one.model, "arm": one.arm, "seed": str(one.seed), "item_id": f"i{i}",
                     "measure": measure, "n_scored": n, "k": round(total) if measure == "rate" else None,
                     "mean": mean, "total": total, "n_missing": 4 - n}
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("answers", ["exclude", "exclude and bound"])
def test_studies_with_missing_answers_end_as_the_real_analysis_ends(answers: str) -> None:
    rate, score = "missing = { eager = 0.1 }", 'missing = 0.05\nmissing_at = "high"'
    plan = lossy(answers, BOTH, rate=rate, score=score)
    design = declare_design(plan, seed=5, one_by_one=50)
    worlds, raw = worlds_at(design, 0, ["expected"])
    key = (1, 0, 0, 0)
    cells = _draw_all(design, worlds.worlds[0], key, point=0, simulations=6)
    came = _lose_all(design, worlds.worlds[0], key, cells)
    endings = play(
        plan,
        design.layout,
        design.rules,
        {block: one.mean_KRI for block, one in came.items()},
        draws=4,
        raw=raw,
        rates=design.rates,
        at_most=50,
        came={block: one.n_KRI for block, one in came.items()},
        spans=design.spans,
    )
    for k in range(6):
        inference = infer(Data(plan=plan, cells=frame(design, cells, came, k)))
        for name, tested in inference.tested.items():
            names = tested.estimand.partition.names
            left = tuple(n for n, is_left in zip(names, endings.targets[name].left_KB[k], strict=True) if is_left)
            assert left == tested.verdict, (k, name, tested.reasons)
            assert tested.estimate is not None
            assert tested.estimate.estimate == pytest.approx(endings.targets[name].estimate_K[k])


@pytest.mark.parametrize(("is_rate", "at"), [(True, "random"), (True, "high"), (False, "low"), (False, "random")])
def test_so_many_answers_are_lost_as_the_design_says_and_where(is_rate: bool, at: Any) -> None:
    design = declare_design(lossy("exclude", BOTH), seed=5, one_by_one=50)
    name = "rate" if is_rate else "score"
    variation = Variation(
        measure=name, is_rate=is_rate, base={}, seed_sd=(0.0,), item_sd=0.0, item_effect_sd=0.0, answer_sd=1.0,
        missing={"eager": 0.3}, missing_at=at,
    )  # fmt: skip
    runs = design.layout.runs
    rng = np.random.default_rng(3)
    shape = (400, len(runs), 6)
    cells = rng.binomial(4, 0.5, shape) / 4 if is_rate else rng.normal(0, 0.5, shape)
    found = lose_answers(variation, runs, np.full(len(runs), 0.5 if is_rate else 0.0), cells, draws=4, rng=rng)
    eager = [run.arm == "eager" for run in runs]
    assert (found.n_KRI[:, [not one for one in eager]] == 4).all()
    share = found.n_KRI[:, eager].sum() / (400 * sum(eager) * 6 * 4)
    assert share == pytest.approx(0.7 if at == "random" else 0.85, abs=0.01)
    total = np.nansum(found.mean_KRI[:, eager] * found.n_KRI[:, eager]) / found.n_KRI[:, eager].sum()
    hits = {"random": 0.5, "high": 0.35 / 0.85}.get(at, 0.0)
    raised = 0.15 / 0.85 * np.sqrt(2 / np.pi)  # half of a standard normal's mean, of the share of low answers lost
    assert total == pytest.approx(hits if is_rate else {"random": 0.0, "low": raised}[at], abs=0.02)


def test_answers_lost_by_what_they_say_break_complete_cases_and_not_their_bounds() -> None:
    lost = 'missing = { calm = 0.5 }\nmissing_at = "high"'
    one = hypothesis(measure="rate", test="welch_t", contrast=BETWEEN)
    complete = run(lossy("exclude", one, rate=lost), 1000)
    assert any(said.startswith("H1: error ") for said in complete.findings)
    bounded = run(lossy("exclude and bound", one, rate=lost), 1000)
    assert not [said for said in bounded.findings if "error" in said]
    at_random = run(lossy("exclude", one, rate="missing = 0.5"), 1000)
    close(at_random.row("H1", "null").error, 0.05)
