"""`seedlock train`: every promised run, behind the gate, resumable; one driver writes the ledger."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seedlock.prereg.base.canonical import canonical_json, read_json, write_atomic
from seedlock.prereg.errors import Finding, Incomplete, NotReproduced
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.training.checks.study import check_study, require_fit_corpora
from seedlock.training.grid.executor import Executor, Told
from seedlock.training.grid.local import LocalExecutor
from seedlock.training.grid.planned import jobs, require_key, require_locked_bytes, require_trainable
from seedlock.training.grid.progress import Quiet, TrainProgress
from seedlock.training.grid.run import finished_stage, has_ended, run_file, run_record, stage_folder
from seedlock.training.jobs.job import Record, RunJob
from seedlock.training.jobs.tracker import asked_tracker

WAIT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A run that could not be finished, and why."""

    run_id: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """What `seedlock train` did.

    Parameters
    ----------
    planned, already, trained
        Runs due, found finished, and finished now (unmodified models count as runs).
    later
        Runs promised for a look that the plan has not come to.
    lost
        Workers that died; each of their runs was started again as often as the plan allows.
    failed
        Runs that are not finished.
    """

    planned: int
    later: int
    already: int
    trained: int
    lost: int
    failed: tuple[FailedRun, ...]

    def require_complete(self, study: str) -> None:
        """Refuse to call a grid with holes complete.

        Raises
        ------
        Incomplete
            With every run that failed, and why.
        """
        if self.failed:
            faults = [Finding(where=run.label, found=run.reason, promised="a finished run") for run in self.failed]
            what = f"{len(self.failed)} of {self.planned} runs of {study} are not finished"
            raise Incomplete(what, *faults, then=f"seedlock train {study}  goes on where it stopped")


def train_study(
    locked: LockedPlan,
    *,
    executor: Literal["local", "ray"] | Executor = "local",
    address: str | None = None,
    workers: int | None = None,
    cpus_per_run: float = 1.0,
    gpus_per_run: float | None = None,
    progress: TrainProgress | None = None,
) -> TrainSummary:
    """Train every promised run that is due and not finished yet.

    Corpora are checked and jobs are laid out before any model is loaded. `run.started` is in the ledger before a
    run begins, `run.finished` with its digests after, `run.failed` with a reason where it does not finish.

    Parameters
    ----------
    executor, address
        Processes of this machine, a Ray cluster at `address` (None starts one here), or an executor of your own.
    workers
        Runs at a time; by default as many as accelerators here, else as cores, or as fit the cluster.
    cpus_per_run, gpus_per_run
        What Ray sets aside for a run; by default one GPU where the cluster has any.

    Raises
    ------
    CorpusRefused
        A corpus fails a check.
    LockedFileChanged
        A corpus or a base model is not the locked one.
    OutOfOrder, BadInput
        There is nothing to train, a stage cannot be carried out, or the tracker that is asked for is not here.
    NotReproduced
        A run that the ledger calls finished was trained again and came out different.
    """
    require_trainable(locked)
    asked_tracker()
    reports = check_study(locked.paths, locked.plan)
    corpora = {report.corpus.name: report.corpus for report in reports}
    require_locked_bytes(locked, corpora)
    require_fit_corpora(locked.paths.name, reports)
    due = {run.run_id for run in locked.due}
    planned = [job for job in jobs(locked, corpora) if job.run_id in due]
    todo = [job for job in planned if not is_finished(job, locked.events)]
    told = progress or Quiet()
    told.begin(planned, len(planned) - len(todo))
    driver = _Driver(locked, told)
    for job in [job for job in todo if not job.stages]:
        driver.finish_untrained(job)
    trainable = [job for job in todo if job.stages]
    if trainable:
        require_key(trainable, locked.paths.name)
        place = (
            _executor(executor, address, workers, cpus_per_run=cpus_per_run, gpus_per_run=gpus_per_run)
            if isinstance(executor, str)
            else executor
        )
        try:
            driver.carry_out(trainable, place)
        finally:
            place.close()
    return TrainSummary(
        planned=len(planned),
        later=len(locked.lock.runs) - len(planned),
        already=len(planned) - len(todo),
        trained=driver.finished,
        lost=driver.lost,
        failed=tuple(driver.failed),
    )


def _executor(
    name: Literal["local", "ray"],
    address: str | None,
    workers: int | None,
    *,
    cpus_per_run: float,
    gpus_per_run: float | None,
) -> Executor:
    if name == "local":
        return LocalExecutor(workers)
    from seedlock.training.grid.ray_cluster import RayExecutor  # noqa: PLC0415 - ray is an extra, and slow to import

    return RayExecutor(address, workers, cpus_per_run=cpus_per_run, gpus_per_run=gpus_per_run)


def digests_of(record: Record) -> list[dict[str, Any]]:
    """What the ledger keeps of a run's stages: ids and the digests of what they gave."""
    kept = ("name", "stage_id", "adapter", "checkpoints", "supervised_sha256", "corpus", "seeds", "steps", "hosted")
    return [{key: stage[key] for key in kept if key in stage} for stage in record["stages"]]


def _last_finished(run_id: str, events: Sequence[Event]) -> Event | None:
    found = [e for e in events if e.name == "run.finished" and e.body["run_id"] == run_id]
    return found[-1] if found else None


def is_finished(job: RunJob, events: Sequence[Event]) -> bool:
    """Whether the ledger calls the run finished and every file it promised is still whole."""
    event = _last_finished(job.run_id, events)
    path = run_file(job.workbench, job.run_id)
    if event is None or not path.is_file():
        return False
    record: Record = read_json(path.read_bytes())
    if event.body.get("stages") != digests_of(record):
        return False
    if job.given is not None and event.body["load"].get("given", {}).get("revision") != job.given.found:
        return False
    if [stage["stage_id"] for stage in record["stages"]] != [stage.stage_id for stage in job.stages]:
        return False
    return all(finished_stage(stage_folder(job.workbench, stage), stage) for stage in job.stages)


def next_to_start(waiting: Iterable[RunJob], under_way: Iterable[RunJob]) -> RunJob | None:
    """The first run none of whose stages another run is training: a shared stage is trained once.

    Without a shared disk copies of one stage would differ in their last bits, and no run could build on the other's.
    """
    busy = {stage.stage_id for job in under_way for stage in job.stages if not has_ended(job.workbench, stage)}
    return next((job for job in waiting if not busy.intersection(stage.stage_id for stage in job.stages)), None)


class _Driver:
    """The one writer of the ledger while runs are under way."""

    def __init__(self, locked: LockedPlan, progress: TrainProgress) -> None:
        self._locked = locked
        self._progress = progress
        self._attempts: Counter[str] = Counter()
        self.finished = 0
        self.lost = 0
        self.failed: list[FailedRun] = []

    def finish_untrained(self, job: RunJob) -> None:
        """An unmodified model, and one trained elsewhere, is finished once its record is written."""
        self._started(job, "none" if job.given is None else "elsewhere")
        record = run_record(job, job.base, [])
        write_atomic(run_file(job.workbench, job.run_id), canonical_json(record) + b"\n")
        self._finish(job, record)

    def carry_out(self, todo: list[RunJob], place: Executor) -> None:
        """Keep the executor busy until every job is finished or given up."""
        waiting, under_way = deque(todo), dict[str, RunJob]()
        while waiting or under_way:
            while len(under_way) < place.slots and (job := next_to_start(waiting, under_way.values())) is not None:
                waiting.remove(job)
                self._started(job, place.name)
                under_way[job.run_id] = job
                place.start(job)
            for news in place.wait(WAIT_S):
                if news.what == "progress" and news.progress is not None:
                    self._progress.step(news.progress)
                elif news.run_id in under_way:
                    job = under_way.pop(news.run_id)
                    if self._ended(job, news):
                        waiting.appendleft(job)

    def _started(self, job: RunJob, place: str) -> None:
        self._attempts[job.run_id] += 1
        body = {
            "run_id": job.run_id,
            "lock_id": self._locked.lock_id,
            "attempt": self._attempts[job.run_id],
            "executor": place,
            "stages": [stage.stage_id for stage in job.stages],
        }
        append_event(self._locked.paths.ledger, "run.started", body)

    def _ended(self, job: RunJob, news: Told) -> bool:
        """Write what became of a run; True where it is to be started again."""
        if news.what == "finished" and news.record is not None:
            self._finish(job, news.record)
            return False
        again = news.what == "lost" and self._attempts[job.run_id] <= self._locked.plan.grid.retries
        self.lost += news.what == "lost"
        body = {"run_id": job.run_id, "reason": news.reason, "worker_lost": news.what == "lost", "again": again}
        append_event(self._locked.paths.ledger, "run.failed", body)
        if not again:
            self.failed.append(FailedRun(run_id=job.run_id, label=job.label, reason=news.reason))
            self._progress.ended(job.run_id, well=False)
        return again

    def _finish(self, job: RunJob, record: Record) -> None:
        found = digests_of(record)
        before = _last_finished(job.run_id, read_ledger(self._locked.paths.ledger))
        if before is not None and before.body.get("stages") != found:
            promised = [s.get("adapter", {}).get("sha256") for s in before.body.get("stages", [])]
            got = [s.get("adapter", {}).get("sha256") for s in found]
            body = {"run_id": job.run_id, "reason": "trained again and came out different", "worker_lost": False}
            append_event(self._locked.paths.ledger, "run.failed", {**body, "again": False})
            fault = Finding(where=job.label, found=f"adapters {got}", promised=f"adapters {promised} (ledger)")
            raise NotReproduced("a finished run was trained again and came out different", fault)
        body = {"run_id": job.run_id, "stages": found, "load": record["load"], "environment": record["environment"]}
        trackers = [str(stage["tracker"]) for stage in record["stages"] if "tracker" in stage]
        append_event(self._locked.paths.ledger, "run.finished", body | ({"trackers": trackers} if trackers else {}))
        self.finished += 1
        self._progress.ended(job.run_id, well=True)
