"""Every cell: the interval that respects clusters leads, the naive one stands beside it, muted."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from analysis.report.formats import exact_spec, interval, is_proportion, resolved_spec
from analysis.report.pieces import Line, Number, Quote, Table, pointer
from analysis.report.sections.records import bullets, mapping_line, words


def cell_spec(cell: Mapping[str, Any]) -> str:
    """Format of a cell's mean and intervals."""
    width = cell["ci"][1] - cell["ci"][0] if cell["ci"] else None
    kind = is_proportion(cell) or (cell.get("is_proportion") is None and cell["k"] is not None)
    return resolved_spec(width, "percent" if kind else "number")


def cell_tables(results: Mapping[str, Any]) -> tuple[Table, ...]:
    """One table a measure and kind of key, in the order of results.json."""
    numbered = list(enumerate(results["cells"]))
    groups = groupby(numbered, key=lambda entry: (entry[1]["measure"], tuple(entry[1]["keys"])))
    return tuple(_table(measure, keys, list(cells)) for (measure, keys), cells in groups)


def _table(measure: str, keys: tuple[str, ...], cells: list[tuple[int, Mapping[str, Any]]]) -> Table:
    clustered = any(cell["icc"] is not None for _, cell in cells)
    head = (*(words(key) for key in keys), "k of n", "rate or mean", "interval", "naive interval")
    if clustered:
        head = (*head, "effective n")
    start = len(keys)
    return Table(
        caption=f"Measure: {words(measure)}" if not any(c.isdigit() for c in measure) else "Measure",
        head=(*head, "missing", "notes"),
        rows=tuple(_row(i, cell, keys, clustered=clustered) for i, cell in cells),
        numeric=frozenset({start, start + 1, start + 2, start + 3, *({start + 4} if clustered else ())}),
        muted=frozenset({start + 3}),
    )


def _row(i: int, cell: Mapping[str, Any], keys: tuple[str, ...], *, clustered: bool) -> tuple[Line, ...]:
    ref, spec = pointer("cells", i), cell_spec(cell)
    labels = tuple((Quote(f"{ref}/keys{pointer(key)}"),) if cell["keys"][key] is not None else ("all",) for key in keys)
    row = (*labels, _count(ref, cell), (Number(f"{ref}/mean", spec),), *_intervals(ref, cell, spec))
    if clustered:
        row = (*row, (Number(f"{ref}/n_effective", "number1" if cell["n_effective"] is not None else "text"),))
    missing: Line = mapping_line(f"{ref}/missing", cell["missing"], spec) if cell["missing"] else ("none",)
    notes = [pieces for line in bullets(f"{ref}/reasons", cell["reasons"]) for pieces in (*line, " ")]
    return (*row, missing, tuple(notes))


def _count(ref: str, cell: Mapping[str, Any]) -> Line:
    if cell["n"] is None:
        return ("n not known",)
    n = Number(f"{ref}/n", "integer")
    return (Number(f"{ref}/k", "integer"), " of ", n) if cell["k"] is not None else ("n = ", n)


def _intervals(ref: str, cell: Mapping[str, Any], spec: str) -> tuple[Line, Line]:
    level = (Number(f"{ref}/ci_level", exact_spec(cell["ci_level"], "percent")), " ")
    leading: Line = interval(f"{ref}/ci", cell["ci"], spec)
    if cell["ci"] is not None:
        leading = (*level, *leading)
    if cell["ci_method"]:
        leading = (*leading, " by ", Quote(f"{ref}/ci_method"))
    naive: Line = ("none",)
    if cell["naive_ci"] is not None:
        naive = interval(f"{ref}/naive_ci", cell["naive_ci"], spec)
        if cell["naive_method"]:
            naive = (*naive, " by ", Quote(f"{ref}/naive_method"))
    return leading, naive
