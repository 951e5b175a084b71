"""What every finished run began from, as the ledger has it, against the base model that its lock pins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.document import Lock
from seedlock.prereg.lock.ledger import Event


def base_faults(locks: Sequence[Lock], events: Sequence[Event]) -> Iterator[Finding]:
    """Runs that say they began from another revision than the plan's.

    What is pinned is the source (a package's file, a folder, a commit), so that this holds on every machine. A run that
    ends in a merged model names that model; its stages name the base they began from.
    """
    in_force: Mapping[str, str] = {}
    n_locks = 0
    for event in events:
        if event.name in {"plan.locked", "plan.amended"}:
            in_force = _pins(locks[n_locks]) if n_locks < len(locks) else {}
            n_locks += 1
        elif event.name == "run.finished":
            promised = in_force.get(str(event.body.get("run_id")))
            found = _began_from(event.body)
            if promised is not None and found is not None and found != promised:
                where = f"ledger line {event.n}, {event.body['run_id']}"
                yield Finding(where=where, found=f"begun from {found}", promised=f"{promised} (lock)")


def _pins(lock: Lock) -> dict[str, str]:
    """Run id -> revision of its base model."""
    revisions = {model.name: model.revision for model in lock.models}
    return {run.run_id: revisions[run.model] for run in lock.runs if run.model in revisions}


def _began_from(body: Mapping[str, Any]) -> str | None:
    load = body.get("load")
    if not isinstance(load, dict) or load.get("in_workbench") is not False:
        return None
    return str(load.get("base_revision"))
