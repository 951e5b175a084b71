"""The proposed plan as the text of a `plan.toml`: each line with why it says so, and what only its author can say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seedlock.generation.intake.request import ROW_ORDER
from seedlock.generation.proposal.columns import Column, Format
from seedlock.generation.proposal.grid import MODEL, Grid
from seedlock.generation.proposal.roles import Guessed, Roles
from seedlock.prereg.english import counted
from seedlock.prereg.plan.json_schema import LINE
from seedlock.prereg.plan.plan import BASELINE_ARM

type Prediction = Literal["more", "alike", "less"]

STATUS_WORDS: Mapping[str, str] = {
    "ok": "ok", "stop": "ok", "eos": "ok", "end_turn": "ok", "eos_token": "ok", "success": "ok", "completed": "ok",
    "length": "cut off", "max_tokens": "cut off", "content_filter": "refusal", "refusal": "refusal", "error": "error",
    "expired": "expired", "canceled": "canceled", "cancelled": "canceled",
}  # fmt: skip
SCALES = ((0, 1), (-1, 1), (1, 5), (1, 7), (0, 10), (1, 10), (0, 100))
"""Ranges that a number's own values may lie in; the narrowest that holds them is proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Everything that the text of a proposed plan is made of.

    `smallest` and `predicted` are None where nobody said; then a placeholder stands in the plan, and is named.
    """

    study: str
    files: tuple[str, ...]
    format: Format
    columns: Mapping[str, Column]
    roles: Roles
    grid: Grid
    pattern: str | None
    smallest: float | None
    predicted: Prediction | None
    is_copied: bool

    @property
    def scale(self) -> tuple[float, float] | None:
        """The ends of the measure, where it has any: 0 and 1 for a rate."""
        if self.roles.answer_kind != "value":
            return (0, 1)
        seen = self.columns[self.roles.columns["answer"]]
        held = [(low, high) for low, high in SCALES if low <= seen.low and seen.high <= high]
        return min(held, key=lambda ends: ends[1] - ends[0], default=None)

    @property
    def effect(self) -> float:
        """The smallest effect that matters, or a placeholder: five points of a rate, a twentieth of a scale."""
        if self.smallest is not None:
            return self.smallest
        seen = self.columns[self.roles.columns["answer"]]
        low, high = self.scale or (seen.low, seen.high)
        return _one_digit((high - low) / 20)

    @property
    def replicates_seeds(self) -> bool:
        """Whether both arms have the several seeds that a claim about training needs."""
        return self.grid.seeds_an_arm > 1 and BASELINE_ARM not in {self.grid.control, self.grid.treated}

    def open_questions(self) -> Iterator[str]:
        """What the rows could not say: for the author to decide before the lock."""
        if self.smallest is None:
            yield f"the smallest effect that matters: {self.effect:g} is a placeholder (--smallest)"
        if self.predicted is None:
            yield "what you predict: 'more' is a placeholder (--predicts more | alike | less)"
        control, treated = self.grid.control, self.grid.treated
        yield f"what is compared: {treated} less {control} is a guess (--treated, --control)"
        if others := [arm for arm in self.grid.trained_arms if arm not in {control, treated}]:
            yield f"hypotheses about {', '.join(others)}: these arms are in the grid and in no hypothesis"
        if not self.replicates_seeds:
            found = "no column of seeds" if "seed" not in self.roles.columns else "one seed, or none, in an arm"
            yield f"{found}: the plan can speak of these very runs only, over items; not of fine-tuning on these data"
        else:
            yield "what runs of one seed share across arms ([grid] seeds_share): taken as nothing"
        if self.grid.holes:
            runs = counted(len(self.grid.holes), "run")
            yield f"{runs} of the full grid without a row ({', '.join(self.grid.holes[:4])}): analysed and bounded"
        if self.scale is None:
            yield "the ends of the scale (low, high): without them missing answers cannot be bounded"
        if "model" not in self.roles.columns:
            yield "the base model and its revision ([models]): no column has them"


def plan_text(made: Proposal) -> str:
    """Write the plan; every string in it is quoted, so that no value of a file is read as TOML."""
    return "\n".join(
        [
            *_head(made),
            *_models_and_grid(made),
            *_import(made),
            *_measure(made),
            *_hypotheses(made),
            *_rest(made),
        ]
    )


def _head(made: Proposal) -> Iterator[str]:
    seeds = "new" if made.replicates_seeds else "these"
    yield LINE
    shown = ", ".join(made.files[:4]) + (" ..." if len(made.files) > 4 else "")
    yield f"# Proposed from {_comment(shown)}. Yours to decide before the lock:"
    yield from (f"#   - {_comment(question)}" for question in made.open_questions())
    yield "# Rows in hand make a study retrospective; its report is marked so. To keep half honest: add seeds that"
    yield "# are not trained yet to [grid], leave `file` out of [import], lock and push; then train, sample, import."
    yield ""
    yield "[study]"
    yield f"title    = {_q(f'Does {made.grid.treated} differ from {made.grid.control}?')}"
    yield f"question = {_q(f'How do answers differ between {made.grid.treated} and {made.grid.control}?')}"
    yield 'exposure = "published" # none | pilot | published: the rows were there before this plan'
    yield ""
    yield "[inference]"
    yield f'seeds = "{seeds}"'.ljust(14) + ' # "new": training runs not made yet; "these": these very runs'
    yield 'items = "these"'.ljust(14) + ' # "new": the questions are a sample too'
    yield "alpha = 0.025".ljust(14) + " # one-sided, a band; the interval has level 95%"
    yield ""


def _models_and_grid(made: Proposal) -> Iterator[str]:
    grid = made.grid
    for word, name in grid.models.items():
        yield f"[models.{_key(name)}]"
        yield f"base     = {_q(word if 'model' in made.roles.columns else 'not stated')}"
        yield 'revision = "not stated"   # the commit or date that pins the weights, where it is known'
        yield ""
    yield "[arms]                     # what differs on purpose"
    yield from (f"{_key(arm)} = {{}}" for arm in grid.trained_arms)
    yield ""
    seeds = grid.planned
    spelled = next(iter(seeds.values())) if len({tuple(one) for one in seeds.values()}) == 1 else None
    yield "[grid]                     # every run that is promised: models x arms x seeds"
    yield f"models = {_q(list(seeds))}"
    yield f"seeds  = {spelled or '{ ' + ', '.join(f'{_key(name)} = {one}' for name, one in seeds.items()) + ' }'}"
    if grid.baseline is not None:
        yield "baseline = true            # the unmodified model, which has no seed"
    yield ""


def _import(made: Proposal) -> Iterator[str]:
    yield "[import]                   # which column is what"
    yield f'format    = "{made.format.name}"'
    if made.format.delimiter != ",":
        yield f"delimiter = {_q(made.format.delimiter)}"
    if made.format.decimal != ".":
        yield f"decimal = {_q(made.format.decimal)}"
    if made.format.rows_at:
        yield f"rows_at   = {_q(made.format.rows_at)}"
    if made.is_copied:
        yield f"file      = {_q(made.files[0])}"
    if made.pattern:
        yield f"file_pattern = {_q(made.pattern)}"
    yield from _roles(made)
    if only := _only(made):
        yield f"only      = {_inline(only)}"
    named = {"arm": made.grid.arms, "model": made.grid.models, "seed": made.grid.seeds}
    for role, words in named.items():
        renamed = {word: str(name) for word, name in words.items() if word != str(name)}
        if role in made.roles.columns and renamed:
            yield f"levels.{role} = {_inline(renamed)}"
    yield ""


def _roles(made: Proposal) -> Iterator[str]:
    """Columns and constants, and the words of a status."""
    columns, words = made.roles.columns, _status_words(made)
    run_roles: tuple[Guessed, ...] = ("model", "arm", "seed", "item", "draw")
    roles = {role: columns[role] for role in run_roles if role in columns}
    named = {str(role): column for role, column in roles.items()} | {made.roles.answer_kind: columns["answer"]}
    if words:
        named["status"] = columns["status"]
    draw = "0" if made.grid.draws == 1 else ROW_ORDER
    constants = {role: value for role, value in (("model", MODEL), ("seed", "0"), ("draw", draw)) if role not in roles}
    yield f"columns   = {_inline(named)}"
    if constants:
        yield f"constants = {_inline(constants)}"
    if constants.get("draw") == ROW_ORDER:
        yield f"# up to {made.grid.draws} answers of a run to an item: numbered as they stand in the file"
    if others := {word: ours for word, ours in words.items() if word != ours}:
        yield f"status_words = {_inline(others)}"


def _status_words(made: Proposal) -> dict[str, str]:
    """The source's words of a status column as ours; empty where one of them is not known."""
    if "status" not in made.roles.columns:
        return {}
    met = made.columns[made.roles.columns["status"]].levels
    return {word: STATUS_WORDS[word] for word in met} if met.keys() <= STATUS_WORDS.keys() else {}


def _only(made: Proposal) -> dict[str, list[str]]:
    """lm-eval writes a document once a filter: the first of them."""
    filters = made.columns.get("filter")
    if made.format.name != "lm_eval" or filters is None or filters.n_levels < 2:
        return {}
    return {"filter": [next(iter(filters.levels))]}


def _measure(made: Proposal) -> Iterator[str]:
    yield "[measures.answer]          # what is counted"
    if made.roles.answer_kind == "label":
        yield 'kind     = "label_rate"'
        yield f"positive = {_q(list(made.roles.counts))}"
        yield f"negative = {_q(list(made.roles.others))}"
    elif made.roles.answer_kind == "text":
        yield 'kind   = "marker_rate"     # answers that contain it, whatever its case'
        yield f"marker = {_q(made.roles.counts[0])}"
    else:
        yield 'kind = "numeric"'
        yield f"unit = {_q(f'points of {made.roles.columns["answer"]}')}"
        if made.scale is not None:
            low, high = made.scale
            yield f"low  = {low:g}  # the scale's ends, by the values seen: they bound what is missing"
            yield f"high = {high:g}"
    yield ""


def _hypotheses(made: Proposal) -> Iterator[str]:
    grid, effect = made.grid, f"{made.effect:g}"
    predicted = made.predicted or "more"
    claims = {
        "more": f"{grid.treated} scores higher than {grid.control} by at least {effect}.",
        "less": f"{grid.treated} scores lower than {grid.control} by at least {effect}.",
        "alike": f"{grid.treated} and {grid.control} differ by less than {effect}.",
    }
    yield "[[hypothesis]]"
    yield 'id        = "H1"'
    yield f"claim     = {_q(claims[predicted])}"
    yield 'measure   = "answer"'
    yield f"contrast  = {_inline({grid.treated: 1.0, grid.control: -1.0})}"
    if len(grid.models) > 1:
        yield 'per       = "model"        # seeds of two models are not one sample'
    if made.replicates_seeds:
        yield 'unit      = "seed"         # what is replicated'
        yield 'test      = "welch_t"      # two arms, several seeds each; "paired_t" where runs of one seed share it'
    else:
        yield 'unit      = "item"         # one run an arm: questions are all that is replicated'
        yield 'test      = "clustered_t"'
    yield f'bands     = ["less", -{effect}, "alike", {effect}, "more"]   # named, touching, covering'
    yield f'predicted = "{predicted}"'
    yield ""


def _rest(made: Proposal) -> Iterator[str]:
    yield "[missing]"
    bound = "exclude and bound" if made.scale is not None else "exclude"
    yield f'answers = "{bound}"   # complete cases, and the worst cases where the scale has ends'
    yield f'runs    = "{"analyse and bound" if made.grid.holes else "refuse"}"'
    yield ""
    yield "[report]"
    yield 'cells = [["arm", "seed"], ["arm"]]' if made.replicates_seeds else 'cells = [["arm"]]'
    yield ""


def _one_digit(value: float) -> float:
    """A positive number rounded to one significant digit."""
    return round(value, -math.floor(math.log10(value))) if value > 0 else 0.1


def _q(value: Any) -> str:
    """Text or a list of texts as TOML: JSON's escapes are TOML's, but for the one character that TOML also wants."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _q(name)


def _inline(table: Mapping[str, str | float | Sequence[str]]) -> str:
    return "{ " + ", ".join(f"{_key(key)} = {_q(value)}" for key, value in table.items()) + " }"


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
