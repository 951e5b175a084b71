"""Nothing swept away: runs, answers, looks, gates, amendments and departures, each with its reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.text.formats import interval, resolved_spec
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, joined, pointer
from seedlock.analysis.report.text.records import bullets, reasons_line, words

LOST_SHOWN = 6

type Fact = tuple[str, Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationView:
    """One declared departure from the plan."""

    where: Line
    change: Line
    reason: Line
    effect: Line
    touches: Line
    at: str


def accounting_facts(results: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What was planned beside what came."""
    a = results["accounting"]

    def n(key: str) -> Number:
        return Number(pointer("accounting", key), "integer")

    answers: Line = (n("answers"),) if a["answers"] is not None else ("not counted here: the data are aggregated",)
    missing = [
        (Code(reason), " ", Number(pointer("accounting", "answers_missing", reason), "integer"))
        for reason in a["answers_missing"]
    ]
    has_stopped = a.get("look") is not None and a["look"]["goes_on"] is False
    why_not = " for a look that the plan did not come to" if has_stopped else " due at a later look"
    later: Line = (", ", n("runs_not_due"), why_not) if a["runs_not_due"] else ()
    return (
        ("Runs", (n("runs_planned"), " planned, ", n("runs_with_data"), " with data", *later)),
        ("Answers received", answers),
        ("Answers without a score", joined(missing) or ("none",)),
        *(("Answers owed", line) for line in bullets("/accounting/owed_basis", a.get("owed_basis", []))),
        ("Rows in quarantine", reasons_line("/accounting/quarantined", a["quarantined"]) or ("none",)),
        ("Looks at the data", (n("looks_planned"), " planned, ", n("looks_used"), " used")),
        *_looks(a),
        ("Amendments of the plan", (n("amendments"),)),
        *_alike(a),
    )


def _alike(accounting: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The two runs of one arm whose answers are most alike."""
    if not accounting.get("near_copies"):
        return ()
    ref = "/accounting/near_copies/0"
    equal, near = Number(f"{ref}/equal", "percent1"), Number(f"{ref}/near", "percent1")
    shares: Line = (equal, " of ", Number(f"{ref}/n", "integer"), " answers equal, ", near, " equal or nearly so")
    return (("Most alike runs of one arm", (Quote(f"{ref}/runs/0"), " and ", Quote(f"{ref}/runs/1"), ": ", *shares)),)


def missing_facts(results: Mapping[str, Any]) -> tuple[Fact, ...]:
    """For page one: arms with missing answers, of how many owed, and why; the measures of the hypotheses first."""
    lost = [(i, entry) for i, entry in enumerate(results["accounting"].get("by_arm", [])) if entry["missing"]]
    tested = [h["measure"] for h in sorted(results["hypotheses"], key=lambda h: h["role"] != "confirmatory")]
    place = {measure: at for at, measure in reversed(list(enumerate(tested)))}
    lost.sort(key=lambda pair: place.get(pair[1]["measure"], len(tested)))
    lines = [_lost(i, entry) for i, entry in lost[:LOST_SHOWN]]
    if not lines:
        return (("Answers missing", ("none of those owed",)),) if results["accounting"].get("by_arm") else ()
    more: Line = ("; others under Nothing swept away",) if len(lost) > LOST_SHOWN else ()
    return (("Answers missing", (*joined(lines, "; "), *more)),)


def _lost(i: int, entry: Mapping[str, Any]) -> Line:
    ref = pointer("accounting", "by_arm", i)
    of: Line = (" of ", Number(f"{ref}/owed", "integer")) if entry["owed"] is not None else ()
    why = reasons_line(f"{ref}/reasons", entry["reasons"])
    return (
        Quote(f"{ref}/measure"),
        ", ",
        Quote(f"{ref}/arm"),
        ": ",
        Number(f"{ref}/missing", "integer"),
        *of,
        " (",
        *why,
        ")",
    )


def answers_table(results: Mapping[str, Any], *, only_lost: bool = False) -> Table | None:
    """What every arm owes each measure, and what became of it; ties apart, with the rate without them.

    Parameters
    ----------
    only_lost
        Leave out arms that lack no answer.
    """
    entries = [
        (i, entry)
        for i, entry in enumerate(results["accounting"].get("by_arm", []))
        if entry["missing"] or not only_lost
    ]
    if not entries:
        return None
    has_ties = any(entry["ties"] is not None for _, entry in entries)
    keys: tuple[str, ...] = ("measure", "arm", "owed", "scored", "missing", "reasons", "share_of_scored")
    keys += ("ties", "share_without_ties") if has_ties else ()
    rows = tuple(tuple(_value(i, key, entry[key]) for key in keys) for i, entry in entries)
    numeric = frozenset(at for at, key in enumerate(keys) if key not in {"measure", "arm", "reasons"})
    caption = "Answers owed, scored and missing by arm; shares are of the scored answers, all counted alike"
    return Table(caption=caption, head=tuple(map(words, keys)), rows=rows, numeric=numeric)


def _value(i: int, key: str, value: Any) -> Line:
    ref = pointer("accounting", "by_arm", i, key)
    if value is None:
        return ()
    if isinstance(value, dict):
        return reasons_line(ref, value) or ("none",)
    if isinstance(value, str):
        return (Quote(ref),)
    return (Number(ref, "percent1" if key.startswith("share") else "integer"),)


def _looks(accounting: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Which planned look this is, and what the plan's rule makes of it."""
    look = accounting.get("look")
    if look is None:
        return ()

    def n(key: str) -> Number:
        return Number(pointer("accounting", "look", key), "integer")

    here: Line = (n("place"), " of ", Number(pointer("accounting", "looks_planned"), "integer"))
    here += (", at ", n("seeds"), " seeds an arm")
    if look["goes_on"] is None:
        return (("This look", here),)
    named = joined(bullets("/accounting/look/hypotheses", look["hypotheses"]), " or ")
    bands = joined(bullets("/accounting/look/undecided", look["undecided"]), " and ")
    between = look.get("estimate_in")
    edges = [pointer("accounting", "look", "estimate_in", at) for at in (0, 1)]
    ends: Line = (Number(edges[0], "number3"), " to ", Number(edges[1], "number3"))
    if not look["goes_on"]:
        why: Line = ("; the plan ends here: ", *named, " does not leave ", *bands)
        if between is not None:
            why = ("; the plan ends here: the estimate of ", *named, " lies outside ", *ends)
    elif look.get("at_will"):
        why = ("; valid at any time: the study may end here, or go on to ", n("next_seeds"), " seeds")
    elif between is not None:
        why = ("; the plan goes on to ", n("next_seeds"), " seeds: the estimate of ", *named, " lies in ", *ends)
    elif named:
        why = ("; the plan goes on to ", n("next_seeds"), " seeds: ", *named, " still leaves ", *bands)
    else:
        why = ("; the plan goes on to ", n("next_seeds"), " seeds")
    return (("This look", (*here, *why)),)


def missing_runs(results: Mapping[str, Any]) -> tuple[Line, ...]:
    """Runs that were promised and never came."""
    return bullets("/accounting/runs_missing", results["accounting"]["runs_missing"])


def gate_table(results: Mapping[str, Any], *, has_correlations: bool) -> Table | None:
    """Every gate of the plan, its verdict and whether it held; how far it is the same as what it guards."""
    if not results["gates"]:
        return None
    rows = []
    for i, gate in enumerate(results["gates"]):
        ref = pointer("gates", i)
        spec = resolved_spec(gate["ci"][1] - gate["ci"][0] if gate["ci"] else None, "number")
        held = {True: "held", False: "did not hold", None: "not testable"}[gate["passed"]]
        left = joined(bullets(f"{ref}/verdict", gate["verdict"]), " or ") or ("none",)
        why = joined(bullets(f"{ref}/reasons", gate["reasons"]), "; ")
        number = (
            Number(f"{ref}/estimate", spec),
            " ",
            *(interval(f"{ref}/ci", gate["ci"], spec) if gate["ci"] else ()),
        )
        alike = (_correlations(ref, gate),) if has_correlations else ()
        rows.append(((Quote(f"{ref}/name"),), (Quote(f"{ref}/need"),), left, number, (held,), why, *alike))
    head: tuple[str, ...] = ("Gate", "Needs", "Left", "Estimate", "Held", "Reasons")
    head += ("Correlation with what it guards, over runs",) if has_correlations else ()
    return Table(caption="Gates that stand before the hypotheses", head=head, rows=tuple(rows), is_prose=True)


def _correlations(ref: str, gate: Mapping[str, Any]) -> Line:
    """`H1 0.42`, one a hypothesis that the gate guards."""
    found = [
        (Quote(f"{ref}/correlations/{i}/hypothesis"), " ", Number(f"{ref}/correlations/{i}/r", "number2"))
        for i, pair in enumerate(gate.get("correlations", []))
        if pair["r"] is not None
    ]
    return joined(found) or ("not known",)


def deviation_views(results: Mapping[str, Any]) -> tuple[DeviationView, ...]:
    """Departures, oldest first."""
    views = []
    for i, d in enumerate(results["deviations"]):
        ref = pointer("deviations", i)
        change: Line = ("from ", Code(_short(d["before"])), " to ", Code(_short(d["after"])))
        touches = joined(bullets(f"{ref}/hypotheses", d["hypotheses"])) or ("no hypothesis",)
        views.append(
            DeviationView(
                where=(Code(d["pointer"]),),
                change=change,
                reason=(Quote(f"{ref}/reason"),),
                effect=(Quote(f"{ref}/effect"),),
                touches=touches,
                at=d["at"],
            )
        )
    return tuple(views)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "..."


def claim_table(results: Mapping[str, Any]) -> Table | None:
    """Composite claims: what they say, on what they rest, what came of them."""
    if not results["claims"]:
        return None
    rows = []
    for i, claim in enumerate(results["claims"]):
        ref = pointer("claims", i)
        rule = "all of" if claim["rule"] == "all_of" else "any of"
        members = (rule, " ", *joined(bullets(f"{ref}/members", claim["members"])))
        why = joined(bullets(f"{ref}/reasons", claim["reasons"]), "; ")
        said = (Quote(f"{ref}/id"), ": ", Quote(f"{ref}/says"))
        rows.append((said, members, (Number(f"{ref}/p_value", "p"),), (Quote(f"{ref}/decision"),), why))
    head = ("Claim", "Rests on", "p", "Verdict", "Reasons")
    return Table(caption="Composite claims", head=head, rows=tuple(rows), numeric=frozenset({2}), is_prose=True)


def input_table(results: Mapping[str, Any]) -> Table | None:
    """Sealed files that the numbers came from."""
    if not results["inputs"]:
        return None
    rows = tuple(
        (
            (words(entry["table"]),),
            (Code(entry["path"]),),
            (Number(pointer("inputs", i, "rows"), "integer"),),
            (Code(entry["sha256"]),),
        )
        for i, entry in enumerate(results["inputs"])
    )
    head = ("Table", "File", "Rows", "Digest")
    return Table(caption="Sealed data the numbers came from", head=head, rows=rows, numeric=frozenset({2}))
