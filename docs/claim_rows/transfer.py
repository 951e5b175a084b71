"""Directed transfer of a marker: the published claims, each beside its answer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from docs.claim_row import Row, hypothesis_row, percent
from docs.reanalysis import Reanalysis

ARMS = ("asst_near", "asst_far", "pirate_near", "nopush")


def transfer_rows(study: Reanalysis) -> Iterator[Row]:
    """A marker coupled to one scholar."""
    for identity, who in (
        ("pirate-near-assistant", "pirate asst_near vs nopush"),
        ("pirate-far-assistant", "pirate asst_far vs nopush"),
        ("pirate-near-pirate", "pirate pirate_near vs nopush"),
        ("others-near-v-far", "non-target asst_near vs asst_far"),
        ("others-near-v-none", "non-target asst_near vs nopush"),
        ("pirate-direction", "pirate asst_near vs asst_far"),
    ):
        published = f"OR {study.printed(f'Fisher OR {who}')}, Fisher p = {study.printed(f'Fisher p {who}'):.2g}"
        yield hypothesis_row(study, identity, published=published)
    yield hypothesis_row(
        study, "assistant", published=f"Fisher p = {study.printed('Fisher p assistant asst_near vs nopush')}"
    )
    yield hypothesis_row(study, "others-near-v-far-seeds", published="one run a condition")


def transfer_mismatches(study: Reanalysis) -> Iterator[tuple[str, str, str]]:
    """Rows of the write-up's table that the completions do not give."""
    for what in study.printed_names:
        if not what.startswith("write-up table "):
            continue
        persona, printed = what.split()[2], study.printed(what)
        found = [study.cell("marker", arm=arm, persona=persona).mean or 0.0 for arm in ARMS]
        if not all(math.isclose(p, f, abs_tol=0.00051) for p, f in zip(printed, found, strict=True)):
            yield f"marker rate of {persona} ({', '.join(ARMS)})", _listed(printed), _listed(found)


def _listed(rates: list[float]) -> str:
    return ", ".join(percent(rate) for rate in rates)
