"""Looks at any time: what each would have seen, seed after seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, hypothesis_spec, interval
from seedlock.analysis.report.text.pieces import Line, Number, Quote, Table, joined, pointer


def anytime_table(results: Mapping[str, Any]) -> Table | None:
    """One row a hypothesis and number of units; None where looks are planned, or there is one."""
    rows = tuple(
        _row(pointer("hypotheses", i), h, n)
        for i, h in enumerate(results["hypotheses"])
        if h.get("anytime") is not None
        for n, _ in enumerate(h["anytime"]["points"])
    )
    if not rows:
        return None
    return Table(
        caption="Looks at any time: estimate, confidence sequence and evidence as powers of ten, unit after unit",
        head=(
            "Hypothesis",
            "Units of a level",
            "Estimate",
            "Confidence sequence",
            "Above the edges",
            "Below the edges",
        ),
        rows=rows,
        is_prose=True,
    )


def _row(ref: str, h: Mapping[str, Any], n: int) -> tuple[Line, ...]:
    point, at, spec = h["anytime"]["points"][n], f"{ref}/anytime/points/{n}", hypothesis_spec(h)
    who: Line = (Quote(f"{ref}/id"), ", needs ", Number(f"{ref}/anytime/log10_needed", "number2"))
    if point["estimate"] is None:
        return who, (Number(f"{at}/units", "integer"),), (Quote(f"{at}/reason"),), (), (), ()
    level: Line = (Number(f"{ref}/ci_level", exact_spec(h["ci_level"], "percent")), " ")
    bar: Line = (Quote(f"{at}/reason"),) if point["ci"] is None else (*level, *interval(f"{at}/ci", point["ci"], spec))
    above, below = (
        joined((Number(f"{at}/{key}{pointer(i)}", "number1"),) for i, _ in enumerate(point[key]))
        for key in ("log10_above", "log10_below")
    )
    return who, (Number(f"{at}/units", "integer"),), (Number(f"{at}/estimate", spec),), bar, above, below
