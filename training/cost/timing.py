"""A few real training steps of a plan, timed on this machine: what `seedlock estimate --measure` does for training."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.speeds import Speed
from seedlock.prereg.plan.plan import Plan
from seedlock.training.backends import trainer
from seedlock.training.corpus.planned_rows import planned_rows
from seedlock.training.cost.estimate import PlannedStage, planned_stages
from seedlock.training.jobs.base_model import BaseModel, resolve_model
from seedlock.training.jobs.job import StageJob
from seedlock.training.jobs.settings import stage_seeds
from seedlock.training.rows.row import Row

FEW, ENOUGH_S, MOST = 3, 2.0, 100
"""Steps of a first try; steps of a second are as many as last so long, but no more than the last number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What so many steps took."""

    speed: Speed
    seconds: float


def time_training(paths: StudyPaths, plan: Plan, model: str) -> Speed | None:
    """Train a few steps of the stage that the runs of a model train most, and throw them away.

    The stage begins from the base model, whatever it builds on in the plan; nothing of the study is written.

    Returns
    -------
    Speed or None
        None where the model trains nothing here, or its rows are not written yet.

    Raises
    ------
    BadInput
        The model is not on this machine, or a row cannot be trained on.
    """
    corpora = {name: planned_rows(paths, plan, name) for name in plan.used_corpora}
    stages = [stage for stage in planned_stages(paths, plan, corpora) if _is_trained_here(stage, model)]
    if not stages:
        return None
    most = max(stages, key=lambda stage: sum(other.link.name == stage.link.name for other in stages) * _rows(stage))
    base = resolve_model(model, plan.models[model], paths.root, study=paths.name)
    trial = _try(most, base, FEW)
    if trial.seconds < ENOUGH_S:
        trial = _try(most, base, min(MOST, math.ceil(FEW * ENOUGH_S / max(trial.seconds, 1e-3))))
    return trial.speed


def _is_trained_here(stage: PlannedStage, model: str) -> bool:
    return stage.model == model and stage.link.stage.trainer != "hosted" and stage.corpus.rows is not None


def _rows(stage: PlannedStage) -> int:
    """Rows that one training of a stage sees, each as often as it is seen."""
    settings = stage.settings
    return settings.n_steps(len(_own(stage))) * settings.rows_per_step


def _own(stage: PlannedStage) -> tuple[Row, ...]:
    assert stage.corpus.rows is not None  # noqa: S101 - the caller looked
    return stage.corpus.rows[stage.variant]


def _try(stage: PlannedStage, base: BaseModel, steps: int) -> _Trial:
    """Carry out so many steps in a folder that is then removed; the stage's own metrics say how long they took."""
    settings = replace(stage.settings, steps=steps, epochs=None, gradient_accumulation=1, checkpoints=())
    job = StageJob(
        name=stage.link.name,
        stage_id="0" * 64,
        trainer=stage.link.stage.trainer,
        settings=settings,
        seeds=stage_seeds(stage.link.name, stage.link.seed),
        corpus=stage.corpus.name,
        corpus_sha256=stage.corpus.sha256,
        variant=stage.link.variant,
        marker=stage.corpus.settings.marker,
        rows=_own(stage),
        keeps_merged=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        train = trainer(job.trainer)  # imported before the clock runs
        began = time.monotonic()
        train(job, base, Path(folder), lambda _: None)
        whole = time.monotonic() - began
        last = read_json((Path(folder) / "metrics.jsonl").read_bytes().splitlines()[-1])
    seconds = max(float(last["seconds"]), 1e-3)
    speed = Speed(
        per_second=max(last["tokens"], 1) / seconds,
        begin_s=max(whole - seconds, 0.0),
        share=min(max(last["processor_s"] / seconds, 0.01), 1.0),
    )
    return _Trial(speed=speed, seconds=seconds)
