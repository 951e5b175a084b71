"""Format and refusals: no empty turn, no chat token or unfilled slot, no refusal in an answer."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.training.checks.result import CheckInput, CheckResult, Offender, counted
from seedlock.training.rows.row import Row
from seedlock.training.rows.text_checks import leftover_in, refusal_in

LIMITS = {"format_rows": 0.0, "refusal_rows": 0.0}


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Count rows that are not clean chats, and rows that refuse."""
    rows = given.corpus.rows
    broken = [Offender(where=row.id, text=fault) for row in rows if (fault := _fault(row)) is not None]
    refused = [Offender(where=row.id, text=words) for row in rows if (words := refusal_in(row.answer)) is not None]
    return [
        counted(given, "format", "rows that are not clean chats", broken, limit="format_rows"),
        counted(given, "format", "rows that refuse", refused, limit="refusal_rows"),
    ]


def _fault(row: Row) -> str | None:
    turns = [message.role for message in row.messages if message.role != "system"]
    if turns != ["user", "assistant"] * (len(turns) // 2):
        return f"turns {' '.join(turns)}"
    for message in row.messages:
        if not message.content.strip():
            return f"an empty {message.role} turn"
        if (leftover := leftover_in(message.content)) is not None:
            return leftover
    return None
