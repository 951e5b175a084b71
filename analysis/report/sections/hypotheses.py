"""Promised and found: one entry a hypothesis, from the claim to the last second opinion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from seedlock.analysis.findings.tally import outcome
from seedlock.analysis.report.sections.bayes import bayes_facts, bayes_tables
from seedlock.analysis.report.text.formats import (
    exact_spec,
    hypothesis_kind,
    hypothesis_spec,
    interval,
    spread_spec,
    unit_spec,
)
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, joined, pointer
from seedlock.analysis.report.text.records import bullets, records_table, value_line, words
from seedlock.analysis.results.schema import Outcome
from seedlock.prereg.lock.gate import Status

type Fact = tuple[str, Line]

_SIZES = {
    "d": "Cohen's d",
    "g": "Hedges' g",
    "glass": "Glass' delta",
    "dz": "d_z of paired units",
    "standardised": "the estimate",
}
_DEVIATED_FIRST = ("estimate", "ci", "p_value", "n_units", "verdict", "decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisView:
    """One hypothesis as the page lays it out.

    `ref` is its pointer in results.json, `anchor` its place on the page. `siblings` are the hypotheses that make
    the same claim of other levels, itself among them; only the first repeats the claim.
    """

    ref: str
    anchor: str
    raw: Mapping[str, Any]
    siblings: tuple[Mapping[str, Any], ...]
    is_first: bool
    outcome: Outcome
    outcome_words: str
    name: Line
    decision: Line
    claim: Line
    number: Line
    level: Line
    about: Line
    counted: Line
    promised: tuple[Fact, ...]
    found: tuple[Fact, ...]
    bayes: tuple[Fact, ...]
    tables: tuple[Table, ...]
    reasons: tuple[Line, ...]
    as_deviated: Line


def hypothesis_views(results: Mapping[str, Any]) -> tuple[HypothesisView, ...]:
    """Every hypothesis, in the order of results.json."""
    views: list[HypothesisView] = []
    for _, some in groupby(enumerate(results["hypotheses"]), key=lambda entry: _family_likeness(entry[1])):
        numbered = list(some)
        siblings = tuple(h for _, h in numbered)
        views += [_view(pointer("hypotheses", i), h, siblings, results["status"]) for i, h in numbered]
    return tuple(views)


def _family_likeness(h: Mapping[str, Any]) -> tuple[str, str, str]:
    """What hypotheses expanded from one entry of the plan share."""
    return h["claim"], h["measure"], h["test"]


def outcome_of(hypothesis: Mapping[str, Any]) -> Outcome:
    """How the verdict stands to the prediction."""
    return outcome(**{key: hypothesis[key] for key in ("estimate", "verdict", "predicted")})


def outcome_words(kind: Outcome, status: Status) -> str:
    """The outcome as a person reads it: where the data were there before the plan, nothing was predicted."""
    if status in {"confirmatory", "deviated"}:
        return kind
    return {"as predicted": "consistent with the claim", "not as predicted": "against the claim"}.get(kind, kind)


def anchor_of(text: str) -> str:
    """An id for `text` that is safe in a URL fragment."""
    return "h-" + re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def _view(ref: str, h: Mapping[str, Any], siblings: tuple[Mapping[str, Any], ...], status: Status) -> HypothesisView:
    spec = hypothesis_spec(h)
    return HypothesisView(
        ref=ref,
        anchor=anchor_of(h["id"]),
        raw=h,
        siblings=siblings,
        is_first=h is siblings[0],
        outcome=outcome_of(h),
        outcome_words=outcome_words(outcome_of(h), status),
        name=(Quote(f"{ref}/id"),),
        decision=(Quote(f"{ref}/decision"),),
        claim=(Quote(f"{ref}/claim"),),
        number=_number(ref, h, spec),
        level=_level(ref, h),
        about=_about(ref, h),
        counted=_counted(ref, h),
        promised=tuple(_promised(ref, h)),
        found=tuple(_found(ref, h, spec)),
        bayes=bayes_facts(ref, h, spec),
        tables=tuple(table for table in _tables(ref, h, spec) if table is not None),
        reasons=_reasons(ref, h),
        as_deviated=_as_deviated(ref, h, spec),
    )


def _number(ref: str, h: Mapping[str, Any], spec: str) -> Line:
    if h["estimate"] is None:
        return ("Estimate ", Number(f"{ref}/estimate", spec))
    level = Number(f"{ref}/ci_level", exact_spec(h["ci_level"], "percent"))
    return (Number(f"{ref}/estimate", spec), " ", level, " interval ", *interval(f"{ref}/ci", h["ci"], spec))


def _level(ref: str, h: Mapping[str, Any]) -> Line:
    """Alpha and the interval of level 1 - 2 alpha, which matches it but where a band is left outside it."""
    alpha = Number(f"{ref}/alpha", exact_spec(h["alpha"]))
    level = Number(f"{ref}/ci_level", exact_spec(h["ci_level"], "percent"))
    if left_though_outside(h):
        return ("alpha ", alpha, " a band; the interval, ", level, ", tests one edge at a time and excludes more")
    return ("alpha ", alpha, " a band, matching interval ", level)


def _reasons(ref: str, h: Mapping[str, Any]) -> tuple[Line, ...]:
    """Reasons beside the first of a hypothesis that is not testable, which its decision gives."""
    lines = bullets(f"{ref}/reasons", h["reasons"])
    return lines[1:] if h["estimate"] is None else lines


def _as_deviated(ref: str, h: Mapping[str, Any], spec: str) -> Line:
    """The result under the plan as it was carried out, in one line; empty where nothing departed."""
    deviated = h["as_deviated"]
    if deviated is None:
        return ()
    at = f"{ref}/as_deviated"
    keys = [key for key in ("estimate", "ci", "decision") if key in deviated]
    return joined((value_line(f"{at}{pointer(key)}", deviated[key], key, spec) for key in keys), " ")


def _about(ref: str, h: Mapping[str, Any]) -> Line:
    """In what unit the number is, where it does not say so itself, and over what it is replicated."""
    unit: Line = ("in ", Quote(f"{ref}/unit_text"), "; ") if hypothesis_kind(h) == "number" else ()
    return (*unit, "unit of replication: ", Quote(f"{ref}/unit"))


def _counted(ref: str, h: Mapping[str, Any]) -> Line:
    """Replicates of each level with weight, or of the only one."""
    each = h.get("units_per_level") or {}
    if h["n_units"] is None or len(each) < 2:
        return ("n = ", Number(f"{ref}/n_units", "integer")) if h["n_units"] is not None else ()
    levels = ((Number(f"{ref}{pointer('units_per_level', level)}", "integer"), " ", Code(level)) for level in each)
    return ("n = ", *joined(levels, " + "))


def _promised(ref: str, h: Mapping[str, Any]) -> list[Fact]:
    level = Number(f"{ref}/ci_level", exact_spec(h["ci_level"], "percent"))
    alpha = Number(f"{ref}/alpha", exact_spec(h["alpha"]))
    facts: list[Fact] = [
        ("Bands", bands_line(ref, h)),
        ("Predicted", (Quote(f"{ref}/predicted"),)),
        ("Measure", _measure(h)),
    ]
    if (dose := h.get("dose")) is not None:
        facts.append(_dose(ref, dose))
    if h["contrast"] and (dose is None or dose["kind"] == "adjusted"):
        weights = (
            (Number(f"{ref}{pointer('contrast', name)}", exact_spec(weight)), " × ", Code(name))
            for name, weight in h["contrast"].items()
        )
        facts.append(("Contrast", (*joined(weights, "  +  "), " over ", Quote(f"{ref}/over"))))
    if h["where"]:
        facts.append(("Where", joined((Code(_condition(key, value)),) for key, value in h["where"].items())))
    return [
        *facts,
        ("Scale", (Code(h["scale"]), *((", in ", Quote(f"{ref}/unit_text")) if h["unit_text"] else ()))),
        ("Test", (Code(h["test"]),)),
        ("Error rate", ("alpha ", alpha, " a band; the ", level, " interval tests each edge at it, one-sided")),
        ("Role", (words(h["role"]), *((", family ", Code(h["family"])) if h["family"] else ()))),
    ]


def _dose(ref: str, dose: Mapping[str, Any]) -> Fact:
    """What a slope or correlation is over, or a contrast is adjusted for."""
    measured = (", each unit's own mean",) if dose["measure"] else ()
    if dose["kind"] == "slope":
        return ("Slope", ("per ", Quote(f"{ref}/dose/step"), *measured))
    return ("Correlation" if dose["kind"] == "correlation" else "Adjusted for", (Quote(f"{ref}/dose/of"), *measured))


def _measure(h: Mapping[str, Any]) -> Line:
    return (Code(h["measure"]), *((" on items ", Code(h["items"])) if h["items"] else ()))


def _condition(key: str, value: Any) -> str:
    """`arm = a | b`, or a row filter: `coherence >= 50`."""
    return f"{key} {value}" if str(value).startswith(("<", ">")) else f"{key} = {_spelled(value)}"


def _spelled(value: Any) -> str:
    return " | ".join(map(str, value)) if isinstance(value, list) else str(value)


def bands_line(ref: str, h: Mapping[str, Any]) -> Line:
    """`opposite < -0.2 < negligible < 0.2 < supported`."""
    kind = hypothesis_kind(h)
    pieces: list[Any] = []
    for j, band in enumerate(h["bands"]):
        pieces.append(Quote(f"{ref}{pointer('bands', j, 'name')}"))
        if band["upper"] is not None:
            upper = Number(f"{ref}{pointer('bands', j, 'upper')}", exact_spec(band["upper"], kind))
            pieces += [" < ", upper, " < "]
    return tuple(pieces)


def _found(ref: str, h: Mapping[str, Any], spec: str) -> list[Fact]:
    facts: list[Fact] = [("Estimate", (Number(f"{ref}/estimate", spec),))]
    if h["estimate"] is None:
        return facts
    level = Number(f"{ref}/ci_level", exact_spec(h["ci_level"], "percent"))
    facts.append(("Interval", (level, " ", *interval(f"{ref}/ci", h["ci"], spec))))
    facts += [("Interval and test differ", _outside(ref, h, j)) for j in left_though_outside(h)]
    if h["ci_method"]:
        facts.append(("Method", (Quote(f"{ref}/ci_method"),)))
    if h["assumes"]:
        facts.append(("Assumes", (Quote(f"{ref}/assumes"),)))
    if h["se"] is not None and h["df"] is not None:
        df = (", df ", Number(f"{ref}/df", exact_spec(round(h["df"], 1)) if h["df"] % 1 == 0 else "number1"))
        facts.append(("Standard error", (Number(f"{ref}/se", spread_spec(spec)), *df)))
    facts += _spread(ref, h, spec)
    if h.get("replicated") is not None:
        facts.append(("What was replicated", (Quote(f"{ref}/replicated"),)))
    facts.append(("p, that only the prediction is left", _p_values(ref, h)))
    return facts


def left_though_outside(h: Mapping[str, Any]) -> list[int]:
    """Places of inner bands that are left although the interval lies wholly beyond one of their edges."""
    if h["ci"] is None:
        return []
    low, high = h["ci"]
    return [
        j
        for j, band in enumerate(h["bands"])
        if band["excluded"] is False and None not in (band["lower"], band["upper"])
        if low > band["upper"] or high < band["lower"]
    ]


def _outside(ref: str, h: Mapping[str, Any], j: int) -> Line:
    """Why a band is left that the interval excludes: a band with two edges is tested at both."""
    at = f"{ref}{pointer('bands', j)}"
    alpha = Number(f"{ref}/alpha", exact_spec(h["alpha"]))
    p = Number(f"{at}/p", "p")
    says = " lies outside the interval and is left all the same: a band with two edges is tested at both of them, p "
    return (Quote(f"{at}/name"), says, p, " at alpha ", alpha, ". The interval tests one edge at a time.")


def _spread(ref: str, h: Mapping[str, Any], spec: str) -> list[Fact]:
    facts: list[Fact] = []
    if h["unit_sd"] is not None:
        facts.append(("SD between units, observed", (Number(f"{ref}/unit_sd", spread_spec(spec)),)))
    if h["unit_sd_after_noise"] is not None:
        facts.append(
            ("SD between units after sampling noise", (Number(f"{ref}/unit_sd_after_noise", spread_spec(spec)),))
        )
    if h.get("unit_sd_ci") is not None:
        line: Line = (*interval(f"{ref}/unit_sd_ci", h["unit_sd_ci"], spread_spec(spec)), ": ")
        facts.append(("Where that SD may lie", (*line, Quote(f"{ref}/unit_sd_ci_says"))))
    if h["overdispersion"] is not None:
        facts.append(("Spread against pure counting noise", (Number(f"{ref}/overdispersion", "number1"), " times")))
    if h["next_unit_ci"] is not None:
        says: Line = (": ", Quote(f"{ref}/next_unit_says")) if h.get("next_unit_says") else ()
        facts.append(("Where the next unit falls", (*interval(f"{ref}/next_unit_ci", h["next_unit_ci"], spec), *says)))
    return facts


def _p_values(ref: str, h: Mapping[str, Any]) -> Line:
    line: Line = (Number(f"{ref}/p_value", "p"),)
    if h["p_adjusted"] is not None:
        line = (*line, "; adjusted within the family ", Number(f"{ref}/p_adjusted", "p"))
    if h["alpha_in_family"] is not None:
        line = (*line, "; judged at alpha ", Number(f"{ref}/alpha_in_family", exact_spec(h["alpha_in_family"])))
    return line


def _tables(ref: str, h: Mapping[str, Any], spec: str) -> list[Table | None]:
    has_posterior = any(band["posterior"] is not None for band in h["bands"])
    return [
        _bands_table(ref, h, has_posterior=has_posterior),
        _deviated_table(ref, h, spec),
        records_table(f"{ref}/bounds", h["bounds"], caption="With every missing answer at its worst", spec=spec),
        records_table(
            f"{ref}/second_opinions", h["second_opinions"], caption="Second opinions on the same number", spec=spec
        ),
        _effect_sizes(ref, h),
        records_table(f"{ref}/units", h["units"], caption="Every unit", spec=unit_spec(h)),
        *bayes_tables(ref, h, spec),
    ]


def _effect_sizes(ref: str, h: Mapping[str, Any]) -> Table | None:
    """The difference in SDs, each SD named; or why it is undefined."""
    sizes = h.get("effect_sizes") or []
    rows = []
    for i, size in enumerate(sizes):
        at = f"{ref}/effect_sizes/{i}"
        known = size["value"] is not None
        between: Line = (words(_SIZES[size["kind"]]), ", in SDs between ", Quote(f"{at}/sd_of"), "s")
        level: Line = (Number(f"{at}/ci_level", exact_spec(size["ci_level"], "percent")), " ")
        ci: Line = (*level, *interval(f"{at}/ci", size["ci"], "number2")) if known else ()
        how: Line = (Quote(f"{at}/ci_method"),) if known else (Quote(f"{at}/reason"),)
        rows.append((between, (Number(f"{at}/value", "number2"),), ci, (Number(f"{at}/sd", "number3"),), how))
    head = ("Effect size", "Value", "Interval", "The SD", "How")
    return Table(caption="The difference in standard deviations", head=head, rows=tuple(rows)) if rows else None


def _bands_table(ref: str, h: Mapping[str, Any], *, has_posterior: bool) -> Table:
    rows = []
    for j, band in enumerate(h["bands"]):
        at = f"{ref}{pointer('bands', j)}"
        kept = "not tested" if band["excluded"] is None else "excluded" if band["excluded"] else "left"
        row: list[Line] = [(Quote(f"{at}/name"),), _reach(at, band, h), (kept,), (Number(f"{at}/p", "p"),)]
        if has_posterior:
            row += [(Number(f"{at}/posterior", "percent1"),), (Number(f"{at}/posterior_new_seed", "percent1"),)]
        rows.append(tuple(row))
    head: tuple[str, ...] = ("Band", "Reaches", "Verdict", "p of the band")
    if has_posterior:
        head = (*head, "Posterior", "Posterior, a new unit")
    return Table(caption="The bands and what is left", head=head, rows=tuple(rows), numeric=frozenset({3, 4, 5}))


def _reach(at: str, band: Mapping[str, Any], h: Mapping[str, Any]) -> Line:
    kind = hypothesis_kind(h)
    low = (Number(f"{at}/lower", exact_spec(band["lower"], kind)),) if band["lower"] is not None else ()
    high = (Number(f"{at}/upper", exact_spec(band["upper"], kind)),) if band["upper"] is not None else ()
    if low and high:
        return (*low, " to ", *high)
    return ("above ", *low) if low else ("below ", *high)


def _deviated_table(ref: str, h: Mapping[str, Any], spec: str) -> Table | None:
    """As planned beside as deviated: neither is hidden."""
    deviated = h["as_deviated"]
    if deviated is None:
        return None
    keys = [*(key for key in _DEVIATED_FIRST if key in deviated), *(k for k in deviated if k not in _DEVIATED_FIRST)]
    rows = []
    for key in keys:
        planned = value_line(f"{ref}{pointer(key)}", h[key], key, spec) if key in h else ("not in the plan",)
        rows.append(((words(key),), planned, value_line(f"{ref}/as_deviated{pointer(key)}", deviated[key], key, spec)))
    return Table(caption="As planned and as deviated", head=("Quantity", "As planned", "As deviated"), rows=tuple(rows))
