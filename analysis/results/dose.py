"""Entry of results.json for a hypothesis over numbers: what a slope or rank correlation is over, or is adjusted for."""

from __future__ import annotations

from typing import Literal

from seedlock.analysis.results.part import Part


class DoseResult(Part):
    """What the `number` of every unit is.

    Parameters
    ----------
    kind
        What the estimate is: a slope, a rank correlation, or a contrast adjusted for the number.
    of
        What the numbers count: the factor, the unit that the plan gives, or the measure that they are means of.
    measure
        The measure that gives them; null where they stand in the plan.
    per, step
        Numbers (or doublings, or tenfolds) in one step of a slope, and that step in words ("doubling of rows"); empty
        where there is none.
    """

    kind: Literal["slope", "correlation", "adjusted"]
    of: str
    measure: str | None
    scale: Literal["linear", "log2", "log10"] = "linear"
    per: float = 1.0
    step: str = ""
