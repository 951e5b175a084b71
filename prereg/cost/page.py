"""An estimate as lines of text: one a number, with what it is and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.prereg.cost.amounts import Line
from seedlock.prereg.cost.estimate import Estimate

HEADS = {
    "corpus": "corpora",
    "train": "training",
    "generate": "generation",
    "judge": "judging",
    "inside": "looking inside",
    "memory": "room on a device",
    "disk": "room on disk",
    "time": "time",
    "cost": "cost",
}
SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def page(found: Estimate) -> Iterator[str]:
    """The estimate, for a person."""
    yield f"{found.study}: what it takes, before anything is spent"
    part = ""
    for line in found.lines:
        if line.part != part:
            part = line.part
            yield HEADS[part]
        yield row(line)
    if not found.lines:
        yield "  nothing: the data are made elsewhere"
    if found.source:
        yield f"rates     {found.source}"
    yield from (f"warning   {warning}" for warning in found.warnings)


def row(line: Line) -> str:
    """One number."""
    certainty = "" if line.amount.certainty in {"exact", "not known"} else line.amount.certainty
    value = "not known" if line.amount.value is None else said(line.amount.value, line.unit)
    note = f"  {line.amount.note}" if line.amount.note else ""
    return f"  {line.of:<12} {line.what:<20} {certainty:>7} {value:>16}{note}".rstrip()


def said(value: float, unit: str) -> str:
    """A number in its unit, as a person says it."""
    match unit:
        case "bytes":
            return _size(value)
        case "s":
            return _span(value)
        case "tokens" | "":
            return f"{value:,.0f}"
    return f"{value:,.2f} {unit}"


def _size(value: float) -> str:
    step = 0
    while value >= 1000 and step < len(SIZES) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {SIZES[step]}"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
