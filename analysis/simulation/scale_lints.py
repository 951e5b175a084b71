"""A scale has one source, the plan: what items and the plan's own words say of its ends is held against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from seedlock.analysis.measures import MEASURES
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas.asked import probe_kind

type Ends = tuple[float, float]

_ENDS = re.compile(r"\b(?:from|between|scale of|scale from)\s+(-?\d+)\s*(?:to|and|-|\u2013)\s*(-?\d+)\b", re.IGNORECASE)
_IN_A_UNIT = re.compile(r"(-?\d+)\s*(?:to|-|\u2013)\s*(-?\d+)\b")


def scale_lints(plan: Plan, files: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Lint]:
    """Rating measures whose ends are not those that their items, or the plan's words, name.

    Parameters
    ----------
    files
        Item set -> rows of its file, where they are at hand.
    """
    for name, measure in plan.measures.items():
        kind = MEASURES[measure.kind]
        params = kind.configure(measure.params, where=f"measures.{name}")
        low, high = getattr(params, "low", None), getattr(params, "high", None)
        if low is None or high is None:
            continue
        own = (float(low), float(high))
        asked = _ends(_asked(plan, name, kind.reads, files))
        if asked and asked != {own}:
            yield _lint(name, own, asked, "its items ask for", severity="refuse")
        to = getattr(params, "to", None)
        written = _ends([h.claim for h in plan.hypothesis if h.measure == name])
        written |= {(float(a), float(b)) for a, b in _IN_A_UNIT.findall(measure.unit or "")}
        if other := written - {own, (float(to[0]), float(to[1])) if to else own}:
            yield _lint(name, own, other, "the plan's unit or claim says", severity="warn")


def _ends(texts: Iterable[str]) -> set[Ends]:
    """Every pair of ends that the texts name."""
    return {(float(low), float(high)) for text in texts for low, high in _ENDS.findall(text)}


def _asked(
    plan: Plan, measure: str, reads: Sequence[str], files: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    """What the items that a measure scores say to the model."""
    tested = [h.items for h in (*plan.hypothesis, *plan.gates.values()) if h.measure == measure and h.items]
    wanted = plan.measures[measure].items or tested or list(files)
    for name in wanted:
        for row in files.get(name, ()):
            if not reads or (probe_kind(row) if plan.items[name].probe else "answer") in reads:
                yield json.dumps([row.get(key) for key in ("system", "user", "messages")], ensure_ascii=False)


def _lint(measure: str, own: Ends, other: set[Ends], where: str, *, severity: Literal["refuse", "warn"]) -> Lint:
    said = " and ".join(f"{low:g} to {high:g}" for low, high in sorted(other))
    return Lint(
        code="two-scales",
        severity=severity,
        where=f"measures.{measure}",
        says=f"the measure's scale is {own[0]:g} to {own[1]:g}, and {where} {said}",
        remedy=f"[measures.{measure}]  low, high and unit as the items have them, and edges in that unit",
    )
