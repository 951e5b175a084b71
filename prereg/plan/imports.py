"""Tables of a plan that say how rows made elsewhere map to ours."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seedlock.prereg.plan.runs import Table


class Asked(Table):
    """`[import.requests]`: what was asked, where the answers of a batch carry only an id.

    Answers are matched by id, in whatever order they came: `key` names its column here, `answer_key` among the
    answers. The map names columns of this file as `request.NAME`. A request that no file of answers mentions is a
    row that failed.
    """

    file: str
    format: str = "csv"
    key: str = "custom_id"
    answer_key: str = "custom_id"


class Mapped(Table):
    """What imports of completions, counts and judgements say alike."""

    format: str
    file: str | None = None
    columns: dict[str, str | list[str]]
    constants: dict[str, str] = Field(default_factory=dict)
    only: dict[str, list[str]] = Field(default_factory=dict)
    missing_labels: dict[str, str] = Field(default_factory=dict)
    requests: Asked | None = None
    source: str = ""


class Import(Mapped):
    """`[import]`: how the columns of a file made elsewhere map to ours.

    `columns` names the column of each role: arm, seed, item, draw, text, label, value; or k and n, or mean,
    where the rows are counts. `constants` gives the roles that no column holds. `cut_off` says whether answers
    that the source calls cut off are kept; without it, `decoding.cut_off` does, and without that they are missing.
    A run owes every item that any run has a row of; with `items_by`, any run alike in these factors (`["arm"]`, say,
    where each arm is asked questions of its own).
    """

    attributes: list[str] = Field(default_factory=list)
    items_by: list[str] = Field(default_factory=list)
    cut_off: Literal["keep", "missing"] | None = None


class Judged(Mapped):
    """`[judgements.NAME]`: what a judge elsewhere said of this study's completions; NAME is the judge's.

    Each row names its completion by `request` (its request id), or by run, item and draw as in `[import]`, and
    gives a `label` or a `value`.
    """
