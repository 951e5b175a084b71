"""What the simulation of this very plan found wrong with it, among the remarks on its design."""

from __future__ import annotations

import json
from collections.abc import Iterator

from seedlock.analysis.simulation.run import simulation_path
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.lint import Lint

HELD = {"gate-held-open", "audit-held-open", "scale-known"}
"""What a simulation takes to go well, so that its power is the most there is."""


def broken_promises(paths: StudyPaths) -> Iterator[Lint]:
    """Every finding of a study's simulation, where there is one and the plan is still the one it was made for."""
    file = simulation_path(paths)
    if not file.is_file():
        return
    simulation = json.loads(file.read_bytes())
    if simulation.get("plan_sha256") != sha256_file(paths.plan):
        return
    for left in simulation.get("not_simulated", []):
        if isinstance(left, dict) and left["code"] in HELD:
            yield Lint(
                code=left["code"],
                severity="note",
                where=left["where"],
                says=f"in the simulation, {left['says']}",
                remedy="read error and power of these with that in mind",
            )
    for finding in simulation.get("findings", []):
        identity, _, says = finding.partition(": ")
        yield Lint(
            code="simulated-error",
            severity="warn",
            where=identity,
            says=f"simulated, {says}",
            remedy="another test, more units, or a gate on seeds of its own;  then  seedlock simulate  again",
        )
