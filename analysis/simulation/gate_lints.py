"""Gates and what they guard: one quantity seen twice, or two that the same seeds move together."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.simulation.assumptions import assume
from seedlock.analysis.simulation.layout import Target, lay_out
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.plan import Plan


def gate_lints(plan: Plan) -> Iterator[Lint]:
    """Every gate that is read off the runs of hypotheses that it guards, once."""
    targets = {target.id: target for target in lay_out(plan, assume(plan)).targets}
    same: dict[str, dict[str, None]] = {}
    shared: dict[str, dict[str, None]] = {}
    for target in targets.values():
        for name in target.gates:
            gate, guarded = HypothesisId.read(name).base, HypothesisId.read(target.id).base
            if _answers(targets[name]) & _answers(target):
                same.setdefault(gate, {})[guarded] = None
            elif _runs(targets[name]) & _runs(target):
                shared.setdefault(gate, {})[guarded] = None
    for gate, ids in same.items():
        yield Lint(
            code="gate-is-outcome",
            severity="warn",
            where=gate,
            says=f"it reads answers that decide {', '.join(ids)}: where it opens, their estimates are too large",
            remedy=f"[{gate}] on another measure or other items",
        )
    for gate, ids in shared.items():
        if not plan.design.within_run:
            yield Lint(
                code="gate-shares-seeds",
                severity="note",
                where=gate,
                says=f"it is read off runs of {', '.join(ids)}: where a seed moves both, the error given an open gate "
                "is not alpha",
                remedy="[design]  within_run = 0.8,  and  seedlock simulate  shows that error",
            )


def _answers(target: Target) -> frozenset[tuple[int, int]]:
    """Block and run of every answer that a target weighs."""
    weighted = (level for level in target.levels if level.weight)
    return frozenset((level.block, r) for level in weighted for runs in level.units.values() for r in runs)


def _runs(target: Target) -> frozenset[int]:
    return frozenset(r for _, r in _answers(target))
