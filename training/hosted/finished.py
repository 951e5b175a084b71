"""Import of jobs that finished elsewhere: matched to promised runs by model, arm and seed, differences refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prereg.canonical import canonical_json, read_json, sha256_file, write_atomic
from prereg.errors import BadInput, Finding
from prereg.gate import LockedPlan
from prereg.ledger import append_event
from training.checks.study import check_study, require_fit_corpora
from training.grid.job import RunJob
from training.grid.planned import jobs, require_locked_bytes, require_trainable
from training.grid.run import STAGE_FILE, run_file, run_record, stage_folder
from training.grid.train import digests_of, is_finished
from training.hosted.follow import hyperparameters


def import_finished_jobs(locked: LockedPlan, file: Path, *, arm_of_file: Mapping[str, str]) -> int:
    """Take finished fine-tuning jobs as promised runs of the study.

    Parameters
    ----------
    file
        JSON lines, one job object of the API each.
    arm_of_file
        Training file id -> arm of the plan.

    Returns
    -------
    int
        Runs that are finished now and were not before.

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
    promised = {(job.base.location, job.arm, job.seed): job for job in jobs(locked, corpora) if len(job.stages) == 1}
    faults: list[Finding] = []
    taken: dict[str, tuple[RunJob, dict[str, Any]]] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file.name} line {number}"
        told = read_json(line)
        arm = arm_of_file.get(str(told.get("training_file")))
        job = promised.get((str(told.get("model")), str(arm), told.get("seed")))
        if job is None:
            found = f"{told.get('model')}, file {told.get('training_file')}, seed {told.get('seed')}"
            faults.append(Finding(where=where, found=found, promised="a promised run of one stage"))
        elif job.run_id in taken:
            faults.append(Finding(where=where, found=f"{job.label} again", promised="each run once"))
        else:
            faults += _differences(where, job, told)
            taken[job.run_id] = (job, told)
    if faults:
        raise BadInput(
            f"{file.name} does not hold the promised runs", *faults[:40], then="seedlock deviate  records why"
        )
    new = [pair for pair in taken.values() if not is_finished(pair[0], locked.events)]
    for job, told in new:
        _take(locked, job, told, source=file)
    return len(new)


def _differences(where: str, job: RunJob, told: Mapping[str, Any]) -> list[Finding]:
    found = []
    if told.get("status") != "succeeded" or not told.get("fine_tuned_model"):
        found.append(Finding(where=where, found=f"status {told.get('status')}", promised="succeeded, with a model"))
    method = (told.get("method") or {}).get("supervised") or {}
    stated = {**(told.get("hyperparameters") or {}), **(method.get("hyperparameters") or {})}
    for key, value in hyperparameters(job.stages[0]).items():
        if stated.get(key) != value:
            found.append(Finding(where=f"{where} {key}", found=str(stated.get(key)), promised=f"{value} (plan)"))
    return found


def _take(locked: LockedPlan, job: RunJob, told: Mapping[str, Any], *, source: Path) -> None:
    stage = job.stages[0]
    hosted = {
        "model": told["fine_tuned_model"],
        "job": told["id"],
        "training_file": told["training_file"],
        "seed": told["seed"],
        "hyperparameters": hyperparameters(stage),
        "trained_tokens": told.get("trained_tokens"),
        "imported_from": sha256_file(source),
        "finished_at": told.get("finished_at"),
    }
    corpus = {"name": stage.corpus, "sha256": stage.corpus_sha256, "variant": stage.variant}
    made = {"name": stage.name, "stage_id": stage.stage_id, "corpus": corpus, "hosted": hosted}
    write_atomic(stage_folder(job.workbench, stage) / STAGE_FILE, canonical_json(made) + b"\n")
    record = run_record(job, job.base, [made])
    write_atomic(run_file(job.workbench, job.run_id), canonical_json(record) + b"\n")
    begun = {"run_id": job.run_id, "lock_id": locked.lock_id, "executor": "imported", "stages": [stage.stage_id]}
    append_event(locked.paths.ledger, "run.started", begun)
    ended = {"run_id": job.run_id, "stages": digests_of(record), "load": record["load"], "environment": None}
    append_event(locked.paths.ledger, "run.finished", {**ended, "imported": True})
