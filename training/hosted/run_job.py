"""One stage at a provider: upload once, create once, follow to the end; called again it never pays twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import canonical_json, read_json, sha256_bytes, write_atomic
from seedlock.prereg.errors import BadInput, Finding, Incomplete
from seedlock.training.hosted.jobs import ENDED, HostedJob, HostedJobs, Unsettled
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Progress, Record, Report, StageJob
from seedlock.training.rows.row import Row

STATE = "hosted.json"
MAX_UNSETTLED = 6
POLL_S = 30.0


def training_file(rows: tuple[Row, ...]) -> bytes:
    """Rows as fine-tuning APIs take them."""
    return b"".join(canonical_json({"messages": row.chat()}) + b"\n" for row in rows)


def hyperparameters(job: StageJob) -> dict[str, int | float]:
    """What the plan states of epochs, batch and learning-rate multiplier.

    Raises
    ------
    BadInput
        The loss is not on the answers, or epochs are not whole: an API offers no other.
    """
    settings = job.settings
    faults = []
    if settings.loss != "answer":
        faults.append(Finding(where=f"stages.{job.name}.loss", found=settings.loss, promised="answer"))
    if settings.epochs is None or settings.epochs != int(settings.epochs):
        found = f"{settings.epochs}, steps {settings.steps}"
        faults.append(Finding(where=f"stages.{job.name}.epochs", found=found, promised="a whole number of epochs"))
    if faults:
        raise BadInput("a fine-tuning API cannot carry out this stage", *faults, then="edit the plan, and amend")
    wanted: dict[str, int | float] = {"n_epochs": int(settings.epochs or 1), "batch_size": settings.batch_size}
    if settings.learning_rate_multiplier is not None:
        wanted["learning_rate_multiplier"] = settings.learning_rate_multiplier
    return wanted


def follow(
    job: StageJob,
    base: BaseModel,
    folder: Path,
    report: Report,
    *,
    jobs: HostedJobs,
    poll_s: float = POLL_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Record:
    """Have a stage trained at a provider and return its record.

    The intent is on disk before the job is created, and an unanswered creation is settled by looking for the job
    under its label, so that a crash or a broken line at any point costs one job at most.

    Raises
    ------
    Incomplete
        The provider ended the job without a model.
    BadInput
        The plan asks for what an API does not offer, or the API refuses.
    """
    wanted = hyperparameters(job)
    data = training_file(job.rows[: job.settings.n_examples])
    write_atomic(folder / "training.jsonl", data)
    hosted = _known(job, folder, jobs) or _create(job, base, folder, jobs, data=data, wanted=wanted, sleep=sleep)
    while hosted.status not in ENDED:
        _tell(job, hosted, jobs, report)
        sleep(poll_s)
        hosted = jobs.get(hosted.id)
    events = jobs.events(hosted.id)
    write_atomic(folder / "events.jsonl", b"".join(canonical_json(event) + b"\n" for event in events))
    if hosted.status != "succeeded" or hosted.model is None:
        fault = Finding(
            where=hosted.id, found=f"{hosted.status}: {hosted.error or 'no reason given'}", promised="a model"
        )
        raise Incomplete(
            "the provider ended the job without a model", fault, then="seedlock train STUDY  creates a new one"
        )
    return _record(hosted, jobs, data=data, wanted=wanted)


def _state(folder: Path) -> dict[str, Any]:
    path = folder / STATE
    state: dict[str, Any] = read_json(path.read_bytes()) if path.is_file() else {}
    return state


def _keep(folder: Path, **news: object) -> None:
    write_atomic(folder / STATE, canonical_json({**_state(folder), **news}) + b"\n")


def _known(job: StageJob, folder: Path, jobs: HostedJobs) -> HostedJob | None:
    """The job that an earlier call made, whether or not its answer arrived; failed ones are left behind."""
    state = _state(folder)
    if identity := state.get("job"):
        hosted = jobs.get(str(identity))
        return None if hosted.status in {"failed", "cancelled"} else hosted
    return jobs.find_job(job.stage_id) if state.get("intended") else None


def _create(
    job: StageJob,
    base: BaseModel,
    folder: Path,
    jobs: HostedJobs,
    *,
    data: bytes,
    wanted: Mapping[str, int | float],
    sleep: Callable[[float], None],
) -> HostedJob:
    name = f"seedlock-{sha256_bytes(data)[:24]}.jsonl"
    file = jobs.find_file(name) or jobs.upload(name, data)
    _keep(folder, file=file, intended=True, job=None)
    for attempt in range(MAX_UNSETTLED):
        try:
            hosted = jobs.create(
                label=job.stage_id, model=base.location, file=file, seed=job.seeds.given, hyperparameters=wanted
            )
        except Unsettled:
            sleep(2.0**attempt)
            found = jobs.find_job(job.stage_id)
            if found is None:
                continue
            hosted = found
        _keep(folder, job=hosted.id)
        return hosted
    fault = Finding(where=job.stage_id[:16], found=f"no answer, {MAX_UNSETTLED} times", promised="a job")
    raise Incomplete("the provider does not answer", fault, then="seedlock train STUDY  tries again")


def _tell(job: StageJob, hosted: HostedJob, jobs: HostedJobs, report: Report) -> None:
    measured = [
        e["data"] for e in jobs.events(hosted.id) if e.get("type") == "metrics" and isinstance(e.get("data"), dict)
    ]
    last = measured[-1] if measured else {}
    step, total = int(last.get("step", 0)), int(last.get("total_steps", 0))
    report(
        Progress(run_id="", stage=job.name, step=step, steps=max(total, step, 1), tokens=0, loss=last.get("train_loss"))
    )


def _record(hosted: HostedJob, jobs: HostedJobs, *, data: bytes, wanted: Mapping[str, int | float]) -> Record:
    return {
        "hosted": {
            "model": hosted.model,
            "job": hosted.id,
            "training_file": hosted.training_file,
            "training_file_sha256": sha256_bytes(data),
            "seed": hosted.seed,
            "hyperparameters": dict(wanted),
            "trained_tokens": hosted.trained_tokens,
            "checkpoints": [
                {"step": kept["step_number"], "model": kept["fine_tuned_model_checkpoint"]}
                for kept in jobs.checkpoints(hosted.id)
            ],
        }
    }
