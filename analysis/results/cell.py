"""One cell of the report's tables, as results.json has it."""

from __future__ import annotations

from seedlock.analysis.results.part import Part


class CellResult(Part):
    """One cell: a measure in one run (or arm) and item set.

    Parameters
    ----------
    ci, ci_method
        Over `n_units` of `unit`: the plan's unit where the cell holds several runs, items where it holds one.
    naive_ci
        Counts answers as independent.
    sd, icc, design_effect, n_effective
        Of single answers, grouped by `unit`.
    unit_sd
        Sample SD of the unit means.
    weighs
        What the mean gives equal weight to, in words.
    """

    keys: dict[str, str | None]
    measure: str
    unit_text: str
    n: int | None
    k: int | None
    mean: float | None
    ci: tuple[float, float] | None
    ci_level: float
    ci_method: str | None
    naive_ci: tuple[float, float] | None
    naive_method: str | None
    n_clusters: int | None
    icc: float | None
    design_effect: float | None
    n_effective: float | None
    missing: dict[str, int]
    reasons: list[str]
    is_proportion: bool | None = None
    unit: str | None = None
    n_units: int | None = None
    unit_sd: float | None = None
    sd: float | None = None
    weighs: str | None = None
