"""What a figure found, in a line with its numbers bound; empty for one whose finding is a shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.sections.cells import cell_spec
from seedlock.analysis.report.text.pieces import Line, Number, Quote, joined, pointer

type _Say = Callable[[str, Mapping[str, Any]], Line]


def finding_of(results: Mapping[str, Any], plots: Sequence[Figure]) -> Line:
    """What the figures of one question found."""
    slug = plots[0].slug
    if slug.startswith("cells-"):
        return _cells(results, plots[0])
    say = next((say for begins, say in _OF_A_BASE.items() if slug.startswith(begins)), None)
    if say is None:
        return ()
    found = []
    for plot in plots:
        i = next(i for i, one in enumerate(results["inside"]) if one["model"] == plot.data["model"])
        line = say(f"/inside/{i}", results["inside"][i])
        found.append((Quote(f"/inside/{i}/model"), ": ", *line) if len(plots) > 1 and line else line)
    said = joined([line for line in found if line], "; ")
    return (*said, ".") if said else ()


def _cells(results: Mapping[str, Any], figure: Figure) -> Line:
    """From the lowest cell to the highest."""
    drawn = [row["keys"] for row in figure.data["rows"]]
    some = [
        (i, cell)
        for i, cell in enumerate(results["cells"])
        if cell["measure"] == figure.data["measure"] and cell["mean"] is not None and cell["keys"] in drawn
    ]
    (i, low), (j, high) = (pick(some, key=lambda entry: entry[1]["mean"]) for pick in (min, max))
    return () if i == j else ("From ", *_cell(i, low), " to ", *_cell(j, high), ".")


def _cell(i: int, cell: Mapping[str, Any]) -> Line:
    named = [(Quote(f"/cells/{i}{pointer('keys', key)}"),) for key, v in cell["keys"].items() if isinstance(v, str)]
    where: Line = (" (", *joined(named), ")") if named else ()
    return (Number(f"/cells/{i}/mean", cell_spec(cell)), *where)


def _layers(ref: str, one: Mapping[str, Any]) -> Line:
    """How well a probe tells held-out texts apart at the chosen layer."""
    j = next((j for j, layer in enumerate(one["layers"]) if layer["layer"] == one["layer"]), None)
    if j is None:
        return ()
    at = f"{ref}/layers/{j}"
    return (
        Number(f"{at}/accuracy", "percent1"),
        " of held-out texts told apart at layer ",
        Number(f"{at}/layer", "integer"),
    )


def _projections(ref: str, one: Mapping[str, Any]) -> Line:
    """How far each arm moves along the direction at the chosen layer, at the end of training."""
    last = {p["arm"]: j for j, p in enumerate(one["projections"]) if p["layer"] == one["layer"]}
    shifts = [
        (Quote(f"{ref}/projections/{j}/arm"), " ", Number(f"{ref}/projections/{j}/shift", "number2"))
        for j in last.values()
    ]
    return joined(shifts)


def _ranks(ref: str, one: Mapping[str, Any]) -> Line:
    """What each operation with the direction makes of the whole gap."""
    shares = [
        (
            Quote(f"{ref}/ranks/{j}/operation"),
            " makes ",
            Number(f"{ref}/ranks/{j}/true", "number2"),
            " of a gap of ",
            Number(f"{ref}/ranks/{j}/gap", "number2"),
        )
        for j, rank in enumerate(one["ranks"])
        if rank["true"] is not None
    ]
    return joined(shares)


def _patches(ref: str, one: Mapping[str, Any]) -> Line:
    """The field that brings the most of the gap."""
    some = [
        (j, patch)
        for j, patch in enumerate(one["patches"])
        if patch["share"] is not None and patch["position"] != "all" and patch["layer"] is not None
    ]
    if not some:
        return ()
    j, _ = max(some, key=lambda entry: entry[1]["share"])
    at = f"{ref}/patches/{j}"
    place: Line = (Number(f"{at}/layer", "integer"), ", position ", Quote(f"{at}/position"))
    return (Number(f"{at}/share", "percent1"), " of the gap at layer ", *place)


_OF_A_BASE: Mapping[str, _Say] = {
    "inside-layers-": _layers,
    "inside-projections-": _projections,
    "inside-ranks-": _ranks,
    "inside-patches-": _patches,
}
