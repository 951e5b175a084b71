"""D3: every planned run has data, and as many answers as it owes; what is more was promised by nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.document import Lock, load_locked_plan
from seedlock.prereg.lock.due_runs import due_runs, missing_runs
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.owed import owed_by_a_run
from seedlock.prereg.verify.checks import Check, verdict


def runs_check(sealed: list[Event], lock: Lock, paths: StudyPaths, look: Mapping[str, Any] | None) -> Check:
    """Compare the runs and rows that the ledger says were sealed with those that the plan promises."""
    due = len(due_runs(sealed, lock))
    called = look is None or look["goes_on"] is not False
    later = "are due at a later look" if called else "are for a look that was not called for"
    interim = "" if due == len(lock.runs) else f"; {len(lock.runs) - due} {later}"
    missing = missing_runs(sealed, lock)
    gone = [Finding(where=run, found="no row", promised="a run of the plan") for run in missing]
    short, extra = _miscounted(sealed, lock, paths)
    if extra:
        return verdict("D3", "runs", "no run has more answers than the plan promises", extra, exit_code=7)
    if gone and lock.plan.parsed["missing"]["runs"] == "refuse":
        return verdict("D3", "runs", f"every planned run has sealed data ({due} runs{interim})", gone, exit_code=6)
    if gone or short:
        told = [f"{len(gone)} planned runs never came"] if gone else []
        told += [f"{len(short)} runs have fewer answers than they owe"] if short else []
        return Check(id="D3", link="runs", state="warn", what=" and ".join(told), findings=(*gone, *short))
    return verdict("D3", "runs", f"every planned run has sealed data ({due} runs{interim})", (), exit_code=6)


def _miscounted(sealed: Sequence[Event], lock: Lock, paths: StudyPaths) -> tuple[list[Finding], list[Finding]]:
    """Runs with fewer and with more rows of completions than each owes."""
    owed = answers_owed(sealed, lock, paths)
    rows = rows_of_runs(sealed)
    unknown = sorted(rows.keys() - {run.run_id for run in lock.runs})
    extra = [Finding(where=run, found=f"{rows[run]} answers", promised="a run of the plan") for run in unknown]
    if owed is None:
        return [], extra
    wrong = [(run.run_id, rows[run.run_id]) for run in lock.runs if rows[run.run_id] not in (0, owed)]
    found = [(n, Finding(where=run, found=f"{n} answers", promised=f"{owed}")) for run, n in wrong]
    return [told for n, told in found if n < owed], [*extra, *(told for n, told in found if n > owed)]


def answers_owed(sealed: Sequence[Event], lock: Lock, paths: StudyPaths) -> int | None:
    """What a run owes, counted again from the plan; where items come with the data, from the items that were sealed."""
    owed = owed_by_a_run(load_locked_plan(lock), paths.study)
    if owed.answers is not None or owed.draws is None:
        return owed.answers
    items = [int(event.body["rows"]) for event in sealed if event.body["table"] == "items"]
    return items[-1] * owed.draws if items else None


def rows_of_runs(sealed: Sequence[Event]) -> Counter[str]:
    """Run -> sealed rows of completions, the audited ones included."""
    total: Counter[str] = Counter()
    for event in sealed:
        if event.body["table"] == "completions":
            total.update(dict(_rows(event.body)))
    return total


def _rows(body: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for part in ("runs", "audited"):
        yield from ((str(run), int(rows)) for run, rows in body.get(part, {}).items())
