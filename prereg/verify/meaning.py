"""P2: the plan that the lock recorded is what the plan file says; what it leaves out stands as it was at the lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.document import Lock, load_locked_plan
from seedlock.prereg.lock.gate import differences
from seedlock.prereg.lock.lock import dump_plan, is_of_this_version
from seedlock.prereg.plan.read import MAX_PLAN_BYTES, parse_toml, read_plan
from seedlock.prereg.verify.checks import Check, not_checked, verdict

WHAT = "the plan recorded in the lock is the plan file's"


def meaning_check(paths: StudyPaths, lock: Lock, *, is_changed: bool) -> Check:
    """Compare every key that the file sets with the record; a default that differs today is only warned of."""
    if is_changed:
        return not_checked("P2", "plan", WHAT, "the plan file was changed", "see P1")
    try:
        now, then = read_plan(paths.plan), load_locked_plan(lock)
    except BadInput as error:
        return _as_text(paths, lock, error)
    said = now.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if changed := differences(_of_the_same_keys(said, dump_plan(then)), said):
        return verdict("P2", "plan", WHAT, _findings(changed), exit_code=3)
    if defaults := differences(dump_plan(then), dump_plan(now)):
        newer = f"{WHAT}; {len(defaults)} that it leaves to the defaults are others in this version"
        return Check(id="P2", link="plan", state="warn", what=newer, findings=tuple(_findings(defaults)))
    return verdict("P2", "plan", WHAT, (), exit_code=3)


def _as_text(paths: StudyPaths, lock: Lock, error: BadInput) -> Check:
    """What holds of a plan that this version does not read: its keys stand in the record as the file has them."""
    if is_of_this_version(lock):
        return verdict("P2", "plan", WHAT, error.findings, exit_code=3)
    try:
        raw = parse_toml(read_regular(paths.plan, limit=MAX_PLAN_BYTES), paths.plan)
    except BadInput as unreadable:
        return verdict("P2", "plan", WHAT, unreadable.findings, exit_code=3)
    if changed := list(_other_keys(raw, lock.plan.parsed, "")):
        return verdict("P2", "plan", WHAT, changed, exit_code=3)
    moved_on = f"{WHAT}, key by key: this version no longer reads it"
    return Check(id="P2", link="plan", state="warn", what=moved_on, findings=error.findings)


def _other_keys(raw: Any, recorded: Any, where: str) -> Iterator[Finding]:
    """Keys of the file that the record lacks or has with another value; text may stand for a list or table of it."""
    if isinstance(raw, dict) and isinstance(recorded, dict):
        for key, value in raw.items():
            inside = f"{where}.{key}" if where else key
            if key in recorded:
                yield from _other_keys(value, recorded[key], inside)
            else:
                yield Finding(where=f"plan: {inside}", found="a key of the file", promised="locked without it")
    elif isinstance(raw, list) and isinstance(recorded, list) and len(raw) == len(recorded):
        for index, (one, other) in enumerate(zip(raw, recorded, strict=True)):
            yield from _other_keys(one, other, f"{where}[{index}]")
    elif isinstance(raw, str) and isinstance(recorded, list | dict):
        values = recorded if isinstance(recorded, list) else [one for one in recorded.values() if one]
        if values != [raw]:
            yield Finding(where=f"plan: {where}", found=f"now {raw!r}", promised=f"locked {recorded}"[:200])
    elif raw != recorded:
        yield Finding(where=f"plan: {where}", found=f"now {raw!r}"[:200], promised=f"locked {recorded!r}"[:200])


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
