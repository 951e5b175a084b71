"""What a verification says: one line a promise, with a permanent id, and the exit code of the first that broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from seedlock.prereg.errors import Finding, SeedlockError
from seedlock.prereg.printable import printable

type State = Literal["pass", "fail", "warn", "not checked"]

LEVELS = (
    "T0 self-consistent",
    "T1 signed",
    "T2 in published git history",
    "T3 timestamped: not after",
    "T4 two-sided: also not before",
    "T5 replayed by a third party",
)


SHOWN = 12
"""Findings of one failed check that a terminal shows."""
SHOWN_OF_A_WARNING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise and what was found of it.

    Parameters
    ----------
    id
        Permanent, so that a reviewer can cite it.
    link
        Which link of the chain: lock, plan, files, code, ledger, data, runs, results, report, evidence, replay.
    exit_code
        What `verify` exits with when this is the first that fails, or the first on which everything rests and that
        nothing here can confirm; 0 otherwise.
    """

    id: str
    link: str
    state: State
    what: str
    findings: tuple[Finding, ...] = ()
    exit_code: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", printable(self.what))

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "id": self.id,
            "link": self.link,
            "state": self.state,
            "what": self.what,
            "exit_code": self.exit_code,
            "findings": [{"where": f.where, "found": f.found, "promised": f.promised} for f in self.findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Everything `verify` found for one study, in chain order.

    Parameters
    ----------
    facts
        What signatures, published branches, stamps, beacons and replays show, each by itself.
    level
        The highest evidence level reached with every level below it; None when T0 fails.
    cannot_know
        What no local tool can tell.
    """

    study: str
    lock_id: str | None
    status: str | None
    checks: tuple[Check, ...]
    level: int | None
    facts: tuple[str, ...]
    cannot_know: tuple[str, ...]

    @property
    def first_failure(self) -> Check | None:
        """The first link that does not hold; without one, the first that had to be checked and cannot be."""
        wanting = [check for check in self.checks if check.exit_code]
        return next((check for check in wanting if check.state == "fail"), next(iter(wanting), None))

    @property
    def exit_code(self) -> int:
        """0, or the exit code of the first link that does not hold."""
        failure = self.first_failure
        return failure.exit_code if failure else 0

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "study": self.study,
            "lock_id": self.lock_id,
            "status": self.status,
            "ok": self.exit_code == 0,
            "exit_code": self.exit_code,
            "level": None if self.level is None else LEVELS[self.level],
            "facts": list(self.facts),
            "checks": [check.as_json() for check in self.checks],
            "cannot_know": list(self.cannot_know),
        }


def verdict(id: str, link: str, what: str, faults: Iterable[Finding], *, exit_code: int) -> Check:
    """A check that passes when there is no fault."""
    found = tuple(faults)
    state: State = "fail" if found else "pass"
    return Check(id=id, link=link, state=state, what=what, findings=found, exit_code=exit_code if found else 0)


def not_checked(id: str, link: str, what: str, reason: str, then: str = "") -> Check:
    """A promise that was not looked at, and why. Never a pass."""
    finding = Finding(where=link, found=reason, promised=then or "nothing more to do")
    return Check(id=id, link=link, state="not checked", what=what, findings=(finding,))


def failed(id: str, link: str, error: SeedlockError) -> Check:
    """A check that fails with an error's own findings."""
    findings = error.findings or (Finding(where=link, found=error.what, promised="it holds"),)
    return Check(id=id, link=link, state="fail", what=error.what, findings=findings, exit_code=error.exit_code)


def lines(checks: Iterable[Check]) -> Iterator[str]:
    """One line a check; what was found and promised below where one failed or warns."""
    marks = {"pass": "ok  ", "fail": "FAIL", "warn": "warn", "not checked": "--  "}
    for check in checks:
        line = f"{marks[check.state]}  {check.id}  {check.what}"
        if check.state == "not checked":
            yield f"{line}: not checked, {check.findings[0].found}  ({check.findings[0].promised})"
            continue
        yield line
        shown = SHOWN if check.state == "fail" else SHOWN_OF_A_WARNING
        for finding in check.findings[:shown]:
            yield f"            {finding.where}"
            yield f"                found     {finding.found}"
            yield f"                promised  {finding.promised}"
        if len(check.findings) > shown:
            yield f"            and {len(check.findings) - shown} more  (--json lists all)"


def tally(checks: Iterable[Check]) -> str:
    """How many promises hold, and how many of the others do not hold, are warned of or were not looked at.

    A page that was not built again comes first: all else that holds does not make it the page of its results.
    """
    checks = tuple(checks)
    states = Counter(check.state for check in checks)
    words: dict[State, str] = {
        "pass": "hold",
        "fail": "do not hold",
        "warn": "with a warning",
        "not checked": "not checked",
    }
    counted = ", ".join(f"{states[state]} {said}" for state, said in words.items() if states[state])
    is_unbuilt = any((check.id, check.state) == ("R7", "not checked") for check in checks)
    return f"the page was NOT built again (R7), its prose is unchecked; {counted}" if is_unbuilt else counted
