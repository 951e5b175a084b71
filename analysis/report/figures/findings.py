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
    if slug.startswith("multiverse-"):
        return joined([_multiverse(results, one) for one in dict.fromkeys(plot.data["id"] for plot in plots)], " ")
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


def _multiverse(results: Mapping[str, Any], hypothesis: str) -> Line:
    """Whether every defensible analysis of a hypothesis ends as the locked one."""
    i, curve = next((i, one) for i, one in enumerate(results["multiverse"]) if one["id"] == hypothesis)
    branches = curve["branches"]
    verdicts = {tuple(branch["verdict"]) for branch in branches if branch["estimate"] is not None}
    known = "every one" if all(branch["estimate"] is not None for branch in branches) else "every one that can be made"
    name = Quote(f"/multiverse/{i}/id")
    return (name, f": {known} ends alike.") if len(verdicts) == 1 else (name, ": the verdict hangs on the analysis.")


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


def _doses(ref: str, one: Mapping[str, Any]) -> Line:
    """What the chosen dose makes of the gap, and what the controls make at it."""
    j, dose = next(((j, dose) for j, dose in enumerate(one["doses"]) if dose["is_chosen"]), (0, None))
    if dose is None or dose["effect"] is None:
        return ()
    at = f"{ref}/doses/{j}"
    said: Line = ("dose ", Number(f"{at}/dose", "number3"), " makes ", Number(f"{at}/effect", "number2"))
    if dose["controls_low"] is None or dose["controls_high"] is None:
        return said
    low, high = (Number(f"{at}/controls_{end}", "number2") for end in ("low", "high"))
    return (*said, ", controls ", low, " to ", high)


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
    "inside-doses-": _doses,
    "inside-ranks-": _ranks,
    "inside-patches-": _patches,
}
