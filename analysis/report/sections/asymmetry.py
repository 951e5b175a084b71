"""Which of two opposing arms carries their difference: each against the arm between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.text.formats import hypothesis_spec, interval
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, pointer

_SAME = ("measure", "items", "where", "over", "unit", "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposed:
    """A difference of two arms, and each arm's own distance from a third; indices into the hypotheses."""

    whole: int
    upper: int
    lower: int
    arms: tuple[str, str, str]


def asymmetry_table(results: Mapping[str, Any]) -> Table | None:
    """One row a difference of opposing arms that the plan also tests arm by arm; None where it tests none so."""
    hypotheses = results["hypotheses"]
    rows = tuple(_row(found, hypotheses) for found in opposed(hypotheses))
    if not rows:
        return None
    head = ("Opposing arms", "Between them", "The first moves", "The second moves")
    caption = "Which of the opposing arms carries the difference: each against the arm between them"
    return Table(caption=caption, head=head, rows=rows, is_prose=True)


def opposed(hypotheses: Sequence[Mapping[str, Any]]) -> Iterator[Opposed]:
    """Differences `a - b` for which `a - r` and `r - b` are hypotheses too, on the same measure, items and scale."""
    pairs = {i: arms for i, h in enumerate(hypotheses) if (arms := _arms(h)) is not None and h["estimate"] is not None}
    for whole, (a, b) in pairs.items():
        for upper, (first, r) in pairs.items():
            if first != a or r == b or not _alike(hypotheses[whole], hypotheses[upper]):
                continue
            for lower, arms in pairs.items():
                if arms == (r, b) and _alike(hypotheses[whole], hypotheses[lower]):
                    yield Opposed(whole=whole, upper=upper, lower=lower, arms=(a, r, b))


def _arms(h: Mapping[str, Any]) -> tuple[str, str] | None:
    """(raised, lowered) of a contrast of two levels with opposite weights."""
    weights = h["contrast"] or {}
    above = [name for name, weight in weights.items() if weight > 0]
    below = [name for name, weight in weights.items() if weight < 0]
    if len(above) != 1 or len(below) != 1 or not math.isclose(math.fsum(weights.values()), 0, abs_tol=1e-9):
        return None
    return above[0], below[0]


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in _SAME)


def _row(found: Opposed, hypotheses: Sequence[Mapping[str, Any]]) -> tuple[Line, ...]:
    a, r, b = found.arms
    who: Line = (Quote(f"/hypotheses/{found.whole}/id"), ": ", Code(a), " and ", Code(b))
    moves = (_moves(found.upper, hypotheses, (a, r)), _moves(found.lower, hypotheses, (b, r)))
    return who, (Code(r),), *moves


def _moves(i: int, hypotheses: Sequence[Mapping[str, Any]], arms: tuple[str, str]) -> Line:
    """`0.31 [0.12, 0.50] (H1-eager: eager against neutral)`."""
    ref, h = pointer("hypotheses", i), hypotheses[i]
    spec = hypothesis_spec(h)
    arm, between = arms
    own: Line = (Number(f"{ref}/estimate", spec), " ", *interval(f"{ref}/ci", h["ci"], spec))
    return (*own, ", ", Quote(f"{ref}/id"), ": ", Code(arm), " against ", Code(between))
