"""Yield: of what an instruct model was asked for, how much could be used, and did every cell fill up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from seedlock.training.checks.result import CheckInput, CheckResult, Offender, counted
from seedlock.training.rows.row import Row

LIMITS = {"yield": 0.75, "missing_rows": 0.0}


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Usable share of the texts an instruct model wrote; nothing to say of templates."""
    corpus = given.corpus
    if corpus.settings.by != "instruct" or corpus.recipe.asks is None:
        return []
    rejected = dict(corpus.provenance.get("rejected", {}))
    asked = int(corpus.provenance.get("asked", 0))
    usable = len(corpus.rows) + int(rejected.pop("surplus", 0))
    wanted = Counter(map(_cell, (ask.row for ask in corpus.recipe.prompts(corpus.settings, corpus.folder))))
    found = Counter(map(_cell, corpus.rows))
    missing = [
        Offender(where="/".join(filter(None, cell)), text=f"{found[cell]} of {n} rows")
        for cell, n in wanted.items()
        if found[cell] < n
    ]
    share = CheckResult(
        check="enough",
        what="usable share of the texts that were generated",
        number=usable / asked if asked else None,
        limit=given.limit("yield", LIMITS["yield"]),
        must_be="at least",
        offenders=tuple(Offender(where=reason, text=f"{n} texts") for reason, n in sorted(rejected.items())),
        n_offenders=sum(rejected.values()),
        note="" if asked else "no provenance beside the corpus",
    )
    return [share, counted(given, "enough", "cells with fewer rows than planned", missing)]


def _cell(row: Row) -> tuple[str, str, str]:
    head = row.messages[0]
    return row.variant, row.role, head.content if head.role == "system" else ""
