"""What a headline may claim: its first words against the decision that bands and members give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from seedlock.analysis.report.contradictions import fault
from seedlock.prereg.errors import Finding

type Kind = Literal["supported", "against", "open", "not testable"]

OPENINGS: Mapping[str, Kind] = {
    "The data support the claim:": "supported",
    "These data fit the claim:": "supported",
    "The data contradict the claim:": "against",
    "The data speak against the claim:": "against",
    "The data leave this claim open:": "open",
    "The data do not settle the claim:": "open",
    "The data cannot test the claim:": "not testable",
    "The data do not support the claim:": "open",
}
"""How first sentences begin, in every version so far that says what became of the claim."""
_WEAKER: Mapping[Kind, tuple[Kind, ...]] = {
    "supported": ("open", "not testable"),
    "against": ("open", "not testable"),
    "open": ("not testable",),
    "not testable": (),
}
"""What a decision may be printed as without claiming more than it does."""


def overclaims(results: Mapping[str, Any]) -> Iterator[Finding]:
    """A first sentence that claims more than the bands left standing allow, whichever version wrote it.

    Parameters
    ----------
    results
        results.json as plain data; neither its verdicts nor its decisions are believed, only `bands[].excluded`.
    """
    if not results["hypotheses"]:
        return
    decided = _decision(results)
    first = next(iter(results["answer"]["sentences"]), "")
    printed = next((kind for words, kind in OPENINGS.items() if first.startswith(words)), None)
    where = "/answer/sentences/0"
    if printed is None:
        if not _only_says_a_band(first, results):
            yield fault(where, first[:200], f"words that this program has for {decided!r}")
    elif printed not in (decided, *_WEAKER[decided]):
        yield fault(where, first[:200], f"a headline for {decided}, as the bands left standing are")


def _decision(results: Mapping[str, Any]) -> Kind:
    """What became of the first claim, or else of the first confirmatory hypothesis that has a number."""
    hypotheses = results["hypotheses"]
    if not results["claims"]:
        stated = [h for h in hypotheses if h["role"] == "confirmatory"] or hypotheses
        return _of(next((h for h in stated if h["estimate"] is not None), stated[0]))
    claim = results["claims"][0]
    by_id = {h["id"]: h for h in hypotheses}
    return _together([_of(by_id[name]) for name in claim["members"]], claim["rule"])


def _together(found: Sequence[Kind], rule: str) -> Kind:
    """`all_of` falls with its first member, `any_of` stands with it; what is untested leaves either untested."""
    settles: Kind = "against" if rule == "all_of" else "supported"
    otherwise: Kind = "supported" if rule == "all_of" else "against"
    if settles in found:
        return settles
    if "not testable" in found:
        return "not testable"
    return "open" if "open" in found else otherwise


def _of(h: Mapping[str, Any]) -> Kind:
    left = [band["name"] for band in h["bands"] if band["excluded"] is False]
    if h["estimate"] is None or not h["verdict"] or not left:
        return "not testable"
    if h["predicted"] not in left:
        return "against"
    return "supported" if len(left) == 1 else "open"


def _only_says_a_band(first: str, results: Mapping[str, Any]) -> bool:
    """`CLAIM: BAND (72.0%, ...)`, as the first version wrote where the plan states no claim of several hypotheses."""
    for h in results["hypotheses"]:
        left = [band["name"] for band in h["bands"] if band["excluded"] is False]
        found = left[0] if len(left) == 1 else f"inconclusive: {' or '.join(left)}" if left else "not testable"
        says = f"{h['claim'].strip().rstrip('.')}: {found}"
        if first.startswith((f"{says} (", f"{says}.", f"{says}:")):
            return True
    return False
