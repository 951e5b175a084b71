"""What training takes, counted from the plan and its corpora: stages, steps, tokens, and what they leave on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from seedlock.prereg.base.base_models import folder_here
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import BY_BYTES, BYTES_A_TOKEN, Amount, Line, about, at_most, exact, total, unknown
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.model_shape import ModelShape, no_shape, shape_of
from seedlock.prereg.plan.plan import Plan
from seedlock.training.adapters.order import training_order
from seedlock.training.corpus.planned_rows import PlannedRows, planned_rows
from seedlock.training.corpus.write import no_such_rows
from seedlock.training.grid.chain import Link, chain
from seedlock.training.instruct.overage import OVERAGE
from seedlock.training.jobs.base_model import identity
from seedlock.training.jobs.settings import StageSettings, resolve, stage_seeds
from seedlock.training.rows.row import ONLY_VARIANT, Row
from seedlock.training.tokens.masks import LossMask, encode
from seedlock.training.tokens.tokenizer import read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

ADAPTER_BYTES = 4
"""peft keeps adapters in float32, whatever the type of the model under them."""
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
NO_ROWS = "rows that are not here yet: say the stage's steps, or bring the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """One training, done once, whatever number of runs shares it."""

    model: str
    link: Link
    settings: StageSettings
    corpus: PlannedRows

    @property
    def variant(self) -> str:
        """Variant of the corpus whose rows it is given."""
        return ONLY_VARIANT if self.link.variant is None else self.link.variant


def training_lines(paths: StudyPaths, plan: Plan) -> list[Line]:
    """Count what `seedlock train` will do; nothing is loaded but tokenizers that lie here.

    Raises
    ------
    BadInput
        A stage's settings or variant cannot be carried out.
    """
    if plan.import_ is not None or not plan.corpora:
        return []
    corpora = {name: planned_rows(paths, plan, name) for name in plan.used_corpora}
    stages = planned_stages(paths, plan, corpora)
    lines = list(_corpus_lines(corpora))
    for model in plan.grid.models:
        own = [stage for stage in stages if stage.model == model]
        if own:
            lines += _model_lines(paths, plan, model, own)
    return lines


def _corpus_lines(corpora: dict[str, PlannedRows]) -> Iterator[Line]:
    for name, corpus in corpora.items():
        rows = exact(sum(corpus.n.values())) if corpus.n else unknown(NO_ROWS)
        yield Line(part="corpus", of=name, what="rows", amount=rows)
        if corpus.asked:
            asked = at_most(math.ceil(OVERAGE * corpus.asked), f"{OVERAGE:g} texts asked for each that is kept")
            yield Line(part="corpus", of=name, what="texts to write", amount=asked)
            words = asked.times(corpus.settings.max_words, certainty="about", note="4 tokens to 3 words")
            yield Line(part="corpus", of=name, what="new tokens", unit="tokens", amount=words.times(4 / 3))


def planned_stages(paths: StudyPaths, plan: Plan, corpora: dict[str, PlannedRows]) -> list[PlannedStage]:
    """Every different training, merged where any run builds on it."""
    found: dict[str, PlannedStage] = {}
    begins = {name: identity(m.revision, chat_template_of(m, paths.study)) for name, m in plan.models.items()}
    for run in plan.runs():
        for link in chain(plan, run, begins[run.model], corpora):
            before = found.get(link.stage_id)
            if before is None or link.keeps_merged:
                settings = resolve(link.name, link.stage)
                corpus = corpora[link.stage.corpus]
                _require_variant(link, corpus, f"arms.{run.arm}.framing")
                found[link.stage_id] = PlannedStage(model=run.model, link=link, settings=settings, corpus=corpus)
    return list(found.values())


def _require_variant(link: Link, corpus: PlannedRows, where: str) -> None:
    is_told = corpus.has_one_variant if link.variant is None else link.variant in corpus.n
    if corpus.n and not is_told:
        raise no_such_rows(corpus.name, corpus.n, link.variant, where)


def _model_lines(paths: StudyPaths, plan: Plan, model: str, stages: Sequence[PlannedStage]) -> Iterator[Line]:
    reader = _Reader(plan, model, paths)
    shape = shape_of(plan, model, paths.root)
    yield Line(part="train", of=model, what="stages", amount=exact(len(stages)))
    yield Line(part="train", of=model, what="steps", amount=total(_steps(stage) for stage in stages))
    tokens = total(reader.tokens(stage) for stage in stages)
    yield Line(part="train", of=model, what="tokens", unit="tokens", amount=tokens)
    local = [stage for stage in stages if stage.link.stage.trainer != "hosted"]
    if local:
        kept = total(_adapter(shape, model, stage) for stage in local)
        yield Line(part="disk", of=model, what="adapters", unit="bytes", amount=kept)
    if any(stage.settings.checkpoints for stage in local):
        each = (_adapter(shape, model, stage).times(_checkpoints(stage)) for stage in local)
        yield Line(part="disk", of=model, what="checkpoints", unit="bytes", amount=total(each))
    if merged := [stage for stage in local if stage.link.keeps_merged]:
        sizes = (_merged(shape, model, stage) for stage in merged)
        yield Line(part="disk", of=model, what="merged models", unit="bytes", amount=total(sizes))


def _n_rows(stage: PlannedStage) -> int | None:
    """Rows that a stage trains on; None while they are not known."""
    if not stage.corpus.n:
        return None
    n = stage.corpus.n[stage.variant]
    return n if stage.settings.n_examples is None else min(n, stage.settings.n_examples)


def _steps(stage: PlannedStage) -> Amount:
    n = _n_rows(stage)
    if n is None and stage.settings.steps is None:
        return unknown(NO_ROWS)
    return exact(stage.settings.n_steps(n or 0))


def _checkpoints(stage: PlannedStage) -> int:
    """Different steps at which a checkpoint is kept."""
    steps = _steps(stage).value
    if steps is None:
        return len(stage.settings.checkpoints)
    return len({stage.settings.checkpoint_step(fraction, int(steps)) for fraction in stage.settings.checkpoints})


def _adapter(shape: ModelShape | None, model: str, stage: PlannedStage) -> Amount:
    if shape is None:
        return unknown(no_shape(model))
    return exact(ADAPTER_BYTES * shape.adapter_parameters(stage.settings.rank, stage.settings.target_modules))


def _merged(shape: ModelShape | None, model: str, stage: PlannedStage) -> Amount:
    if shape is None:
        return unknown(no_shape(model))
    return exact(DTYPE_BYTES[stage.settings.dtype] * shape.parameters)


class _Reader:
    """Counts tokens: with the model's own tokenizer where it lies here, by a rule otherwise."""

    def __init__(self, plan: Plan, model: str, paths: StudyPaths) -> None:
        self._plan = plan
        base = plan.models[model]
        self._tokenizer = _tokenizer(
            folder_here(base.base, paths.root, base.revision), chat_template_of(base, paths.study)
        )
        self._known: dict[tuple[str, str, int, int | None], list[int]] = {}

    def tokens(self, stage: PlannedStage) -> Amount:
        """Tokens that a stage sees, each as often as it is seen."""
        steps = _steps(stage)
        if steps.value is None:
            return steps
        seen = int(steps.value) * stage.settings.rows_per_step
        rows = self._rows(stage)
        if rows is None:
            return self._guessed(stage, seen)
        if self._tokenizer is None:
            mean = sum(_bytes(row) for row in rows) / len(rows) / BYTES_A_TOKEN
            return about(seen * min(mean, stage.settings.max_length or math.inf), BY_BYTES)
        lengths = self._lengths(stage, rows)
        order = training_order(len(rows), n_rows=seen, seed=stage_seeds(stage.link.name, stage.link.seed).order)
        return exact(sum(lengths[i] for i in order))

    def _rows(self, stage: PlannedStage) -> tuple[Row, ...] | None:
        rows = stage.corpus.rows
        return None if rows is None else rows[stage.variant][: stage.settings.n_examples]

    def _guessed(self, stage: PlannedStage, seen: int) -> Amount:
        stated = {} if self._plan.rates is None else self._plan.rates.tokens_per_row
        name = stage.link.stage.corpus
        if name in stated:
            return about(seen * stated[name], f"{stated[name]:g} tokens a row of {name} (rates.tokens_per_row)")
        if stage.settings.max_length is None:
            return unknown(
                f"rows that are not written yet: state rates.tokens_per_row.{name}, or the stage's max_length"
            )
        return at_most(seen * stage.settings.max_length, f"max_length {stage.settings.max_length} tokens a row")

    def _lengths(self, stage: PlannedStage, rows: Sequence[Row]) -> list[int]:
        key = (stage.corpus.name, stage.variant, len(rows), stage.settings.max_length)
        if key not in self._known:
            mask = LossMask(loss="all", max_length=stage.settings.max_length)
            self._known[key] = [len(encode(row, self._tokenizer, mask).input_ids) for row in rows]
        return self._known[key]


def _bytes(row: Row) -> int:
    return sum(len(message.content.encode()) for message in row.messages)


def _tokenizer(folder: Path | None, chat_template: str | None) -> Any:
    """The tokenizer of a model that lies here; None elsewhere, and where transformers is not installed."""
    if folder is None or find_spec("transformers") is None:
        return None
    return read_tokenizer(str(folder), chat_template=chat_template)
