"""Tables of a plan that say how rows made elsewhere map to ours."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.runs import Table


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError("an encoding that Python knows: utf-8, utf-16, cp1252, latin-1, shift_jis, ...") from None
    return name


class Bounds(Table):
    """`[import.keep]`: the values of one column with which a row still counts as an answer, ends included."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least, at_most, or both")
        return self


class Reading(Table):
    """How rows are read before columns are mapped: what text files leave open, and columns that no file holds.

    Parameters
    ----------
    delimiter, decimal, encoding
        Of CSV; the decimal mark of numbers that arrive as text; of any text file.
    rows_at
        Dotted path to the list of rows in a JSON document; the document itself is the list otherwise.
    file_pattern
        The end of each file's path, `{NAME}` for what differs: "{arm}/seed-{seed}.jsonl" gives columns `file.arm`
        and `file.seed`.
    file_constants
        The end of a file's path -> NAME -> value, where names say nothing; columns `file.NAME` too.
    differences
        New column -> the column, and the one that is taken from it.
    keep
        Column -> bounds; an answer outside of them is a missing one ("filtered"), counted by arm and bounded.
    status_words
        The source's own words in the `status` column -> ours (`stop = "ok"`).
    levels
        Of model, arm or seed: the source's own word -> the plan's name (`arm = { "meta-llama/Llama-3-8B" = "base" }`).
    think
        Two marks: what stands between them is cut from a text before anything is measured.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    rows_at: str | None = None
    file_pattern: str | None = None
    file_constants: dict[str, dict[str, str]] = Field(default_factory=dict)
    differences: dict[str, Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(default_factory=dict)
    keep: dict[str, Bounds] = Field(default_factory=dict)
    status_words: dict[str, str] = Field(default_factory=dict)
    levels: dict[Literal["model", "arm", "seed"], dict[str, str]] = Field(default_factory=dict)
    think: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2, max_length=2)] | None = None


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


class Mapped(Reading):
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
    gives a `label` or a `value`. `gold` has a part of them checked.
    """

    gold: Gold | None = None
