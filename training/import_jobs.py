"""Import of jobs that finished elsewhere: matched to promised runs by model, arm and seed, differences refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from seedlock.prereg.base.canonical import canonical_json, read_json, sha256_file, write_atomic
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import append_event
from seedlock.training.checks.study import check_study, require_fit_corpora
from seedlock.training.grid.planned import jobs, require_locked_bytes, require_trainable
from seedlock.training.grid.run import STAGE_FILE, run_file, run_record, stage_folder
from seedlock.training.hosted.run_job import hyperparameters
from seedlock.training.hosted.training_files import TrainingFile, training_files
from seedlock.training.jobs.job import RunJob
from seedlock.training.train import digests_of, is_finished


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedJobs:
    """What an import did: promised hosted runs, how many of them are finished, and how many were not before."""

    hosted: int
    finished: int
    imported: int


class _Supervised(BaseModel):
    hyperparameters: dict[str, Any] | None = None


class _Method(BaseModel):
    supervised: _Supervised | None = None


class _Job(BaseModel):
    """What is read of a job object of the API; everything else in it is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)

    id: str
    model: str
    seed: int
    status: str
    training_file: str
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    finished_at: int | None = None
    hyperparameters: dict[str, Any] | None = None
    method: _Method | None = None

    @property
    def stated(self) -> dict[str, Any]:
        """Hyperparameters, wherever this version of the API puts them."""
        inner = self.method.supervised if self.method is not None else None
        return {**(self.hyperparameters or {}), **((inner.hyperparameters if inner is not None else None) or {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A promised run and the job that carried it out."""

    run: RunJob
    job: _Job
    uploaded: TrainingFile


def import_finished_jobs(locked: LockedPlan, file: Path, *, told: Mapping[str, str]) -> ImportedJobs:
    """Take finished fine-tuning jobs as promised runs of the study.

    Parameters
    ----------
    file
        JSON lines, one job object of the API each.
    told
        Training file id -> arm of the plan, or path of the uploaded file; see `training_files`.

    Raises
    ------
    BadInput
        With every job that is no promised run, did not succeed, or was trained with other settings; nothing is
        imported then.
    """
    require_trainable(locked)
    reports = check_study(locked.paths, locked.plan)
    corpora = {report.corpus.name: report.corpus for report in reports}
    require_locked_bytes(locked, corpora)
    require_fit_corpora(locked.paths.name, reports)
    planned = jobs(locked, corpora)
    hosted = {(j.base.location, j.arm, j.seed): j for j in planned if [s.trainer for s in j.stages] == ["hosted"]}
    files = training_files(told, hosted.values())
    faults: list[Finding] = []
    taken: dict[str, _Taken] = {}
    for where, job in _read_jobs(file, faults):
        uploaded = files.get(job.training_file)
        arms = uploaded.arms if uploaded is not None else frozenset()
        runs = [run for arm in arms if (run := hosted.get((job.model, arm, job.seed))) is not None]
        if uploaded is None or len(runs) != 1:
            found = f"{job.model}, file {job.training_file}, seed {job.seed}"
            promised = "a promised run of one hosted stage, its training file named"
            faults.append(Finding(where=where, found=found, promised=promised))
        elif runs[0].run_id in taken:
            faults.append(Finding(where=where, found=f"{runs[0].label} again", promised="each run once"))
        else:
            faults += _differences(where, runs[0], job)
            taken[runs[0].run_id] = _Taken(run=runs[0], job=job, uploaded=uploaded)
    if faults:
        raise BadInput(
            f"{file.name} does not hold the promised runs", *faults[:40], then="seedlock deviate  records why"
        )
    new = [one for one in taken.values() if not is_finished(one.run, locked.events)]
    for one in new:
        _take(locked, one, source=file)
    done = sum(1 for run in hosted.values() if run.run_id in taken or is_finished(run, locked.events))
    return ImportedJobs(hosted=len(hosted), finished=done, imported=len(new))


def _read_jobs(file: Path, faults: list[Finding]) -> Iterator[tuple[str, _Job]]:
    if not file.is_file():
        raise BadInput(
            "no such file", Finding(where=str(file), found="nothing", promised="JSON lines of finished jobs")
        )
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file.name} line {number}"
        try:
            yield where, _Job.model_validate(read_json(line))
        except ValidationError as error:
            for fault in error.errors():
                path = ".".join(map(str, fault["loc"]))
                faults.append(Finding(where=f"{where} {path}", found=repr(fault["input"])[:80], promised=fault["msg"]))
        except (ValueError, RecursionError) as error:
            faults.append(Finding(where=where, found=f"not JSON: {error}", promised="one job object a line"))


def _differences(where: str, run: RunJob, job: _Job) -> Iterator[Finding]:
    if job.status != "succeeded" or not job.fine_tuned_model:
        yield Finding(where=where, found=f"status {job.status}", promised="succeeded, with a model")
    for key, value in hyperparameters(run.stages[0]).items():
        if job.stated.get(key) != value:
            yield Finding(where=f"{where} {key}", found=str(job.stated.get(key)), promised=f"{value} (plan)")


def _take(locked: LockedPlan, taken: _Taken, *, source: Path) -> None:
    run, job = taken.run, taken.job
    stage = run.stages[0]
    hosted = {
        "model": job.fine_tuned_model,
        "job": job.id,
        "training_file": job.training_file,
        "training_file_sha256": taken.uploaded.sha256,
        "seed": job.seed,
        "hyperparameters": hyperparameters(stage),
        "trained_tokens": job.trained_tokens,
        "imported_from": sha256_file(source),
        "finished_at": job.finished_at,
    }
    corpus = {"name": stage.corpus, "sha256": stage.corpus_sha256, "variant": stage.variant}
    made = {"name": stage.name, "stage_id": stage.stage_id, "corpus": corpus, "hosted": hosted}
    write_atomic(stage_folder(run.workbench, stage) / STAGE_FILE, canonical_json(made) + b"\n")
    record = run_record(run, run.base, [made])
    write_atomic(run_file(run.workbench, run.run_id), canonical_json(record) + b"\n")
    begun = {"run_id": run.run_id, "lock_id": locked.lock_id, "executor": "imported", "stages": [stage.stage_id]}
    append_event(locked.paths.ledger, "run.started", begun)
    ended = {"run_id": run.run_id, "stages": digests_of(record), "load": record["load"], "environment": None}
    append_event(locked.paths.ledger, "run.finished", {**ended, "imported": True})
