"""Raw rows as completions: status, answer and reason of every row."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.match import Doubts, given
from seedlock.generation.intake.numbers import decimals, whole_numbers
from seedlock.generation.intake.raw import Failed
from seedlock.generation.intake.request import ROW_ORDER, ImportRequest
from seedlock.schemas.statuses import STATUSES

NO_ANSWER = "no answer in the source"


def completion_columns(
    request: ImportRequest, raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts
) -> dict[str, pa.Array]:
    """Return draw, text, label, value, status and reason of every row; what cannot be read is doubted."""
    said = answer_columns(request, raw, failed, doubts)
    return {"draw": draws(request, raw, doubts), **said}


def answer_columns(
    request: ImportRequest, raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts
) -> dict[str, pa.Array]:
    """Return text, label, value, status and reason of every row."""
    n_rows = len(doubts.any)
    none = pa.nulls(n_rows, pa.string())
    text, label, value = (given(request, role, raw, n_rows) for role in ("text", "label", "value"))
    text, label = none if text is None else text, none if label is None else label
    number = pa.nulls(n_rows, pa.float64()) if value is None else decimals(value, "value", doubts)
    failed = failed or Failed(status=none, reason=none)
    answered = pc.or_(pc.or_(pc.is_valid(text), pc.is_valid(label)), pc.is_valid(none if value is None else value))
    status, reason = _status(request, raw, failed, doubts, label=label, answered=answered)
    return {
        "text": text,
        "label": label,
        "value": number,
        "status": status,
        "reason": reason,
    }


def draws(request: ImportRequest, raw: Mapping[str, pa.Array], doubts: Doubts) -> pa.Array:
    """The draw of every row; null where rows are numbered later, by their order."""
    n_rows = len(doubts.any)
    if request.constants.get("draw") == ROW_ORDER:
        return pa.nulls(n_rows, pa.int64())
    told = given(request, "draw", raw, n_rows)
    doubts.add("draw is empty", pc.is_null(told))
    return whole_numbers(told, "draw", doubts)


def _status(
    request: ImportRequest,
    raw: Mapping[str, pa.Array],
    failed: Failed,
    doubts: Doubts,
    *,
    label: pa.Array,
    answered: pa.Array,
) -> tuple[pa.Array, pa.Array]:
    """Status and reason: as the format or the source says, else by the label, else by whether there is an answer."""
    n_rows = len(doubts.any)
    ok, error, null = pa.scalar("ok"), pa.scalar("error"), pa.scalar(None, pa.string())
    by_answer = pc.if_else(answered, ok, error)
    told = given(request, "status", raw, n_rows)
    if told is not None:
        known = pc.is_in(told, value_set=pa.array(STATUSES))
        doubts.add("status is none of: " + ", ".join(STATUSES), pc.and_(pc.is_valid(told), pc.invert(known)))
        doubts.add("status is ok and there is no answer", pc.and_(pc.equal(told, ok), pc.invert(answered)))
    labels = pa.array(list(request.missing_labels), pa.string())
    statuses = pa.array(list(request.missing_labels.values()), pa.string())
    by_label = statuses.take(pc.index_in(label, value_set=labels)) if len(labels) else pa.nulls(n_rows, pa.string())
    told_missing = pa.nulls(n_rows, pa.string()) if told is None else pc.if_else(pc.equal(told, ok), null, told)
    status = pc.coalesce(failed.status, told_missing, by_label, by_answer)
    said = given(request, "reason", raw, n_rows)
    said = pa.nulls(n_rows, pa.string()) if said is None else said
    labelled = pc.if_else(pc.is_valid(by_label), pc.binary_join_element_wise("label", label, " "), null)
    unanswered = pc.if_else(answered, null, pa.scalar(NO_ANSWER))
    reason = pc.coalesce(failed.reason, said, labelled, unanswered, status)
    return status, pc.if_else(pc.equal(status, ok), null, reason)
