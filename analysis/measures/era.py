"""Whether an answer belongs to another era: by its words, or by a judge's label."""

from __future__ import annotations

from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError, model_validator

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, refuse_unlisted, scored, why_missing
from seedlock.analysis.measures.base.word_counts import Word, count_words

_WORDS = TypeAdapter(tuple[Word, ...])


class Era(Params):
    """Settings.

    Parameters
    ----------
    of
        "label": `old`, `modern` and `between` are labels of a judge. "text": `old` and `modern` are words and phrases.
    old, modern, between
        What scores 1, what scores 0, and labels that are neither.
    borderline
        What a label of `between`, or a text with as many old words as modern ones (none of either, too), counts as.
    """

    of: Literal["label", "text"] = "label"
    old: tuple[str, ...] = ("19",)
    modern: tuple[str, ...] = ("LLM",)
    between: tuple[str, ...] = ()
    borderline: Literal["modern", "old", "missing"] = "modern"

    @model_validator(mode="after")
    def _lists_make_sense(self) -> Self:
        listed = [*self.old, *self.modern, *self.between]
        if not self.old or not self.modern or len({word.lower() for word in listed}) != len(listed):
            raise ValueError("old and modern need at least one entry each, and nothing is listed twice")
        if self.of == "text":
            if not {"old", "modern"} <= self.model_fields_set or self.between:
                raise ValueError('of = "text" needs the words of old and modern, and no between')
            try:
                _WORDS.validate_python((*self.old, *self.modern))
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self


def score(rows: pa.Table, params: Era) -> Scored:
    """Score 1 for the old era, 0 for the modern one, and the borderline as the plan says.

    Parameters
    ----------
    rows
        Completions, or completions with a judge's labels; `text` or `label`, and `status`, are read.

    Raises
    ------
    BadInput
        A judge's label that the plan does not list.
    """
    missing = why_missing(rows, params.of)
    is_between = neither(rows, params)
    if params.of == "text":
        is_old = pc.greater(_lead(rows, params), 0)
    else:
        label = flat(rows["label"])
        is_old = pc.is_in(label, pa.array(params.old, pa.string()))
        known = (*params.old, *params.modern, *params.between)
        refuse_unlisted(label.filter(pc.is_null(missing)), known)
    if params.borderline == "missing":
        undecided = pc.and_(pc.is_null(missing), pc.fill_null(is_between, False))
        missing = pc.if_else(undecided, pa.scalar("borderline"), missing)
    elif params.borderline == "old":
        is_old = pc.or_(is_old, is_between)
    return scored(is_old.cast(pa.int8()), missing)


def neither(rows: pa.Table, params: Era) -> pa.Array:
    """Answers of neither era: a label of `between`, or as many old words as modern ones."""
    if params.of == "text":
        return pc.fill_null(pc.equal(_lead(rows, params), 0), False)
    return pc.is_in(flat(rows["label"]), pa.array(params.between, pa.string()))


def _lead(rows: pa.Table, params: Era) -> pa.Array:
    """By how many words the old era leads."""
    text = flat(rows["text"])
    return pc.subtract(count_words(text, params.old), count_words(text, params.modern))


MEASURE = Measure(
    params=Era,
    score=score,
    unit="proportion of answers of the old era",
    is_proportion=True,
    higher_means="more answers are as of the old era",
    reads=("answer",),
    neither=neither,
)
