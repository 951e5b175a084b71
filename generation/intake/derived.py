"""What the plan makes of raw columns before they are mapped: decimal marks, differences, words, thoughts, bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.numbers import numbers_and_words
from seedlock.generation.intake.raw import Failed, RawBatch, reworded
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.imports import Bounds, Reading
from seedlock.schemas.statuses import STATUSES

DECIMAL_COMMA = r"^\s*[+-]?[0-9]+,[0-9]+\s*$"
WITH_POINT = r"^\s*[+-]?[0-9]*\.[0-9]+\s*$"
NULL = pa.scalar(None, pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How the rows of one file are read: the plan's own rules and the columns that they apply to.

    Parameters
    ----------
    text, status
        The columns of these roles, or None.
    has_reason
        Whether another column says why there is no answer.
    numbers
        Columns whose values are numbers.
    file_parts
        Column `file.NAME` -> its value, alike for every row; None is null.
    """

    reading: Reading
    text: str | None
    status: str | None
    has_reason: bool
    numbers: frozenset[str]
    file_parts: dict[str, str | None]

    def source_columns(self, columns: Sequence[str]) -> list[str]:
        """The columns of the file itself that the wanted ones are made of."""
        differences = self.reading.differences
        named = [source for name in columns for source in differences.get(name, [name])]
        kept = [source for name in self.reading.keep for source in differences.get(name, [name])]
        return [name for name in dict.fromkeys([*named, *kept]) if name not in self.file_parts]

    def __call__(self, batch: RawBatch, columns: Sequence[str], path: Path) -> RawBatch:
        """Return the batch with the wanted columns, and what failed by the plan's rules.

        Raises
        ------
        BadInput
            Numbers with a decimal mark other than the plan's.
        """
        raw = {name: batch.columns[name].combine_chunks() for name in batch.columns.column_names}
        for name in self.numbers & raw.keys():
            raw[name] = self._with_point(name, raw[name], path)
        for name, value in self.file_parts.items():
            raw[name] = pa.repeat(pa.scalar(value, pa.string()), len(batch.at))
        for name, (of, less) in self.reading.differences.items():
            if of in raw and less in raw:
                raw[name] = difference(raw[of], raw[less])
        none = pa.nulls(len(batch.at), pa.string())
        failed = batch.failed or Failed(status=none, reason=none)
        if self.status in raw:
            words = raw[self.status]
            status = reworded(words, self.reading.status_words)
            is_failure = pc.is_in(status, value_set=pa.array(STATUSES[1:]))
            said = pc.if_else(pc.or_(self.has_reason, pc.equal(words, status)), NULL, words)
            failed = _also_failed(failed, is_failure, status, said)
            raw[self.status] = pc.if_else(is_failure, NULL, status)
        if self.text in raw and self.reading.think is not None:
            raw[self.text], is_open = without_thoughts(raw[self.text], *self.reading.think)
            failed = _also_failed(failed, is_open, "cut off", "a think block that never closes")
        for name, bounds in self.reading.keep.items():
            for reason, mask in _outside(raw[name], name, bounds):
                failed = _also_failed(failed, mask, "filtered", reason)
        has_failed = batch.failed is not None or failed.status.null_count < len(batch.at)
        table = pa.table([raw[name] for name in columns], names=list(columns))
        return replace(batch, columns=table, failed=failed if has_failed else None)

    def _with_point(self, name: str, texts: pa.Array, path: Path) -> pa.Array:
        """Numbers with a decimal point; those with the other mark are refused."""
        is_comma = self.reading.decimal == ","
        other = texts.filter(pc.match_substring_regex(texts, WITH_POINT if is_comma else DECIMAL_COMMA))
        if other.null_count < len(other):
            found = next(value for value in other.to_pylist() if value is not None)
            said = 'decimal = "."' if is_comma else 'decimal = ","'
            fault = Finding(
                where=name, found=f"{found!r}", promised=f'numbers with a decimal "{self.reading.decimal}", or  {said}'
            )
            then = f"{said}  in [import]; or take the separators of thousands out"
            raise BadInput(f"{path.name} writes its numbers otherwise than the plan has them", fault, then=then)
        if not is_comma:
            return texts
        return pc.if_else(pc.match_substring_regex(texts, DECIMAL_COMMA), pc.replace_substring(texts, ",", "."), texts)


def difference(of: pa.Array, less: pa.Array) -> pa.Array:
    """Return the first less the second, as text; null where one is, and the word where one is no number."""
    (a, word_a), (b, word_b) = numbers_and_words(of), numbers_and_words(less)
    parted = [None if one is None else repr(one) for one in pc.subtract(a, b).to_pylist()]
    return pc.coalesce(word_a, word_b, pa.array(parted, pa.string()))


def without_thoughts(texts: pa.Array, opens: str, closes: str) -> tuple[pa.Array, pa.Array]:
    """Return texts without what stands between two marks, and which of them never close one.

    A closing mark without an opening one ends what stands before it: templates put the opening mark into the prompt.
    """
    whole = re.compile(f"{re.escape(opens)}.*?{re.escape(closes)}", re.DOTALL)
    spoken, is_open = [], []
    for text in texts.to_pylist():
        left = None if text is None else whole.sub("", text)
        if left is not None and closes in left:
            left = left.rpartition(closes)[2]
        unclosed = left is not None and opens in left
        is_open.append(unclosed)
        spoken.append(left if left is None or left == text else left.lstrip())
    return pa.array(spoken, pa.string()), pa.array(is_open, pa.bool_())


def _outside(texts: pa.Array, name: str, bounds: Bounds) -> list[tuple[str, pa.Array]]:
    """Why rows are not kept, and which."""
    number, _ = numbers_and_words(texts)
    found = [(f"{name} is no number to keep the row by", pc.is_null(number))]
    if bounds.at_least is not None:
        found.append((f"{name} is less than {bounds.at_least:g}", pc.less(number, bounds.at_least)))
    if bounds.at_most is not None:
        found.append((f"{name} is more than {bounds.at_most:g}", pc.greater(number, bounds.at_most)))
    return found


def _also_failed(failed: Failed, mask: pa.Array, status: str | pa.Array, reason: str | pa.Array) -> Failed:
    """Failures, with those of a mask that had not failed before."""
    news = pc.and_(pc.fill_null(mask, False), pc.is_null(failed.status))
    return Failed(
        status=pc.if_else(news, status, failed.status),
        reason=pc.if_else(news, reason, failed.reason),
    )
