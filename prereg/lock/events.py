"""The words of the ledger: which events there are, which keys each must carry, and what a key may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from seedlock.prereg.base.json_shape import is_count, is_mapping, is_name, is_text, is_text_list

EVENTS: Mapping[str, frozenset[str]] = {
    "plan.locked": frozenset({"lock", "lock_id"}),
    "plan.amended": frozenset({"lock", "lock_id", "reason", "data_seen"}),
    "plan.withdrawn": frozenset({"reason"}),
    "fork.declared": frozenset({"head", "line", "reason"}),
    "deviation.declared": frozenset({"pointer", "before", "after", "reason", "effect", "hypotheses"}),
    "beacon.recorded": frozenset({"kind", "value"}),
    "run.started": frozenset({"run_id"}),
    "run.finished": frozenset({"run_id"}),
    "run.failed": frozenset({"run_id", "reason"}),
    "data.sealed": frozenset({"table", "file", "sha256", "rows"}),
    "audit.judged": frozenset({"lock_id", "passed", "measures", "data"}),
    "look.opened": frozenset({"lock_id", "data"}),
    "look.ended": frozenset({"line", "how"}),
    "report.built": frozenset({"lock_id", "manifest_sha256", "results_sha256"}),
    "signature.added": frozenset({"file", "sha256"}),
    "timestamp.added": frozenset({"file", "sha256"}),
}
"""Known events and the keys each must carry. An unknown event fails closed."""


def _is_look(value: Any) -> bool:
    return is_mapping(value) and is_count(value.get("seeds")) and value.get("goes_on") in (True, False, None)


def _are_sources(value: Any) -> bool:
    return isinstance(value, list) and all(
        is_mapping(one) and is_text(one.get("sha256")) and is_count(one.get("bytes", 0)) for one in value
    )


_HOLDS: Mapping[str, Callable[[Any], bool]] = {
    "lock": is_name,
    "file": is_name,
    "rows": is_count,
    "line": is_count,
    "due": is_count,
    "hypotheses": is_text_list,
    "sources": _are_sources,
    "held": lambda value: is_mapping(value) and all(is_count(n) for n in value.values()),
    "looks": is_text_list,
    "stages": lambda value: isinstance(value, list),
    "runs": is_mapping,
    "judging": is_mapping,
    "outcomes": is_mapping,
    "quarantined": is_mapping,
    "look": _is_look,
    "tool": is_mapping,
    **dict.fromkeys(
        (
            *("lock_id", "sha256", "manifest_sha256", "results_sha256", "head", "run_id", "table", "judge"),
            *("reason", "data_seen", "pointer", "effect", "kind", "value", "how"),
        ),
        is_text,
    ),
}
"""What a key holds wherever it stands; other keys may hold anything."""


def is_moment(value: Any) -> bool:
    """A time with its zone, ISO 8601."""
    try:
        return is_text(value) and len(value) <= 40 and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def body_faults(body: Mapping[str, Any]) -> Iterator[str]:
    """Keys of one event that are not there, or hold something else than they may."""
    yield from (f"no {key}" for key in sorted(EVENTS[str(body["event"])] - body.keys()))
    yield from (
        f"{key} {str(body[key])[:80]!r}" for key in sorted(_HOLDS.keys() & body.keys()) if not _HOLDS[key](body[key])
    )
    if not is_moment(body.get("at")):
        yield f"at {str(body.get('at'))[:80]!r}"


def was_withdrawn(names: Iterable[str]) -> bool:
    """Whether the registration was ended by its author."""
    return "plan.withdrawn" in names
