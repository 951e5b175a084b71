"""How many seeds an arm each hypothesis and claim needs for the wanted power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from seedlock.analysis.simulation.result import Measured, SeedsNeeded
from seedlock.analysis.simulation.simulate import Design, declare_design, play_world, worlds_at
from seedlock.analysis.simulation.summary import rule_rows, target_row
from seedlock.prereg.plan.plan import Plan

FEWEST_SEEDS = 2


@dataclass(slots=True, kw_only=True)
class Search:
    """Power at each number of seeds, computed once and kept.

    Parameters
    ----------
    most_seeds
        The search ends here.
    """

    design: Design
    items: dict[str, int] | None
    simulations: int
    most_seeds: int
    wanted: float
    _known: dict[tuple[int, int], dict[str, Measured]] = field(default_factory=dict)

    def needed(self, identity: str, point: int) -> SeedsNeeded:
        """Fewest seeds at which the simulated power reaches what is wanted, by doubling and halving.

        Power is taken to rise with the seeds; its Monte Carlo error moves the answer by a seed or so.
        """
        enough = FEWEST_SEEDS
        while not self._reaches(identity, point, enough):
            if enough >= self.most_seeds:
                return self._not_found(identity, point)
            enough = min(2 * enough, self.most_seeds)
        too_few = enough // 2 if enough > FEWEST_SEEDS else FEWEST_SEEDS - 1
        while enough - too_few > 1:
            middle = (enough + too_few) // 2
            too_few, enough = (too_few, middle) if self._reaches(identity, point, middle) else (middle, enough)
        power = self._power(point, enough)[identity]
        return SeedsNeeded(id=identity, point=point, seeds=enough, power=power, reason=None)

    def _not_found(self, identity: str, point: int) -> SeedsNeeded:
        power = self._power(point, self.most_seeds).get(identity)
        said = "not simulated" if power is None or power.value is None else f"power {power.value:.2f}"
        reason = f"{said} with {self.most_seeds} seeds an arm"
        return SeedsNeeded(id=identity, point=point, seeds=None, power=None, reason=reason)

    def _reaches(self, identity: str, point: int, seeds: int) -> bool:
        power = self._power(point, seeds).get(identity)
        return power is not None and power.value is not None and power.value >= self.wanted

    def _power(self, point: int, seeds: int) -> dict[str, Measured]:
        """Target or claim -> power in the expected scenario."""
        if (point, seeds) not in self._known:
            self._known[point, seeds] = dict(self._simulate(point, seeds))
        return self._known[point, seeds]

    def _simulate(self, point: int, seeds: int) -> Iterator[tuple[str, Measured]]:
        design = declare_design(
            with_seeds(self.design.plan, seeds),
            seed=self.design.seed,
            one_by_one=self.design.one_by_one,
            items=self.items,
        )
        worlds, raw = worlds_at(design, point, ["expected"])
        for number, world in enumerate(worlds.worlds):
            endings = play_world(
                design, world, point=point, number=1000 * seeds + number, simulations=self.simulations, raw=raw
            )
            for target in design.layout.targets:
                if target.id in world.truth:
                    row = target_row(target, world, endings, raw=raw[target.id], point=point)
                    if row.power is not None:
                        yield target.id, row.power
            for rule in rule_rows(design.plan, design.layout, world, endings, raw=raw, point=point):
                if rule.kind == "claim" and rule.rate is not None:
                    yield rule.id, rule.rate


def with_seeds(plan: Plan, seeds: int) -> Plan:
    """The plan with so many seeds of every model, all analysed at one look."""
    grid = plan.grid.model_copy(update={"seeds": list(range(seeds))})
    return plan.model_copy(update={"grid": grid, "look": []})
