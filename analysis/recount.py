"""D5 of `verify`: the rows of sealed files, counted again."""

from __future__ import annotations

from seedlock.analysis.row_counts import miscounted
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import found_at
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.verify.checks import Check, not_checked, verdict


def recount_check(paths: StudyPaths) -> Check:
    """D5: count the rows of every sealed file, and those of every run where its seal says how many there are."""
    what = "sealed files have as many rows of every run as in the ledger"
    sealed = [event for event in read_ledger(paths.ledger) if event.name == "data.sealed"]
    here = [
        (event, place)
        for event in sealed
        for place in paths.seal_places(str(event.body["file"]))
        if found_at(place) == f"sha256 {event.body['sha256']}"
    ]
    if not here:  # nothing sealed, or other bytes, which D1 says
        return not_checked("D5", "data", what, "no sealed file has the promised bytes")
    return verdict("D5", "data", what, [f for event, place in here for f in miscounted(event, place)], exit_code=7)
