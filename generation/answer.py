"""What comes back for a request: an answer, a score, or the reason there is neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from generation.request import Request
from schemas import TABLES
from schemas.statuses import Status

Finish = Literal["stop", "length", "scored", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's outcome: exactly one row of `completions` and one of `requests`."""

    request: Request
    finish: Finish
    new_tokens: int = 0
    text: str | None = None
    label: str | None = None
    value: float | None = None
    option_mass: float | None = None
    status: Status = "ok"
    reason: str | None = None


def failed(request: Request, reason: str) -> Answer:
    """Give a request that cannot be answered its row."""
    return Answer(request=request, finish="failed", status="error", reason=reason)


def tables_of(answers: Sequence[Answer]) -> dict[str, pa.Table]:
    """Answers as rows of the tables they fill."""
    completions, requests = [], []
    for answer in answers:
        request = answer.request
        named = {
            "request_id": request.request_id,
            "run_id": request.run_id,
            "item_id": request.prompt.item_id,
            "draw": request.draw,
        }
        completions.append(
            {
                **named,
                "text": answer.text,
                "label": answer.label,
                "value": answer.value,
                "status": answer.status,
                "reason": answer.reason,
            }
        )
        requests.append(
            {
                **named,
                "seed": request.seed,
                "prompt_sha256": request.prompt.sha256,
                "prompt_tokens": len(request.prompt.tokens),
                "new_tokens": answer.new_tokens,
                "finish": answer.finish,
                "option_mass": answer.option_mass,
            }
        )
    rows = {"completions": completions, "requests": requests}
    return {name: pa.Table.from_pylist(found, schema=TABLES[name].arrow()) for name, found in rows.items()}
