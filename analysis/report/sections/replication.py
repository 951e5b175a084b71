"""Original and replication: what was found, what that promised, and what was found again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, hypothesis_spec, interval
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, pointer


def replication_table(results: Mapping[str, Any]) -> Table | None:
    """One row a hypothesis; None of a study that replicates none."""
    found = results.get("replication")
    if found is None:
        return None
    rows = tuple(
        _row(results["hypotheses"][i], results, i) for i, one in enumerate(found["hypotheses"]) if one is not None
    )
    changed = "of the same plan" if not found["changes"] else "of a plan that was changed (see below)"
    return Table(
        caption=f"Original and replication {changed}",
        head=("Hypothesis", "Original", "It promised", "Replication", "Replication minus original", "Verdicts"),
        rows=rows,
        is_prose=True,
    )


def _row(h: Mapping[str, Any], results: Mapping[str, Any], i: int) -> tuple[Line, ...]:
    one, ref = results["replication"]["hypotheses"][i], f"/replication{pointer('hypotheses', i)}"
    spec, own = hypothesis_spec(h), pointer("hypotheses", i)
    level: Line = (Number("/replication/level", exact_spec(results["replication"]["level"], "percent")), " ")
    before: Line = _with_interval(
        f"{ref}/original_estimate", one["original_estimate"], f"{ref}/original_ci", one["original_ci"], spec
    )
    now: Line = _with_interval(f"{own}/estimate", h["estimate"], f"{own}/ci", h["ci"], spec)
    promise: Line = (
        (Quote(f"{ref}/reason"),)
        if one["promise"] is None
        else (*level, *interval(f"{ref}/promise", one["promise"], spec))
    )
    apart: Line = ("not defined",)
    if one["difference"] is not None:
        bar = interval(f"{ref}/difference_ci", one["difference_ci"], spec.replace("percent", "pp"))
        apart = (Number(f"{ref}/difference", spec.replace("percent", "pp")), ", ", *level, *bar)
    held = {
        True: "consistent: it fell where the original said",
        False: "not consistent: it fell outside",
        None: "not compared",
    }
    verdicts: Line = (
        Quote(f"{ref}/original_decision"),
        " there, ",
        Quote(f"{own}/decision"),
        f" here; {held[one['is_consistent']]}",
    )
    return (Quote(f"{ref}/id"),), before, promise, now, apart, verdicts


def _with_interval(ref: str, value: float | None, bar_ref: str, bar: list[float] | None, spec: str) -> Line:
    if value is None:
        return ("not tested",)
    return (Number(ref, spec), " ", *interval(bar_ref, bar, spec)) if bar is not None else (Number(ref, spec),)


def original_table(results: Mapping[str, Any]) -> Table | None:
    """Which study is replicated, and the keys of its plan that say something else here."""
    found = results.get("replication")
    if found is None:
        return None
    named: Line = (Code(found["study"]), ", lock ", Code(found["lock_id"][:12]), ", ", Quote("/replication/status"))
    of: Line = (Number("/replication/consistent", "integer"), " of ", Number("/replication/compared", "integer"))
    rows: list[tuple[Line, ...]] = [(("The original",), named), (("Consistent with its promise",), of)]
    rows += [
        (("The plan was changed",), (Quote(f"/replication{pointer('changes', i)}"),))
        for i, _ in enumerate(found["changes"])
    ]
    return Table(caption="What is replicated", head=("What", "Which"), rows=tuple(rows), is_prose=True)
