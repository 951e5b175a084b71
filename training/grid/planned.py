"""The promised runs of a locked plan as jobs, on corpora whose bytes are the locked ones."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from seedlock.prereg.errors import BadInput, Finding, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.given_runs import given_runs, require_given
from seedlock.prereg.plan.plan import PlannedRun
from seedlock.prereg.plan.runs import GIVEN
from seedlock.training.backends import TRAINERS
from seedlock.training.corpus.write import Corpus, rows_for
from seedlock.training.grid.chain import chain
from seedlock.training.grid.settings_fit import misfits
from seedlock.training.jobs.base_model import BaseModel, resolve_model
from seedlock.training.jobs.job import RunJob, StageJob
from seedlock.training.jobs.settings import StageSettings, resolve, stage_seeds

KEY_VARIABLE = "OPENAI_API_KEY"
"""Where the SDK of the provider looks for its key."""


def require_trainable(locked: LockedPlan) -> None:
    """Refuse a plan whose runs are made elsewhere, or whose stages name no trainer or corpus.

    Raises
    ------
    OutOfOrder
        The plan imports its data: there is nothing to train.
    BadInput
        With every stage that cannot be carried out.
    """
    plan = locked.plan
    stages = {name: plan.stages[name].trainer for name in plan.used_stages}
    if plan.import_ is not None or (not plan.corpora and GIVEN not in stages.values()):
        where = "[import]" if plan.import_ is not None else "[corpora]"
        fault = Finding(where=where, found="runs made elsewhere", promised="stages with corpora described here")
        raise OutOfOrder(
            f"{locked.paths.name} has nothing to train", fault, then=f"seedlock import {locked.paths.name}"
        )
    faults = [
        Finding(where=f"stages.{name}.trainer", found=asked, promised=" | ".join(sorted({*TRAINERS, GIVEN})))
        for name, asked in sorted(stages.items())
        if asked not in TRAINERS and asked != GIVEN
    ]
    if faults:
        raise BadInput(
            f"{locked.paths.name} names a trainer that is not here", *faults, then="edit the plan, and amend"
        )


def require_key(todo: Sequence[RunJob], study: str) -> None:
    """The key of the provider is here, where a stage is carried out by one: asked once, not by every run.

    Raises
    ------
    BadInput
        The environment variable that should hold it is empty.
    """
    is_hosted = any(stage.trainer == "hosted" for job in todo for stage in job.stages)
    if is_hosted and not os.environ.get(KEY_VARIABLE, "").strip():
        fault = Finding(where=f"environment variable {KEY_VARIABLE}", found="nothing", promised="an API key")
        then = f"export {KEY_VARIABLE}=...  (it is written nowhere) and then  seedlock train {study}"
        raise BadInput("there is no key for the provider; no run was started", fault, then=then)


def require_locked_bytes(locked: LockedPlan, corpora: Mapping[str, Corpus]) -> None:
    """The rows that were read are the rows that were locked.

    Raises
    ------
    LockedFileChanged
        A corpus changed, or is not in the lock.
    """
    promised = {file.path: file.sha256 for file in locked.lock.files}
    changed = [
        Finding(where=c.file, found=f"sha256 {c.sha256}", promised=f"sha256 {promised.get(c.file, 'not in the lock')}")
        for c in corpora.values()
        if promised.get(c.file) != c.sha256
    ]
    if changed:
        raise LockedFileChanged(
            "a corpus is not the locked one", *changed, then="restore the corpus, or amend the plan"
        )


def jobs(locked: LockedPlan, corpora: Mapping[str, Corpus]) -> list[RunJob]:
    """Every promised run, in plan order; unmodified models have no stage.

    Raises
    ------
    BadInput
        A stage's settings or variant cannot be carried out, or do not fit its rows, or a model is not here.
    LockedFileChanged
        A base model is not the pinned one.
    """
    plan = locked.plan
    settings = {name: resolve(name, plan.stages[name]) for name in plan.used_stages if plan.stages[name].given is None}
    given = {run.label: run for run in given_runs(plan, locked.paths.root)}
    require_given(plan, list(given.values()), locked.paths.name)
    bases = {
        name: resolve_model(name, plan.models[name], locked.paths.root, study=locked.paths.name)
        for name in plan.grid.models
    }
    laid_out = [
        RunJob(
            run_id=locked.run_ids[(run.model, run.arm, run.seed)],
            label=run.label,
            model=run.model,
            arm=run.arm,
            seed=run.seed,
            base=bases[run.model],
            stages=_stages(locked, run, bases[run.model], settings, corpora),
            workbench=locked.paths.runs,
            given=given.get(run.label),
        )
        for run in plan.runs()
    ]
    _require_fitting(locked.paths.name, laid_out)
    return _merged_for_all(laid_out)


def _require_fitting(study: str, laid_out: list[RunJob]) -> None:
    stages = {stage.stage_id: stage for job in laid_out for stage in job.stages}.values()
    faults = dict.fromkeys(f for s in stages for f in misfits(s.name, s.settings, s.rows, s.marker))
    if faults:
        raise BadInput(f"stages of {study} do not fit their rows", *faults, then="edit the plan, and amend")


def _stages(
    locked: LockedPlan,
    run: PlannedRun,
    base: BaseModel,
    settings: Mapping[str, StageSettings],
    corpora: Mapping[str, Corpus],
) -> tuple[StageJob, ...]:
    found: list[StageJob] = []
    for link in chain(locked.plan, run, base.identity, corpora):
        corpus = corpora[link.stage.corpus]
        found.append(
            StageJob(
                name=link.name,
                stage_id=link.stage_id,
                trainer=link.stage.trainer,
                settings=settings[link.name],
                seeds=stage_seeds(link.name, link.seed),
                corpus=corpus.name,
                corpus_sha256=corpus.sha256,
                variant=link.variant,
                marker=corpus.settings.marker,
                rows=rows_for(corpus, variant=link.variant, where=f"arms.{run.arm}.framing"),
                keeps_merged=link.keeps_merged,
            )
        )
    return tuple(found)


def _merged_for_all(laid_out: list[RunJob]) -> list[RunJob]:
    """A stage that one run builds on is kept merged by whichever run trains it first."""
    built_on = {stage.stage_id for job in laid_out for stage in job.stages if stage.keeps_merged}
    return [
        replace(job, stages=tuple(replace(stage, keeps_merged=stage.stage_id in built_on) for stage in job.stages))
        for job in laid_out
    ]
