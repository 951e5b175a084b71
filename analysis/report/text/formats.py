"""How many decimals a number deserves, and in which unit a reader expects it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from seedlock.analysis.report.text.pieces import Line, Number, pointer

type Kind = Literal["percent", "pp", "number"]


def exact_spec(value: float, kind: Literal["percent", "pp", "number"] = "number") -> str:
    """Format with the fewest decimals (up to six) that lose nothing: band edges, alpha, levels.

    A percentage that no such number of decimals gives exactly, as the level that spending leaves a look, has two.
    """
    shown = value if kind == "number" else 100 * value
    otherwise = 6 if kind == "number" else 2
    decimals = next((d for d in range(6) if math.isclose(round(shown, d), shown, abs_tol=1e-9)), otherwise)
    return f"{kind}{decimals}"


def resolved_spec(width: float | None, kind: Kind) -> str:
    """Format with about two significant digits of `width`, the interval's full width on the raw scale."""
    if width is None or width <= 0:
        return f"{kind}{1 if kind != 'number' else 3}"
    shown = width if kind == "number" else 100 * width
    decimals = min(6, max(0, 1 - math.floor(math.log10(shown / 2))))
    return f"{kind}{decimals if kind == 'number' else min(2, max(1, decimals))}"


def hypothesis_kind(hypothesis: Mapping[str, Any]) -> Kind:
    """Percent for a rate, percentage points for a difference of rates, else the number itself, as for a ratio."""
    from seedlock.analysis.estimators import ESTIMATORS  # noqa: PLC0415 - a second of libraries, not for each reader

    has_own_unit = ESTIMATORS[hypothesis["test"]].unit_of_estimate is not None
    if hypothesis["scale"] != "raw" or has_own_unit or not is_proportion(hypothesis):
        return "number"
    if hypothesis.get("dose") is not None:
        return "pp"
    weights = (hypothesis["contrast"] or {"all": 1.0}).values()
    return "pp" if math.isclose(math.fsum(weights), 0, abs_tol=1e-9) else "percent"


def is_proportion(entry: Mapping[str, Any]) -> bool:
    """Whether the measure is a yes/no rate: what the analysis says, or else the unit's own words."""
    known = entry.get("is_proportion")
    return bool(known) if known is not None else str(entry["unit_text"]).startswith("proportion")


def hypothesis_spec(hypothesis: Mapping[str, Any]) -> str:
    """The one format in which all numbers of a hypothesis's scale are printed."""
    ci = hypothesis["ci"]
    return resolved_spec(ci[1] - ci[0] if ci else None, hypothesis_kind(hypothesis))


def spread_spec(spec: str) -> str:
    """Format of an SD or standard error beside numbers printed by `spec`: a spread of rates is in points."""
    return spec.replace("percent", "pp")


def unit_spec(hypothesis: Mapping[str, Any]) -> str:
    """Format of one unit's mean, which is on the measure's own scale."""
    return "percent1" if is_proportion(hypothesis) else "number3"


def interval(ref: str, value: list[float] | None, spec: str) -> Line:
    """`[low, high]`, or "not defined"."""
    if value is None:
        return (Number(ref, "text"),)
    low, high = (Number(f"{ref}{pointer(i)}", spec) for i in (0, 1))
    return ("[", low, ", ", high, "]")
