"""Hard cases of docs/coverage.md that are whole rules of a plan: new items, answers that never come, shared gates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from docs.coverage_table import ALPHA, LEVEL, Row, Section
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.simulation.result import Measured, SimulationResult
from seedlock.analysis.simulation.run import simulate_design
from seedlock.prereg.errors import Refusal
from seedlock.prereg.plan.read import parse_plan

SEEDS = (3, 5, 8)
ITEMS = (10, 30)
LOST = ((0.0, 0.0), (0.1, 0.0), (0.3, 0.0), (0.5, 0.0), (0.3, 0.3))
LOST_AT = ("random", "high", "low")
SHARED = (0.0, 0.5, 1.0)
PLAN = """
[study]
title = "A hard case"
question = "How often does it err?"
[inference]
seeds = "new"
items = "these"
alpha = 0.025
[models.m]
base = "none"
revision = "none"
[arms]
a = {{}}
b = {{}}
[grid]
models = ["m"]
seeds = {seeds}
seeds_share = "nothing"
[measures.score]
kind = "{kind}"
{params}
[measures.skill]
kind = "numeric"
unit = "points"
[missing]
answers = "{answers}"
[design]
items = 20
draws = 5
within_run = {within_run}
[design.measures.score]
{design}
[design.measures.skill]
seed_sd = [1.0]
item_sd = 0.0
answer_sd = 0.0
{gate}
[[hypothesis]]
id = "H1"
claim = "More."
measure = "score"
contrast = {{ a = 1.0, b = -1.0 }}
test = "welch_t"
bands = ["less", 0.0, "more"]
predicted = "more"
"""
EXACT = "seed_sd = [1.0]\nitem_sd = 0.0\nanswer_sd = 0.0"
GATE = """
[gates.works]
measure = "skill"
contrast = { a = 1.0, b = -1.0 }
test = "welch_t"
bands = ["no", 0.0, "yes"]
need = "yes"
"""


def new_items(studies: int) -> Iterator[Row]:
    """Seeds and items both drawn anew: seed SD 0.3, items 1, what an item does in an arm 0.5, one answer 0.5."""
    for seeds in SEEDS:
        for n_items in ITEMS:
            rng = np.random.default_rng([21, seeds, n_items])
            covers: dict[str, list[bool]] = {"crossed": [], "welch_t": []}
            for _ in range(studies):
                sample = _crossed_study(rng, seeds, n_items)
                for name, found in covers.items():
                    try:
                        estimate = ESTIMATORS[name].run(sample, level=LEVEL, edges=())
                    except Refusal:
                        continue
                    found.append(estimate.ci_low <= 0 <= estimate.ci_high)
            yield Row(
                design=f"{seeds} v {seeds} seeds, {n_items} items",
                share={name: float(np.mean(found)) for name, found in covers.items()},
                refused={name: 1 - len(found) / studies for name, found in covers.items()},
            )


def _crossed_study(rng: np.random.Generator, seeds: int, n_items: int) -> Sample:
    item_I = rng.normal(size=n_items)
    levels = []
    for name, weight in (("a", 1.0), ("b", -1.0)):
        noise_SI = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 0.5, (seeds, n_items))
        answer_SI = item_I + rng.normal(0, 0.5, n_items) + noise_SI
        cells = {(str(s), str(i)): float(x) for (s, i), x in np.ndenumerate(answer_SI)}
        means = {str(s): float(mean) for s, mean in enumerate(answer_SI.mean(axis=1))}
        levels.append(Level(name=name, weight=weight, unit_means=means, cells=cells))
    return Sample(levels=tuple(levels), unit="seed", is_proportion=False)


def missing_answers(studies: int) -> Iterator[Row]:
    """A yes/no measure at 30%, 20 items x 5 answers, 5 v 5 seeds: error where answers are lost as `[design]` says."""
    for lost in LOST:
        for lost_at in LOST_AT if any(lost) else ("random",):
            design = (
                f'base = 0.3\nseed_sd = [0.3]\nmissing = {{ a = {lost[0]}, b = {lost[1]} }}\nmissing_at = "{lost_at}"'
            )
            found = {
                answers: simulated(studies, kind="marker_rate", params='marker = "x"', design=design, answers=answers)
                for answers in ("exclude", "exclude and bound")
            }
            which = {"random": "any answer", "high": "hits only", "low": "misses only"}[lost_at]
            yield Row(
                design=f"lost: {lost[0]:.0%} v {lost[1]:.0%}" + (f", {which}" if any(lost) else ""),
                share={f'"{answers}"': worst(result) for answers, result in found.items()},
                refused={f'"{answers}"': 0.0 for answers in found},
            )


def shared_gates(studies: int) -> Iterator[Row]:
    """A gate on another measure of the same runs, its true effect two SDs between seeds."""
    for seeds in SEEDS:
        for within_run in SHARED:
            result = simulated(studies, seeds=seeds, within_run=within_run, gate=GATE, design=EXACT)
            row = result.row("H1", "null")
            yield Row(
                design=f"{seeds} v {seeds} seeds, correlation within a run {within_run:g}",
                share={"every study": _value(row.error), "studies with an open gate": _value(row.error_given_open)},
                refused={"every study": 0.0, "studies with an open gate": 0.0},
            )


def simulated(
    studies: int,
    *,
    seeds: int = 5,
    kind: str = "numeric",
    params: str = 'unit = "points"',
    design: str = "",
    answers: str = "exclude",
    within_run: float = 0.0,
    gate: str = "",
) -> SimulationResult:
    """The simulation of one plan of this page."""
    text = PLAN.format(
        seeds=list(range(seeds)),
        kind=kind,
        params=params,
        design=design,
        answers=answers,
        within_run=within_run,
        gate=gate,
    )
    plan = parse_plan(text.encode(), Path("hard/plan.toml"))
    return simulate_design(plan, simulations=studies, seed=31, most_seeds=0)


def worst(result: SimulationResult) -> float:
    """The greater of the errors in either direction where there is no effect."""
    row = result.row("H1", "null")
    wrong = [verdict.probability.value or 0.0 for verdict in row.verdicts if len(verdict.left) == 1]
    return max(wrong, default=0.0)


def _value(measured: Measured | None) -> float:
    return 0.0 if measured is None or measured.value is None else measured.value


RULES = (
    Section(
        title="New items as well as new seeds",
        says="Two arms with no effect on average over items; seed SD 0.3, SD between items 1, of what an item does\n"
        "in an arm and of an answer 0.5. A test over seeds holds the items: `check` warns where the plan says\n"
        '`items = "new"` (`items-held`).',
        rows=new_items,
        studies=200,
    ),
    Section(
        title="Answers that never come: how often an error is claimed",
        says="No effect, 30% in both arms, 5 v 5 seeds, 20 items x 5 answers, `welch_t`; the worse direction, by\n"
        "`missing.answers`. Complete cases err where what is lost depends on what it says; `check` says so of a plan\n"
        "that does not bound them (`complete-cases`).",
        rows=missing_answers,
        studies=2000,
        nominal=ALPHA,
        is_error=True,
    ),
    Section(
        title="A gate on the runs that it guards: how often an error is claimed",
        says="No effect, `welch_t`; the gate reads another measure, with a true effect of two SDs. `check` says so\n"
        "until the design says how far a run's measures move together (`gate-shares-seeds`).",
        rows=shared_gates,
        studies=4000,
        nominal=ALPHA,
        is_error=True,
    ),
)
