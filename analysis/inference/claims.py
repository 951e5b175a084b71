"""Composite claims: all of several verdicts, or any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.analysis.inference.multiplicity import holm
from seedlock.prereg.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPart:
    """One verdict a claim rests on.

    Parameters
    ----------
    name
        The hypothesis, as the plan names it.
    p
        The smallest alpha at which the needed band would be the only one left (`BandDecision.p_for`);
        None where the hypothesis is not testable.
    reason
        Why `p` is None; empty otherwise.
    """

    name: str
    p: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Whether a composite claim holds.

    Parameters
    ----------
    kind
        "all_of" (intersection-union, no correction) or "any_of" (Holm).
    p
        Of the claim; None where it is not testable.
    holds
        None where the claim is not testable.
    holding
        Names of the parts that hold, at the level the kind gives them.
    reason
        Why `p` is None; empty otherwise.
    """

    kind: Literal["all_of", "any_of"]
    p: float | None
    holds: bool | None
    holding: tuple[str, ...]
    reason: str = ""


def all_of(parts: Sequence[ClaimPart], *, alpha: float) -> Claim:
    """Claim that every part holds: each at `alpha`, with no correction, and p the largest.

    Raises
    ------
    BadInput
        No parts.

    Notes
    -----
    Intersection-union test: Berger (1982), https://doi.org/10.1080/00401706.1982.10487790.
    A part that is not testable leaves the claim not testable, unless another part already fails it.
    """
    _require_parts(parts)
    holding = tuple(part.name for part in parts if part.p is not None and part.p <= alpha)
    untestable = [part for part in parts if part.p is None]
    if untestable:
        fails = any(part.p is not None and part.p > alpha for part in parts)
        return Claim(
            kind="all_of",
            p=None,
            holds=False if fails else None,
            holding=holding,
            reason="; ".join(f"{part.name}: {part.reason or 'not testable'}" for part in untestable),
        )
    p = max(part.p for part in parts if part.p is not None)
    return Claim(kind="all_of", p=p, holds=p <= alpha, holding=holding)


def any_of(parts: Sequence[ClaimPart], *, alpha: float) -> Claim:
    """Claim that at least one part holds, by Holm over all parts; p is the smallest adjusted one.

    Raises
    ------
    BadInput
        No parts.

    Notes
    -----
    Holm (1979), https://www.jstor.org/stable/4615733. A part that is not testable still counts in the
    size of the family: what the data turned out to be does not loosen the correction.
    """
    _require_parts(parts)
    adjusted = holm({part.name: part.p for part in parts}, alpha=alpha)
    known = [a.p_adjusted for a in adjusted.values() if a.p_adjusted is not None]
    if not known:
        reason = "; ".join(f"{part.name}: {part.reason or 'not testable'}" for part in parts)
        return Claim(kind="any_of", p=None, holds=None, holding=(), reason=reason)
    holding = tuple(name for name, a in adjusted.items() if a.rejected)
    return Claim(kind="any_of", p=min(known), holds=bool(holding), holding=holding)


def _require_parts(parts: Sequence[ClaimPart]) -> None:
    if not parts:
        raise BadInput("a claim rests on at least one hypothesis")
    if len({part.name for part in parts}) != len(parts):
        raise BadInput("a claim names each hypothesis once")
