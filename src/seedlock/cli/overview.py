"""Many studies at a glance: a line each, those that need somebody first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seedlock.prereg.workflow.status import Standing

MANY = 12
"""Studies of which each is shown whole; more are shown in a line each."""


def overview(rows: Sequence[Standing], facts: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of what is under way, what is not locked and what is reported.

    Parameters
    ----------
    facts
        What stands against each study, in the order of `rows`.
    """
    ended = [(row, said) for row, said in zip(rows, facts, strict=True) if _has_ended(row)]
    not_locked = [row for row in rows if "locked" not in row.gates]
    under_way = [row for row in rows if "locked" in row.gates and not _has_ended(row)]
    width = max(len(row.study) for row in rows)
    if under_way:
        yield f"under way ({len(under_way)})"
    for row in under_way:
        failed = f", {row.runs_failed} failed" if row.runs_failed else ""
        yield f"  {row.study:{width}}  {row.runs_done} of {row.runs_planned} runs{failed}: {row.next_command}"
    if not_locked:
        yield f"not locked ({len(not_locked)})"
    yield from (f"  {row.study:{width}}  {row.next_command}" for row in not_locked)
    if ended:
        yield f"reported or withdrawn ({len(ended)})"
    for row, said in ended:
        yield f"  {row.study:{width}}  {row.status}"
        yield from (f"    fact  {fact}" for fact in said)
    yield f"seedlock status {rows[0].study}  shows one whole"


def _has_ended(row: Standing) -> bool:
    return "reported" in row.gates or row.status == "withdrawn"
