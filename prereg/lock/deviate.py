"""Record a departure from the plan without changing the lock: what, why, and whom it touches."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.base.json_pointer import replaced, resolve
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.gate import LockedPlan, deviated_plan
from seedlock.prereg.lock.ledger import Event, append_event
from seedlock.prereg.plan.plan import Plan


def declare_deviation(
    locked: LockedPlan,
    *,
    pointer: str,
    after: Any,
    reason: str,
    effect: str,
    hypotheses: Sequence[str],
    require: Callable[[Plan], None] = lambda _: None,
    now: datetime | None = None,
) -> Event:
    """Append `deviation.declared`; the report then shows each affected result as planned and as deviated.

    Parameters
    ----------
    pointer
        JSON pointer into the parsed plan, `/missing/runs` say; a key may be one that the plan left out.
    after
        What was done instead, in the plan's own form.
    effect
        How the departure changes the severity of the test, in the author's words.
    hypotheses
        Ids it touches, `H1` or `H1[level]`.
    require
        Refuses a plan that no method can carry out.

    Raises
    ------
    BadInput
        The pointer leads nowhere, the value is what the plan says already, the result is no plan, or an id is unknown.
    """
    planned: Any = (deviated_plan(locked) or locked.plan).model_dump(mode="json", by_alias=True)
    faults = _faults(locked, planned, pointer=pointer, after=after, reason=reason, hypotheses=hypotheses)
    if faults:
        raise BadInput(
            "this deviation cannot be recorded",
            *faults,
            then=f"seedlock deviate {locked.paths.name} --help  shows an example",
        )
    require(Plan.model_validate_json(canonical_json(replaced(planned, pointer, after))))
    body = {
        "pointer": pointer,
        "before": _at(planned, pointer),
        "after": after,
        "reason": reason,
        "effect": effect,
        "hypotheses": list(hypotheses),
        "lock_id": locked.lock_id,
    }
    return append_event(locked.paths.ledger, "deviation.declared", body, now=now)


def _faults(
    locked: LockedPlan, planned: Any, *, pointer: str, after: Any, reason: str, hypotheses: Sequence[str]
) -> list[Finding]:
    faults = []
    if not reason.strip():
        faults.append(Finding(where="--reason", found="nothing", promised="why the plan was departed from"))
    known = {full for full, _, _ in locked.plan.expanded()} | {h.id for h in locked.plan.hypothesis}
    for name in hypotheses:
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=1) or sorted(known)
            faults.append(Finding(where="--hypothesis", found=name, promised=f"one of: {', '.join(close)}"))
    try:
        if _at(planned, pointer) == after:
            faults.append(Finding(where=pointer, found=str(after), promised="something other than in the plan"))
        Plan.model_validate_json(canonical_json(replaced(planned, pointer, after)))
    except KeyError as error:
        faults.append(Finding(where=pointer, found=str(error.args[0]), promised="a place in the parsed plan"))
    except ValidationError as error:
        faults += [Finding(where=pointer, found=str(e["input"])[:80], promised=e["msg"]) for e in error.errors()]
    return faults


def _at(planned: Any, pointer: str) -> Any:
    """What the plan says there; None where it says nothing."""
    try:
        return resolve(planned, pointer)
    except KeyError:
        return None
