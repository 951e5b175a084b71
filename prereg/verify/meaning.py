"""P2: the plan that the lock recorded is what the plan file says; what it leaves out stands as it was at the lock."""

from __future__ import annotations

from typing import Any

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.document import Lock, load_locked_plan
from seedlock.prereg.lock.gate import differences
from seedlock.prereg.lock.lock import dump_plan
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.verify.checks import Check, not_checked, verdict

WHAT = "the plan recorded in the lock is what the plan file says"


def meaning_check(paths: StudyPaths, lock: Lock, *, is_changed: bool) -> Check:
    """Compare every key that the file sets with the record; a default that differs today is only warned of."""
    if is_changed:
        return not_checked("P2", "plan", WHAT, "the plan file was changed", "see P1")
    try:
        now, then = read_plan(paths.plan), load_locked_plan(lock)
    except BadInput as error:
        moved_on = f"{WHAT}: this version no longer reads it"
        return Check(id="P2", link="plan", state="warn", what=moved_on, findings=error.findings)
    said = now.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if changed := differences(_of_the_same_keys(said, dump_plan(then)), said):
        return verdict("P2", "plan", WHAT, _findings(changed), exit_code=3)
    if defaults := differences(dump_plan(then), dump_plan(now)):
        newer = f"{WHAT}; {len(defaults)} that it leaves to the defaults are others in this version"
        return Check(id="P2", link="plan", state="warn", what=newer, findings=tuple(_findings(defaults)))
    return verdict("P2", "plan", WHAT, (), exit_code=3)


def _of_the_same_keys(said: Any, recorded: Any) -> Any:
    """The part of the record that the file speaks of."""
    if isinstance(said, dict) and isinstance(recorded, dict):
        return {key: _of_the_same_keys(value, recorded.get(key)) for key, value in said.items()}
    if isinstance(said, list) and isinstance(recorded, list) and len(said) == len(recorded):
        return [_of_the_same_keys(one, other) for one, other in zip(said, recorded, strict=True)]
    return recorded


def _findings(changes: list[tuple[str, str, str]]) -> list[Finding]:
    return [
        Finding(where=f"plan: {where}", found=f"now {now}", promised=f"locked {then}") for where, then, now in changes
    ]
