"""The first screen below its figure: every hypothesis on a scoreboard, and how to cite the study."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.findings.tally import OUTCOMES, ROLES
from seedlock.analysis.report.sections.hypotheses import HypothesisView
from seedlock.analysis.report.text.pieces import Line, Number, shows_hidden
from seedlock.analysis.results.schema import Outcome
from seedlock.prereg.lock.gate import LockedPlan, Status

GLYPHS: dict[Outcome, str] = {
    "as predicted": "●",
    "not as predicted": "○",
    "inconclusive": "◐",
    "not testable": "–",
}
_KINDS: dict[Outcome, str] = {
    "as predicted": "as predicted",
    "not as predicted": "against",
    "inconclusive": "open",
    "not testable": "not testable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KindView:
    """The hypotheses of one role that came out one way. `count` is empty in results from before there was a tally."""

    glyph: str
    words: str
    count: Line
    hypotheses: tuple[HypothesisView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    """One role's row of the scoreboard."""

    role: str
    kinds: tuple[KindView, ...]


def scoreboard_views(results: Mapping[str, Any], hypotheses: Sequence[HypothesisView]) -> tuple[ScoreView, ...]:
    """Every hypothesis in one place: by role, then by how it came out."""
    at = {(t["role"], t["outcome"]): f"/answer/tally/{i}/n" for i, t in enumerate(results["answer"]["tally"])}
    rows = []
    for role in ROLES:
        kinds = []
        for kind in OUTCOMES:
            some = tuple(h for h in hypotheses if h.raw["role"] == role and h.outcome == kind)
            if some:
                ref = at.get((role, kind))
                count: Line = (Number(ref, "integer"), " ") if ref else ()
                kinds.append(
                    KindView(
                        glyph=GLYPHS[kind], words=kind_words(kind, results["status"]), count=count, hypotheses=some
                    )
                )
        if kinds:
            rows.append(ScoreView(role=role_words(role, results["status"]), kinds=tuple(kinds)))
    return tuple(rows)


def role_words(role: str, status: Status) -> str:
    """The role as the row is headed: a study that confirms nothing has main hypotheses, no confirmatory ones."""
    return "Main" if role == "confirmatory" and status in {"retrospective", "exploratory"} else role.capitalize()


def kind_words(kind: Outcome, status: Status) -> str:
    """The scoreboard's word: where the data were there before the plan, nothing was predicted."""
    if kind == "as predicted" and status not in {"confirmatory", "deviated"}:
        return "consistent with the claim"
    return _KINDS[kind]


def citation(results: Mapping[str, Any], locked: LockedPlan) -> str:
    """A BibTeX entry that names the lock."""
    key = re.sub(r"[^A-Za-z0-9_]+", "_", locked.paths.name)
    title = re.sub(r"[{}\\]", "", " ".join(shows_hidden(results["title"]).split()))
    return "\n".join(
        [
            f"@misc{{{key},",
            f"  title = {{{{{title}}}}},",
            f"  year  = {{{locked.locks[0].created_asserted[:4]}}},",
            f"  note  = {{Seedlock study {locked.paths.name}, {results['status']}, lock {results['lock_id']}}},",
            "}",
        ]
    )
