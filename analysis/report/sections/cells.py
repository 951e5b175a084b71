"""Every cell: the interval that respects clusters leads, the naive one stands beside it, muted."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, interval, is_proportion, resolved_spec
from seedlock.analysis.report.text.pieces import Line, Number, Quote, Table, joined, pointer
from seedlock.analysis.report.text.records import bullets, reasons_line, words

_NUMBERS = (
    "k of n",
    "rate or mean",
    "SD",
    "interval",
    "units",
    "naive interval",
    "ICC",
    "design effect",
    "effective n",
    "missing",
    "method",
    "the mean weighs",
    "naive method",
)
_ALWAYS = ("k of n", "rate or mean", "interval", "missing")


def cell_spec(cell: Mapping[str, Any]) -> str:
    """Format of a cell's mean and intervals."""
    width = cell["ci"][1] - cell["ci"][0] if cell["ci"] else None
    return resolved_spec(width, "percent" if is_rate(cell) else "number")


def is_rate(cell: Mapping[str, Any]) -> bool:
    """Whether a cell's mean is a rate of yes/no answers."""
    return is_proportion(cell) or (cell.get("is_proportion") is None and cell["k"] is not None)


def cell_tables(results: Mapping[str, Any]) -> tuple[Table, ...]:
    """One table a measure and kind of key, in the order of results.json."""
    numbered = list(enumerate(results["cells"]))
    groups = groupby(numbered, key=lambda entry: (entry[1]["measure"], tuple(entry[1]["keys"])))
    return tuple(_table(measure, keys, list(cells)) for (measure, keys), cells in groups)


def _table(measure: str, keys: tuple[str, ...], cells: list[tuple[int, Mapping[str, Any]]]) -> Table:
    """Columns that would be empty throughout are left out."""
    rows = [_row(i, cell, keys) for i, cell in cells]
    head = (*(words(key) for key in keys), *_NUMBERS, "notes")
    kept = [j for j in range(len(head)) if head[j] in _ALWAYS or any(row[j] for row in rows)]
    numeric = {*_NUMBERS} - {"units", "missing", "method", "the mean weighs", "naive method"}
    return Table(
        caption="Measure" if any(c.isdigit() for c in measure) else f"Measure: {words(measure)}",
        head=tuple(head[j] for j in kept),
        rows=tuple(tuple(row[j] for j in kept) for row in rows),
        numeric=frozenset(at for at, j in enumerate(kept) if head[j] in numeric),
        muted=frozenset(at for at, j in enumerate(kept) if head[j].startswith("naive")),
    )


def _row(i: int, cell: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Line, ...]:
    ref, spec = pointer("cells", i), cell_spec(cell)
    labels: list[Line] = [
        (Quote(f"{ref}/keys{pointer(key)}"),) if cell["keys"][key] is not None else ("all",) for key in keys
    ]
    units: Line = ()
    if cell.get("n_units") is not None:
        units = (Number(f"{ref}/n_units", "integer"), " ", Quote(f"{ref}/unit"), "" if cell["n_units"] == 1 else "s")
    # An SD of yes/no answers follows from their rate.
    sd = () if cell.get("sd") is None or is_rate(cell) else (Number(f"{ref}/sd", spec),)
    missing = reasons_line(f"{ref}/missing", cell["missing"]) if cell["missing"] else ("none",)
    (ci, method), (naive, naive_method) = (
        _interval(ref, cell, "ci", "ci_method", spec),
        _interval(ref, cell, "naive_ci", "naive_method", spec),
    )
    return (
        *labels,
        _count(ref, cell),
        (Number(f"{ref}/mean", spec),),
        sd,
        ci,
        units,
        naive,
        _known(ref, cell, "icc", "number2"),
        _known(ref, cell, "design_effect", "number1"),
        _known(ref, cell, "n_effective", "number1"),
        missing,
        method,
        (Quote(f"{ref}/weighs"),) if cell.get("weighs") else (),
        naive_method,
        joined(bullets(f"{ref}/reasons", cell["reasons"]), "; "),
    )


def _known(ref: str, cell: Mapping[str, Any], name: str, spec: str) -> Line:
    return (Number(f"{ref}/{name}", spec),) if cell[name] is not None else ()


def _count(ref: str, cell: Mapping[str, Any]) -> Line:
    if cell["n"] is None:
        return ("n not known",)
    n = Number(f"{ref}/n", "integer")
    return (Number(f"{ref}/k", "integer"), " of ", n) if cell["k"] is not None else ("n = ", n)


def _interval(ref: str, cell: Mapping[str, Any], ci: str, method: str, spec: str) -> tuple[Line, Line]:
    """An interval with its level, and the method that made it."""
    by: Line = (Quote(f"{ref}/{method}"),) if cell[method] else ()
    if cell[ci] is None:
        return (("none",) if ci == "naive_ci" else interval(f"{ref}/{ci}", None, spec)), by
    level = Number(f"{ref}/ci_level", exact_spec(cell["ci_level"], "percent"))
    return (level, " ", *interval(f"{ref}/{ci}", cell[ci], spec)), by
