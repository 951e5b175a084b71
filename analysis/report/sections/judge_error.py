"""Judges that were checked: what they alone would have said beside the corrected answer, and where they err."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, hypothesis_spec, interval, spread_spec, unit_spec
from seedlock.analysis.report.text.pieces import Line, Number, Quote, Table, joined, pointer


def judge_error_table(results: Mapping[str, Any]) -> Table | None:
    """One row a hypothesis on a judge that was checked; None without one."""
    rows = tuple(_row(ref, h) for ref, h in _checked(results))
    if not rows:
        return None
    return Table(
        caption="Judges that err: their own answer beside the one corrected by gold labels, which decides",
        head=("Hypothesis", "Judge, checked by", "Judge alone", "Corrected", "Judge's error in the contrast", "Width"),
        rows=rows,
        is_prose=True,
    )


def judge_level_table(results: Mapping[str, Any]) -> Table | None:
    """One row a level: where the judge errs, and by how much; None where no judge was checked."""
    rows = tuple(
        _level(ref, f"{ref}/judge_error/levels{pointer(i)}", h, level)
        for ref, h in _checked(results)
        for i, level in enumerate(h["judge_error"]["levels"])
    )
    if not rows:
        return None
    return Table(
        caption="Where judges err: gold labels by level of the contrast",
        head=(
            "Hypothesis",
            "Level",
            "Labels",
            "Judged",
            "Corrected",
            "Scored too high by",
            "Hits judged so",
            "Misses judged so",
        ),
        rows=rows,
        is_prose=True,
    )


def _checked(results: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for i, h in enumerate(results["hypotheses"]):
        if h.get("judge_error") is not None:
            yield pointer("hypotheses", i), h


def _row(ref: str, h: Mapping[str, Any]) -> tuple[Line, ...]:
    found, at, spec = h["judge_error"], f"{ref}/judge_error", hypothesis_spec(h)
    alone: Line = (Quote(f"{at}/reason"),)
    if found["estimate"] is not None:
        bands = joined(((Quote(f"{at}/verdict{pointer(i)}"),) for i, _ in enumerate(found["verdict"])), " or ")
        alone = (Number(f"{at}/estimate", spec), " ", *interval(f"{at}/ci", found["ci"], spec), ": ", *bands)
    left = joined(((Quote(f"{ref}/verdict{pointer(i)}"),) for i, _ in enumerate(h["verdict"])), " or ")
    level: Line = (Number(f"{ref}/ci_level", exact_spec(h["ci_level"], "percent")), " ")
    ratio: Line = ("not defined",)
    if found["width_ratio"] is not None:
        ratio = (Number(f"{at}/width_ratio", "number2"), " times the judge's")
    return (
        (Quote(f"{ref}/id"),),
        (Quote(f"{at}/judge"), ", ", Quote(f"{at}/checked_by")),
        alone,
        (Number(f"{ref}/estimate", spec), " ", *level, *interval(f"{ref}/ci", h["ci"], spec), ": ", *left),
        (Number(f"{at}/error", spec), " ", *interval(f"{at}/error_ci", found["error_ci"], spec)),
        ratio,
    )


def _level(ref: str, at: str, h: Mapping[str, Any], level: Mapping[str, Any]) -> tuple[Line, ...]:
    spec = unit_spec(h)
    lost: Line = (", ", Number(f"{at}/missing", "integer"), " without an answer") if level["missing"] else ()
    off = spread_spec(spec)
    return (
        (Quote(f"{ref}/id"),),
        (Quote(f"{at}/level"),),
        (Number(f"{at}/labels", "integer"), *lost),
        (Number(f"{at}/judged", spec),),
        (Number(f"{at}/corrected", spec),),
        (Number(f"{at}/error", off), " ", *interval(f"{at}/error_ci", level["error_ci"], off)),
        _of(at, level, "hits"),
        _of(at, level, "rejections"),
    )


def _of(at: str, level: Mapping[str, Any], what: str) -> Line:
    if level[what] is None:
        return ("not a rate",)
    return (Number(f"{at}/{what}", "integer"), " of ", Number(f"{at}/of_{what}", "integer"))
