"""Simulate a plan's whole set of rules on data drawn from its design."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Params
from seedlock.analysis.simulation.assumptions import Assumed, assume
from seedlock.analysis.simulation.draw import Drawing, common_effects, draw_cells, planned_spread, run_levels
from seedlock.analysis.simulation.evaluate import is_vectorised, runs_at
from seedlock.analysis.simulation.labels import label_noise
from seedlock.analysis.simulation.layout import Layout, lay_out
from seedlock.analysis.simulation.missing import Came, lose_answers
from seedlock.analysis.simulation.rules import Endings, LookRule, look_rules, play
from seedlock.analysis.simulation.summary import joined
from seedlock.analysis.simulation.truth import World, Worlds, make_worlds
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan

LARGEST_BATCH = 4_000_000
"""Cells (studies x runs x items) held at once."""
MOST_STUDIES = 1_000_000

type Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A plan ready to be simulated.

    Parameters
    ----------
    one_by_one
        Studies in which an estimator that is not vectorised is computed.
    """

    plan: Plan
    assumed: Assumed
    layout: Layout
    rules: tuple[LookRule, ...]
    seed: int
    one_by_one: int

    @property
    def rates(self) -> frozenset[str]:
        """Measures that are yes/no rates; means that gold labels correct are none any more."""
        return frozenset(name for name, v in self.assumed.variation.items() if v.is_rate and not v.right)

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Measure -> ends of its scale; empty where the plan does not bound missing answers."""
        if self.plan.missing.answers == "exclude":
            return {}
        ends = {name: (0.0, 1.0) if v.is_rate else _ends(self.plan, name) for name, v in self.assumed.variation.items()}
        return {name: span for name, span in ends.items() if span is not None}

    def slow_targets(self) -> list[str]:
        """Targets whose estimator is computed study by study."""
        runs = runs_at(self.layout.seed_rank, None)
        return [t.id for t in self.layout.targets if not t.problem and not is_vectorised(t, runs)]


def _ends(plan: Plan, name: str) -> tuple[float, float] | None:
    measure = plan.measures[name]
    params: Params = MEASURES[measure.kind].configure(measure.params, where=f"measures.{name}")
    return params.limits


def declare_design(plan: Plan, *, seed: int, one_by_one: int, items: Mapping[str, int] | None = None) -> Design:
    """Resolve a plan to something that can be simulated.

    Raises
    ------
    BadInput
        A negative seed, or nothing in the plan that can be simulated.
    """
    if seed < 0:
        raise BadInput(
            "a simulation needs a seed of 0 or more", Finding(where="--seed", found=str(seed), promised=">= 0")
        )
    assumed = assume(plan, items)
    layout = lay_out(plan, assumed)
    if all(t.problem for t in layout.targets):
        faults = [Finding(where=t.id, found=t.problem, promised="units that can be drawn") for t in layout.targets]
        raise BadInput("nothing in the plan can be simulated", *faults, then="add what is missing under [design]")
    return Design(plan=plan, assumed=assumed, layout=layout, rules=look_rules(plan), seed=seed, one_by_one=one_by_one)


def drawing_of(design: Design, block: int, point: int) -> Drawing:
    """How one block is drawn at one point of the grid."""
    at = design.layout.blocks[block]
    variation = design.assumed.variation[at.measure]
    by_item = variation.loses_answers or block in design.layout.blocks_read_by_item()
    return Drawing(
        variation=variation,
        seed_sd=variation.seed_sd[point] if at.seeds_vary else 0.0,
        n_items=at.n_items,
        draws=design.assumed.draws,
        new_items=design.plan.inference.items == "new",
        pairing=design.plan.design.pairing,
        within_run=design.plan.design.within_run,
        arm_sd=variation.arms_at(point) if at.seeds_vary else {},
        means_only=not by_item,
    )


def raw_units(design: Design, point: int) -> dict[str, float]:
    """Target id -> raw units in one unit of its scale; a frozen SD is taken at what the design makes of it.

    Raises
    ------
    BadInput
        The planned SD would be 0 under the design.
    """
    scales = {t.estimand.scale for t in design.layout.targets}
    units = {scale: _raw_unit(design, scale, point) for scale in scales}
    found = {t.id: units[t.estimand.scale] for t in design.layout.targets}
    zero = [Finding(where=name, found="an SD of 0", promised="spread") for name, unit in found.items() if not unit > 0]
    if zero:
        raise BadInput("a planned SD scale has no spread under the design", *zero, then="edit [design.measures]")
    return found


def _raw_unit(design: Design, scale: str, point: int) -> float:
    if scale == "raw":
        return 1.0
    sd = design.plan.sd[scale.removeprefix("sd.")]
    if sd.value is not None:
        return sd.value
    measure, arm = sd.measure or "", sd.arm or BASELINE_ARM
    variation = design.assumed.variation.get(measure)
    runs = tuple(run for run in design.layout.runs if run.arm == arm)
    if variation is None or not runs:
        raise BadInput(
            f"the scale {scale} cannot be simulated",
            Finding(
                where=f"sd.{scale.removeprefix('sd.')}",
                found=f"{measure} in arm {arm}",
                promised="planned runs of a tested measure",
            ),
            then="give the SD a value and its source",
        )
    drawing = Drawing(
        variation=variation,
        seed_sd=variation.seed_sd[point],
        n_items=design.assumed.items.get(sd.items, next(iter(design.assumed.items.values()))),
        draws=design.assumed.draws,
        new_items=False,
        pairing=0.0,
        arm_sd=variation.arms_at(point),
    )
    rng = np.random.default_rng(np.random.SeedSequence(design.seed, spawn_key=(0, point)))
    return planned_spread(sd.of or "answers", drawing, runs, variation.base[arm], rng)


def worlds_at(design: Design, point: int, asked: Sequence[str]) -> tuple[Worlds, dict[str, float]]:
    """The worlds of these scenarios at one point, and the raw units of every target there."""
    raw = raw_units(design, point)
    return make_worlds(design.plan, design.layout, design.assumed, raw, asked), raw


def play_world(
    design: Design,
    world: World,
    *,
    point: int,
    number: int,
    simulations: int,
    raw: Mapping[str, float],
    stepped: Callable[[int], None] = lambda _: None,
) -> Endings:
    """Simulate all studies in one world, a batch at a time; `number` keeps the worlds' random numbers apart."""
    parts = []
    for batch, (start, size) in enumerate(_batches(design, simulations)):
        key = (1, point, number, batch)
        cells = _draw_all(design, world, key, point=point, simulations=size)
        came = _lose_all(design, world, key, cells)
        off = _label_all(design, key, cells)
        parts.append(
            play(
                design.plan,
                design.layout,
                design.rules,
                {b: found + off.get(b, 0.0) for b, found in (cells | _means(came)).items()},
                draws=design.assumed.draws,
                raw=raw,
                rates=design.rates,
                at_most=max(0, design.one_by_one - start),
                came={block: found.n_KRI for block, found in came.items()},
                spans=design.spans,
            )
        )
        stepped(size)
    return joined(parts)


def _batches(design: Design, simulations: int) -> Iterator[tuple[int, int]]:
    """First study and size of every batch; sizes depend on the design alone, so results do too."""
    drawings = [drawing_of(design, block, 0) for block in range(len(design.layout.blocks))]
    columns = [one.columns * (one.draws if one.variation.loses_answers else 1) for one in drawings]
    cells = max(1, len(design.layout.runs) * sum(columns))
    size = max(1, min(simulations, LARGEST_BATCH // cells))
    for start in range(0, simulations, size):
        yield start, min(size, simulations - start)


def _draw_all(
    design: Design, world: World, key: tuple[int, ...], *, point: int, simulations: int
) -> dict[int, FloatArray]:
    measures = list(design.assumed.variation)
    of_runs, of_seeds = (np.random.SeedSequence(design.seed, spawn_key=(*key, 2, part)) for part in (0, 1))
    common_KR = common_effects(
        design.layout.runs,
        pairing=design.plan.design.pairing,
        within_run=design.plan.design.within_run,
        rng=np.random.default_rng(of_runs),
        shared_rng=np.random.default_rng(of_seeds),
        simulations=simulations,
    )
    cells = {}
    for block, at in enumerate(design.layout.blocks):
        own = np.random.SeedSequence(design.seed, spawn_key=(*key, 0, block))
        shared = np.random.SeedSequence(design.seed, spawn_key=(*key, 1, measures.index(at.measure)))
        cells[block] = draw_cells(
            drawing_of(design, block, point),
            design.layout.runs,
            run_levels(design.layout.runs, block, world.level),
            np.random.default_rng(own),
            np.random.default_rng(shared),
            simulations=simulations,
            common_KR=common_KR,
        )
    return cells


def _means(came: Mapping[int, Came]) -> dict[int, FloatArray]:
    return {block: found.mean_KRI for block, found in came.items()}


def _label_all(design: Design, key: tuple[int, ...], cells: Mapping[int, FloatArray]) -> dict[int, FloatArray]:
    """What few labels make wrong with the means of every block whose judge is checked."""
    off = {}
    for block, at in enumerate(design.layout.blocks):
        gold = design.plan.gold_of(design.plan.measures[at.measure].judge)
        if gold is not None:
            rng = np.random.default_rng(np.random.SeedSequence(design.seed, spawn_key=(*key, 4, block)))
            variation, answers = design.assumed.variation[at.measure], at.n_items * design.assumed.draws
            off[block] = label_noise(variation, gold, design.layout.runs, cells[block], answers=answers, rng=rng)
    return off


def _lose_all(design: Design, world: World, key: tuple[int, ...], cells: Mapping[int, FloatArray]) -> dict[int, Came]:
    """What comes of every block whose measure loses answers."""
    runs = design.layout.runs
    came = {}
    for block, at in enumerate(design.layout.blocks):
        variation = design.assumed.variation[at.measure]
        if variation.loses_answers:
            rng = np.random.default_rng(np.random.SeedSequence(design.seed, spawn_key=(*key, 3, block)))
            levels = run_levels(runs, block, world.level)
            draws = design.assumed.draws
            came[block] = lose_answers(variation, runs, levels, cells[block], draws=draws, rng=rng)
    return came
