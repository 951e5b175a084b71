"""Raw rows as completions: status, answer and reason of every row."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.match import Doubts, given
from seedlock.generation.intake.numbers import numbers_and_words, whole_numbers
from seedlock.generation.intake.raw import Failed
from seedlock.generation.intake.request import ANSWER_ROLES, ROW_ORDER, ImportRequest
from seedlock.schemas.statuses import NO_ANSWER, STATUSES

WORD_SHOWN = 40
NO_STATUS = f"status is none of: {', '.join(STATUSES)} (status_words maps others)"


def completion_columns(
    request: ImportRequest, raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts
) -> dict[str, pa.Array]:
    """Return draw, text, label, value, status and reason of every row; what cannot be read is doubted."""
    said = answer_columns(request, raw, failed, doubts)
    return {"draw": draws(request, raw, doubts), **said}


def answer_columns(
    request: ImportRequest, raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts
) -> dict[str, pa.Array]:
    """Return text, label, value, status and reason of every row.

    A word where a number should be, and bytes that are no text, are a missing answer with its reason. Where another of
    the three roles holds an answer the row is one, and its reason says which part is missing.
    """
    n_rows = len(doubts.any)
    none = pa.nulls(n_rows, pa.string())
    text, label, value = (_or_null(given(request, role, raw, n_rows), n_rows) for role in ANSWER_ROLES)
    number, word = numbers_and_words(value)
    parts = _Parts(
        text=text, label=label, word=word, answered=_any_valid(text, label, number), undecoded=doubts.undecoded
    )
    status, reason = _status(request, raw, failed or Failed(status=none, reason=none), doubts, parts)
    return {"text": text, "label": label, "value": number, "status": status, "reason": reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the answers of a batch hold: texts, labels, words where numbers should be, whether there is any answer."""

    text: pa.Array
    label: pa.Array
    word: pa.Array
    answered: pa.Array
    undecoded: pa.Array

    @property
    def lacking(self) -> pa.Array:
        """Which part of the answer cannot be read, and why; null where none."""
        shown = pc.utf8_slice_codeunits(self.word, 0, WORD_SHOWN)
        words = pc.binary_join_element_wise("not a number:", shown, " ")
        return pc.coalesce(words, self.undecoded)


def _or_null(texts: pa.Array | None, n_rows: int) -> pa.Array:
    return pa.nulls(n_rows, pa.string()) if texts is None else texts


def _any_valid(*columns: pa.Array) -> pa.Array:
    return functools.reduce(pc.or_, map(pc.is_valid, columns))


def draws(request: ImportRequest, raw: Mapping[str, pa.Array], doubts: Doubts) -> pa.Array:
    """The draw of every row; null where rows are numbered later, by their order."""
    n_rows = len(doubts.any)
    if request.constants.get("draw") == ROW_ORDER:
        return pa.nulls(n_rows, pa.int64())
    told = given(request, "draw", raw, n_rows)
    doubts.add("draw is empty", pc.is_null(told))
    return whole_numbers(told, "draw", doubts)


def _status(
    request: ImportRequest, raw: Mapping[str, pa.Array], failed: Failed, doubts: Doubts, parts: _Parts
) -> tuple[pa.Array, pa.Array]:
    """Status and reason: as the format or the source says, else by the label, else by whether there is an answer."""
    n_rows = len(doubts.any)
    ok, null = pa.scalar("ok"), pa.scalar(None, pa.string())
    lacking = parts.lacking
    gone = pc.if_else(pc.is_valid(lacking), pa.scalar("unparsed"), pa.scalar("error"))
    by_answer = pc.if_else(parts.answered, ok, gone)
    told = given(request, "status", raw, n_rows)
    if told is not None:
        known = pc.is_in(told, value_set=pa.array(STATUSES))
        doubts.add(NO_STATUS, pc.and_(pc.is_valid(told), pc.invert(known)))
        nothing = pc.and_(pc.invert(parts.answered), pc.is_null(lacking))
        doubts.add("status is ok and there is no answer", pc.and_(pc.equal(told, ok), nothing))
    said_so, by_label = _by_label(request, parts)
    told_missing = _or_null(None, n_rows) if told is None else pc.if_else(pc.equal(told, ok), null, told)
    status = pc.coalesce(failed.status, told_missing, by_label, by_answer)
    said = _or_null(given(request, "reason", raw, n_rows), n_rows)
    unanswered = pc.if_else(parts.answered, null, pa.scalar(NO_ANSWER))
    reason = pc.coalesce(failed.reason, said, said_so, lacking, unanswered, status)
    return status, pc.if_else(pc.equal(status, ok), lacking, reason)


def _by_label(request: ImportRequest, parts: _Parts) -> tuple[pa.Array, pa.Array]:
    """Reason and status of rows whose label, word in place of a number, or whole text the plan calls missing."""
    labels = pa.array(list(request.missing_labels), pa.string())
    statuses = pa.array(list(request.missing_labels.values()), pa.string())
    null = pa.scalar(None, pa.string())
    mapped = [pc.if_else(pc.is_in(one, value_set=labels), one, null) for one in (parts.label, parts.word, parts.text)]
    said = pc.coalesce(*mapped)
    kind = pc.if_else(pc.is_valid(pc.coalesce(*mapped[:2])), pa.scalar("label"), pa.scalar("text"))
    return pc.binary_join_element_wise(kind, said, " "), statuses.take(pc.index_in(said, value_set=labels))
