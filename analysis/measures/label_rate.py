"""How often is the label one of the positive ones? Judges' verdicts, and yes/no columns recorded elsewhere."""

from __future__ import annotations

from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, refuse_unlisted, scored, why_missing


class LabelRate(Params):
    """Settings.

    Parameters
    ----------
    positive, negative
        Labels that score 1 and 0. The defaults read a recorded true/false column.
    neither
        Labels that say neither (a tie): they score 0, are counted apart by arm, and the rate stands without them too.
    missing
        Labels that are no answer; the reason reads "label X".
    match
        `item.NAME`: in place of both lists, the label that the item's own attribute names scores 1, and any other 0.
    unknown
        What a label in none of the lists does: stop the analysis, or count as missing ("unknown label").
    """

    positive: tuple[str, ...] = Field(default=("true",), min_length=1)
    negative: tuple[str, ...] = ("false",)
    neither: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    match: str | None = Field(default=None, pattern=r"^item\.[A-Za-z0-9_]+$")
    unknown: Literal["refuse", "missing"] = "refuse"

    @model_validator(mode="after")
    def _names_each_label_once(self) -> Self:
        twice = sorted({label for label in self.listed if self.listed.count(label) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        if self.match is not None and self.model_fields_set & {"positive", "negative", "neither"}:
            raise ValueError("match takes the place of positive, negative and neither")
        return self

    @property
    def listed(self) -> tuple[str, ...]:
        """Every label that the plan names."""
        return (*self.positive, *self.negative, *self.neither, *self.missing)


def score(rows: pa.Table, params: LabelRate) -> Scored:
    """Score 1 for a positive label, 0 for a negative one; labels match exactly, case included.

    Parameters
    ----------
    rows
        Completions, or completions with a judge's labels; `label` and `status` are read, and `expected` under `match`.

    Raises
    ------
    BadInput
        Labels that the plan does not list, each with its number of rows, unless `unknown` = "missing".
    """
    missing = why_missing(rows, "label")
    label = pc.if_else(pc.is_null(missing), flat(rows["label"]), pa.scalar(None, pa.string()))
    if params.match is not None:
        return _matched(rows, params, label, missing)
    is_positive = _is_among(label, params.positive)
    known = _is_among(label, params.listed)
    unknown = pc.and_(pc.is_valid(label), pc.invert(known))
    if params.unknown == "refuse":
        refuse_unlisted(label.drop_null(), params.listed)
    by_label = pc.if_else(_is_among(label, params.missing), pc.binary_join_element_wise("label", label, " "), None)
    by_rule = pc.if_else(unknown, pa.scalar("unknown label"), pa.scalar(None, pa.string()))
    return scored(is_positive.cast(pa.int8()), pc.coalesce(missing, by_label.cast(pa.string()), by_rule))


def _matched(rows: pa.Table, params: LabelRate, label: pa.Array, missing: pa.Array) -> Scored:
    """Score 1 where the label is the one that the item's attribute names; an item without it has no score."""
    expected = flat(rows["expected"])
    null = pa.scalar(None, pa.string())
    by_label = pc.if_else(_is_among(label, params.missing), pc.binary_join_element_wise("label", label, " "), null)
    no_attribute = pc.if_else(pc.is_valid(expected), null, f"no {str(params.match).removeprefix('item.')}")
    return scored(pc.equal(label, expected).cast(pa.int8()), pc.coalesce(missing, by_label, no_attribute))


def neither(rows: pa.Table, params: LabelRate) -> pa.Array:
    """Answers whose label says neither."""
    return _is_among(flat(rows["label"]), params.neither)


def _is_among(label: pa.Array, labels: tuple[str, ...]) -> pa.Array:
    """Whether each label is one of `labels`; null is none of them."""
    return pc.is_in(label, value_set=pa.array(labels, pa.string()))


MEASURE = Measure(
    params=LabelRate,
    score=score,
    unit="proportion of answers",
    is_proportion=True,
    higher_means="more answers have a positive label",
    neither=neither,
)
