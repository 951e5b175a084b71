"""Promised and found as one table: hypotheses by role, those of one claim together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from seedlock.analysis.findings.tally import ROLES
from seedlock.analysis.report.sections.first_screen import role_words
from seedlock.analysis.report.sections.hypotheses import HypothesisView
from seedlock.analysis.report.text.formats import exact_spec
from seedlock.analysis.report.text.pieces import Code, Line, Number
from seedlock.prereg.lock.gate import Status

SHOWN_REASONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One hypothesis as a row: its limits as far as they fit, and at what alpha a family's correction judged it."""

    hypothesis: HypothesisView
    limits: tuple[Line, ...]
    has_more: bool
    judged_at: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """The claims of one role, each with the hypotheses that state it of different levels."""

    heading: str
    claims: tuple[tuple[RowView, ...], ...]


def role_views(hypotheses: Sequence[HypothesisView], status: Status) -> tuple[RoleView, ...]:
    """Every hypothesis once, confirmatory ones first."""
    views = []
    for role in ROLES:
        some = [h for h in hypotheses if h.raw["role"] == role]
        claims = tuple(tuple(map(_row, claim)) for _, claim in groupby(some, key=lambda h: id(h.siblings)))
        if claims:
            views.append(RoleView(heading=role_words(role, status), claims=claims))
    return tuple(views)


def _row(h: HypothesisView) -> RowView:
    shown = h.reasons[:SHOWN_REASONS]
    return RowView(hypothesis=h, limits=shown, has_more=len(shown) < len(h.reasons), judged_at=_judged_at(h.ref, h.raw))


def _judged_at(ref: str, h: Mapping[str, Any]) -> Line:
    """The alpha at which a family's correction decided, where there is one."""
    if h["alpha_in_family"] is None or h["estimate"] is None:
        return ()
    alpha = Number(f"{ref}/alpha_in_family", exact_spec(h["alpha_in_family"]))
    return ("judged at one-sided alpha ", alpha, " (family ", Code(h["family"]), ")")
