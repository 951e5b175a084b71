"""What looking inside takes: prompts read under every condition that [inside] plans, and the readings they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedlock.generation.cost.token_counts import said_bytes
from seedlock.generation.requests.items import Item
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import BY_BYTES, BYTES_A_TOKEN, Amount, Line, exact, total, unknown
from seedlock.prereg.plan.inside import Inside
from seedlock.prereg.plan.model_shape import ModelShape, no_shape, shape_of
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan, PlannedRun

EVERYWHERE = 1
"""A patch is tried at each of the last positions, and at all of them."""


def inside_lines(paths: StudyPaths, plan: Plan, items: Sequence[Item]) -> Iterator[Line]:
    """Prompts that are read, model by model, as `seedlock inside` lays them out."""
    if plan.inside is None:
        return
    for model in plan.grid.models:
        shape = shape_of(plan, model, paths.root)
        count = _Count(plan=plan, inside=plan.inside, model=model, shape=shape, items=tuple(items))
        read = count.prompts()
        yield Line(part="inside", of=model, what="prompts read", amount=read)
        asked = [item for item in items if item.item_set in plan.inside.item_sets.values()]
        mean = sum(map(said_bytes, asked)) / max(1, len(asked)) / BYTES_A_TOKEN
        note = f"prompts of mean length; {BY_BYTES}"
        tokens = read.times(mean, certainty="about", note=note)
        yield Line(part="inside", of=model, what="prompt tokens", unit="tokens", amount=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """The passes of one base model, in prompts."""

    plan: Plan
    inside: Inside
    model: str
    shape: ModelShape | None
    items: tuple[Item, ...]

    @property
    def _tuned(self) -> list[PlannedRun]:
        return [run for run in self.plan.runs() if run.model == self.model and run.arm != BASELINE_ARM]

    @property
    def _in_gap(self) -> list[PlannedRun]:
        return [run for run in self._tuned if run.arm in self.inside.gap]

    def prompts(self) -> Amount:
        """Prompts read over all passes."""
        return total([exact(sum(self._by_kind())), self._patched()])

    def _by_kind(self) -> Iterator[int]:
        inside = self.inside
        n = {name: self._once({name}) for name in self.plan.items}
        vectors = 1 + inside.controls.random + inside.controls.shuffled
        compared = 1 + len(self._in_gap)
        if inside.project is not None and inside.direction is not None:
            yield n[inside.project.items] * (1 + sum(1 + self._checkpoints(run) for run in self._tuned))
        yield self._as_they_are(compared)
        if inside.geometry is not None:
            yield n[inside.geometry.items] * (1 + len(self._tuned))
        if inside.steer is not None:
            doses = 2 * len(inside.steer.doses)
            yield doses * n[inside.steer.choose_on]
            yield doses * vectors * (n[inside.steer.items] + n[inside.steer.fluency])
        if inside.ablate is not None:
            yield compared * vectors * n[inside.ablate.items]

    def _as_they_are(self, compared: int) -> int:
        inside = self.inside
        every = {t.items for t in (inside.steer, inside.ablate, inside.patch) if t is not None}
        base = every | ({inside.steer.choose_on, inside.steer.fluency} if inside.steer is not None else set())
        return self._once(base) + (compared - 1) * self._once(every)

    def _once(self, sets: set[str]) -> int:
        return len({item.item_id for item in self.items if item.item_set in sets})

    def _checkpoints(self, run: PlannedRun) -> int:
        if self.inside.project is None or not self.inside.project.checkpoints or not self.plan.arms[run.arm].stages:
            return 0
        return len(self.plan.stages[self.plan.arms[run.arm].stages[-1]].checkpoints or [])

    def _patched(self) -> Amount:
        """The donor is read once, the base model at every layer and place."""
        patch = self.inside.patch
        if patch is None or not self._in_gap:
            return exact(0)
        if self.shape is None:
            return unknown(no_shape(self.model))
        conditions = self.shape.layers * (patch.positions + EVERYWHERE)
        return exact(len(self._in_gap) * self._once({patch.items}) * (1 + conditions))
