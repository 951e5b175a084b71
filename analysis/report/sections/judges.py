"""The judges: what became of their judgements, agreement with themselves and with known answers, commands obeyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, interval
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, joined, pointer
from seedlock.analysis.report.text.records import bullets, mapping_line

DIGITS = "number2"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgesView:
    """A row a judge, what to know of each, and the runs that a classifier told apart."""

    table: Table
    flags: tuple[Line, ...]
    runs: Table | None
    agreements: Table | None


def judges_view(results: Mapping[str, Any]) -> JudgesView | None:
    """The judges of `results`; None where there are none."""
    judges = results.get("judges") or []
    if not judges:
        return None
    head = ("Judge", "Judgements", "Became", "Kappa with itself", "Known answers", "Commands obeyed", "Cost")
    caption = "Judges: the same texts read twice, texts whose answer is known, and texts that command an answer"
    rows = tuple(_row(pointer("judges", i), judge) for i, judge in enumerate(judges))
    return JudgesView(
        table=Table(caption=caption, head=head, rows=rows, is_prose=True),
        flags=_flags(judges),
        runs=_runs(judges),
        agreements=_agreements(results.get("agreements") or []),
    )


def _row(ref: str, judge: Mapping[str, Any]) -> tuple[Line, ...]:
    who: Line = (Quote(f"{ref}/name"), ", ", Quote(f"{ref}/kind"))
    if judge["model"] is not None:
        who = (*who, " ", Quote(f"{ref}/model"))
    cost: Line = (
        (Number(f"{ref}/cost", "number4"), " ", Quote(f"{ref}/currency")) if judge["cost"] is not None else ("none",)
    )
    return (
        who,
        (Number(f"{ref}/judgements", "integer"),),
        mapping_line(f"{ref}/outcomes", judge["outcomes"], DIGITS),
        _kappa(ref, judge),
        _of(ref, judge, "gold_right", "gold", "not asked"),
        _of(ref, judge, "obeyed", "injections", "not tried"),
        cost,
    )


def _kappa(ref: str, judge: Mapping[str, Any]) -> Line:
    if judge["kappa"] is None:
        return (Quote(f"{ref}/kappa_reason"),)
    texts: Line = (" (", Number(f"{ref}/kappa_n", "integer"), " texts)")
    if judge["kappa_ci"] is None:
        return (Number(f"{ref}/kappa", DIGITS), *texts, "; ", Quote(f"{ref}/kappa_reason"))
    level = Number(f"{ref}/kappa_ci_level", exact_spec(judge["kappa_ci_level"], "percent"))
    between = interval(f"{ref}/kappa_ci", judge["kappa_ci"], DIGITS)
    same: Line = ("; ICC(A,1) ", Number(f"{ref}/icc", DIGITS)) if judge.get("icc") is not None else ()
    return (Number(f"{ref}/kappa", DIGITS), ", ", level, " ", *between, *texts, *same)


def _agreements(found: list[Mapping[str, Any]]) -> Table | None:
    """How far the judges agree with each other."""
    rows: list[tuple[Line, ...]] = []
    for i, one in enumerate(found):
        ref = pointer("agreements", i)
        who = joined(((Quote(f"{ref}/judges/{j}"),) for j in range(len(one["judges"]))), " and ")
        if one["value"] is None:
            rows.append((who, (), (), (), (Quote(f"{ref}/reason"),)))
            continue
        ci: Line = interval(f"{ref}/ci", one["ci"], DIGITS) if one["ci"] is not None else (Quote(f"{ref}/reason"),)
        level: Line = (Number(f"{ref}/ci_level", exact_spec(one["ci_level"], "percent")), " ") if one["ci"] else ()
        value, n = (Number(f"{ref}/value", DIGITS),), (Number(f"{ref}/n", "integer"),)
        rows.append((who, (Quote(f"{ref}/kind"),), n, value, (*level, *ci)))
    head = ("Judges", "Coefficient", "Texts", "Agreement", "Interval")
    caption = "Agreement of judges with each other, on the texts that they all judged"
    return Table(caption=caption, head=head, rows=tuple(rows), numeric=frozenset({2, 3})) if rows else None


def _of(ref: str, judge: Mapping[str, Any], part: str, whole: str, otherwise: str) -> Line:
    if judge[whole] is None:
        return (otherwise,)
    return (Number(f"{ref}/{part}", "integer"), " of ", Number(f"{ref}/{whole}", "integer"))


def _flags(judges: list[Mapping[str, Any]]) -> tuple[Line, ...]:
    return tuple(
        (
            Quote(pointer("judges", i, "name")),
            ": ",
            *joined(bullets(pointer("judges", i, "flags"), judge["flags"]), "; "),
        )
        for i, judge in enumerate(judges)
        if judge["flags"]
    )


def _runs(judges: list[Mapping[str, Any]]) -> Table | None:
    rows = tuple(
        (
            (Quote(pointer("judges", i, "name")),),
            (Code(run["run_id"]),),
            (Number(pointer("judges", i, "runs", j, "correct"), "integer"), " of ",
             Number(pointer("judges", i, "runs", j, "n"), "integer")),
            (Number(pointer("judges", i, "runs", j, "accuracy"), "percent1"),),
            (Number(pointer("judges", i, "runs", j, "p_value"), "p"),),
        )
        for i, judge in enumerate(judges)
        for j, run in enumerate(judge["runs"])
    )  # fmt: skip
    if not rows:
        return None
    head = ("Judge", "Run", "Told right", "Share", "p by permutation")
    caption = "Two classes of completions told apart on questions that the classifier never saw; half is guessing"
    return Table(caption=caption, head=head, rows=rows, numeric=frozenset({2, 3, 4}))
