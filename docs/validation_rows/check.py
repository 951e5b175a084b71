"""One row of the validation page, and what its files share: stored answers, and samples built from plain numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample

STORED = Path(__file__).parents[2] / "tests/reference"


def stored(name: str) -> dict[str, Any]:
    """Read the answers that a script in tests/reference wrote."""
    answers: dict[str, Any] = json.loads((STORED / f"{name}.json").read_text(encoding="utf-8"))
    return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of the page.

    Parameters
    ----------
    method, source, given
        What of ours, whose answer, on which data.
    expected, found
        Their numbers and ours.
    digits
        How far the two are printed, and have to agree; with 0 they are whole numbers, and equal.
    monte_carlo
        Where ours are draws: how far apart they may lie instead.
    expected_remark, found_remark
        What either says in words: a reason, a refusal.
    holds
        False where the words do not say the same.
    """

    method: str
    source: str
    given: str
    expected: Sequence[float]
    found: Sequence[float]
    digits: int
    monte_carlo: float | None = None
    expected_remark: str = ""
    found_remark: str = ""
    holds: bool = True

    @property
    def agrees(self) -> bool:
        """Numbers lie within one unit of the last digit shown (or within the Monte Carlo error), and words agree."""
        unit = 10.0**-self.digits if self.digits else 0.0
        off = max((abs(e - f) for e, f in zip(self.expected, self.found, strict=True)), default=0.0)
        return self.holds and off <= (self.monte_carlo or unit)

    @property
    def cells(self) -> tuple[str, ...]:
        """Row of the table."""
        expected, found = (", ".join(f"{x:.{self.digits}f}" for x in side) for side in (self.expected, self.found))
        if self.monte_carlo is not None:
            expected += f", Monte Carlo ± {self.monte_carlo:g}"
        shown = (
            "; ".join(filter(None, pair)) for pair in ((expected, self.expected_remark), (found, self.found_remark))
        )
        return (self.method, self.source, self.given, *shown, "yes" if self.agrees else "NO")


def level(name: str, values: Sequence[float], weight: float = 1.0, **counts: int) -> Level:
    """Build a level from one number a unit."""
    means = {f"{i:05d}": float(x) for i, x in enumerate(values)}
    return Level(name=name, weight=weight, unit_means=means, k=counts.get("k"), n=counts.get("n"))


def sample(*levels: Level, is_proportion: bool = False) -> Sample:
    """Build a sample over seeds."""
    return Sample(levels=levels, unit="seed", is_proportion=is_proportion)


def arms(a: Sequence[float], b: Sequence[float]) -> Sample:
    """Build the contrast a - b."""
    return sample(level("a", a), level("b", b, -1.0))


def rows(rows: list[dict[str, Any]]) -> Sample:
    """Build levels with cells from rows of arm, unit, item, y; the contrast is the last arm minus arm a."""
    names = sorted({row["arm"] for row in rows})
    levels = []
    for name in names:
        cells = {(r["unit"], r["item"]): float(r["y"]) for r in rows if r["arm"] == name}
        units = sorted({unit for unit, _ in cells})
        means = {u: float(np.mean([y for (v, _), y in cells.items() if v == u])) for u in units}
        weight = -1.0 if name == "a" and len(names) > 1 else 1.0
        levels.append(Level(name=name, weight=weight, unit_means=means, cells=cells))
    return sample(*levels)


def run(name: str, of: Sample, *edges: float, confidence: float = 0.95) -> Estimate:
    """Estimate by the method that a plan would name."""
    return ESTIMATORS[name].run(of, level=confidence, edges=edges)
