"""The registry: every study of a repository, and what became of it; a lock that never led to a report is in it too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths, list_studies, list_syntheses
from seedlock.prereg.base.reading import is_regular, sha256_regular
from seedlock.prereg.english import counted
from seedlock.prereg.errors import SeedlockError
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.gate import deviations
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.state import StudyState, read_state
from seedlock.prereg.lock.synthesis import recorded
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.synthesis import read_synthesis
from seedlock.prereg.verify.history import studies_in_history
from seedlock.prereg.verify.withdraw import withdrawn_because
from seedlock.prereg.workflow.status import standing

type State = Literal["reported", "running", "locked", "withdrawn", "removed", "unreadable", "planned"]
STATES: dict[State, str] = {
    "reported": "Reported",
    "running": "Running",
    "locked": "Locked, nothing begun",
    "withdrawn": "Withdrawn",
    "removed": "Removed: in git history alone",
    "unreadable": "Unreadable",
    "planned": "Planned, not locked",
}
_BEGUN = {"run.started", "run.finished", "run.failed", "data.sealed", "look.opened"}
_LOCKS = {"plan.locked", "plan.amended"}
_MARKS = re.compile(r"([\\`*_\[\]<>|#~&])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One study.

    Parameters
    ----------
    status
        What its report may call itself: confirmatory, deviated, retrospective, exploratory; empty before a lock.
    locked, last, reported
        Dates by the author's clock: of the first lock, the ledger's newest line, the newest report.
    amendments, deviations
        How often the plan was changed under a new lock, and departed from without one.
    runs
        Runs with data, of those planned.
    report
        Path of the report from the repository's root; None where there is none.
    says
        Why it was withdrawn, or cannot be read.
    """

    study: str
    title: str
    state: State
    status: str = ""
    lock_id: str | None = None
    locked: str | None = None
    last: str | None = None
    reported: str | None = None
    amendments: int = 0
    deviations: int = 0
    runs: tuple[int, int] | None = None
    report: str | None = None
    says: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def registry(root: Path) -> list[Entry]:
    """Every study of the repository at `root`, by state and then by name; nothing is raised for one that is broken."""
    names = sorted({*list_studies(root), *studies_in_history(root)})
    order = list(STATES)
    entries = [entry_of(StudyPaths(root=root, name=name)) for name in names]
    entries += [synthesis_entry(SynthesisPaths(root=root, name=name)) for name in list_syntheses(root)]
    return sorted(entries, key=lambda entry: (order.index(entry.state), entry.study))


def entry_of(paths: StudyPaths) -> Entry:
    """One study's entry."""
    try:
        state = read_state(paths)
        if state is not None:
            return _locked(paths, state)
        if is_regular(paths.plan):
            return Entry(study=paths.name, title=read_plan(paths.plan).study.title, state="planned")
    except SeedlockError as error:
        return Entry(study=paths.name, title=paths.name, state="unreadable", says=error.what)
    return Entry(study=paths.name, title=paths.name, state="removed")


def synthesis_entry(paths: SynthesisPaths) -> Entry:
    """A synthesis's entry: a promise like any other, kept or not."""
    try:
        files = lock_paths(paths)
        if not files:
            return Entry(study=paths.name, title=read_synthesis(paths.plan).synthesis.title, state="planned")
        locks, events = [read_lock(file) for file in files], read_ledger(paths.ledger)
        title = recorded(locks[-1]).synthesis.title
    except SeedlockError as error:
        return Entry(study=paths.name, title=paths.name, state="unreadable", says=error.what)
    names = {event.name for event in events}
    built = [event.at for event in events if event.name == "report.built"]
    page = paths.report / "report.html"
    return Entry(
        study=paths.name,
        title=title,
        state="withdrawn" if was_withdrawn(names) else "reported" if built else "locked",
        status="synthesis, " + ("retrospective" if locks[-1].exposure.is_retrospective else "confirmatory"),
        lock_id=sha256_regular(files[-1]),
        locked=locks[0].created_asserted[:10],
        last=events[-1].at[:10] if events else None,
        reported=built[-1][:10] if built else None,
        amendments=len(locks) - 1,
        report=paths.relative(page) if built and is_regular(page) else None,
        says=withdrawn_because(events) or "",
    )


def _locked(paths: StudyPaths, state: StudyState) -> Entry:
    stands = standing(paths)
    names = [event.name for event in state.events]
    built = [event.at for event in state.events if event.name == "report.built"]
    page = paths.report / "report.html"
    found: State = "running" if _BEGUN.intersection(names) else "locked"
    if was_withdrawn(names):
        found = "withdrawn"
    elif "reported" in stands.gates:
        found = "reported"
    return Entry(
        study=paths.name,
        title=state.plan.study.title,
        state=found,
        status=stands.status,
        lock_id=next((str(e.body["lock_id"]) for e in reversed(state.events) if e.name in _LOCKS), None),
        locked=state.locks[0].created_asserted[:10],
        last=state.events[-1].at[:10],
        reported=built[-1][:10] if built else None,
        amendments=len(state.locks) - 1,
        deviations=len(deviations(state.events)),
        runs=(stands.runs_done, stands.runs_planned),
        report=paths.relative(page) if built and is_regular(page) else None,
        says=withdrawn_because(state.events) or "",
    )


def as_markdown(entries: Sequence[Entry]) -> str:
    """The registry as a page: a count of each state, and a table of each that there is."""
    counts = Counter(entry.state for entry in entries)
    said = ", ".join(
        f"{counts[state]} {words.split(':')[0].split(',')[0].lower()}"
        for state, words in STATES.items()
        if counts[state]
    )
    locked = [entry for entry in entries if entry.locked is not None]
    silent = sum(entry.report is None for entry in locked)
    lines = [
        "# Registry",
        "",
        f"Every study of this repository: {counted(len(entries), 'study', 'studies')}{f', {said}' if said else ''}. "
        f"Of {len(locked)} that were locked, {silent} {'has' if silent == 1 else 'have'} no report here. Dates are "
        "those that the author's clock asserted; `seedlock verify` says what holds them up.",
    ]
    for state, words in STATES.items():
        some = [entry for entry in entries if entry.state == state]
        if some:
            lines += ["", f"## {words}", "", *_table(some)]
    return "\n".join(lines) + "\n"


def _table(entries: Iterable[Entry]) -> list[str]:
    head = "| Study | Status | Locked | Last entry | Runs | Changes | Lock |"
    return [head, "|---|---|---|---|---|---|---|", *map(_row, entries)]


def _row(entry: Entry) -> str:
    name = f"[{_plain(entry.title)}]({entry.report})" if entry.report else _plain(entry.title)
    changes = [counted(n, word) for n, word in ((entry.amendments, "amendment"), (entry.deviations, "deviation")) if n]
    cells = [
        f"{name}<br>`{entry.study}`" + (f"<br>{_plain(entry.says)}" if entry.says else ""),
        entry.status,
        entry.locked or "",
        entry.last or "",
        f"{entry.runs[0]} of {entry.runs[1]}" if entry.runs else "",
        ", ".join(changes),
        f"`{entry.lock_id[:16]}`" if entry.lock_id else "",
    ]
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
