"""Runs as tasks of a Ray cluster; whatever the node, the driver alone writes the ledger.

A task trains in the study's workbench where it sees that folder (one machine, or a shared disk) and in a folder of
its own elsewhere: stages that are finished already go there, and what it adds comes back, through Ray's object store.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from seedlock.prereg.base.canonical import write_atomic
from seedlock.prereg.base.paths import IMPORTED_FROM
from seedlock.training.grid.attempt import attempt
from seedlock.training.grid.executor import Told
from seedlock.training.grid.run import has_ended, run_file, stage_folder
from seedlock.training.jobs.job import RunJob, StageJob
from seedlock.training.jobs.tracker import VARIABLE, asked_tracker

MARK = ".seedlock-workbench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """News of a finished task, and its files (path relative to the workbench -> bytes) where the driver lacks them."""

    told: Told
    files: dict[str, bytes]


def deliver(job: RunJob, mark: str, names: Sequence[str] = (), *contents: bytes) -> Delivery:
    """Carry a run out on whatever node this is.

    Parameters
    ----------
    names, contents
        Files of stages that another run finished, relative to the workbench; the digests in their records decide
        whether they are used.
    """
    seen = job.workbench / MARK
    shared = seen.is_file() and seen.read_text() == mark
    if shared:
        return Delivery(told=attempt(job, lambda _: None), files={})
    with tempfile.TemporaryDirectory(prefix="seedlock-") as scratch:
        here = replace(job, workbench=Path(scratch))
        for name, content in zip(names, contents, strict=True):
            write_atomic(here.workbench / name, content)
        told = attempt(here, lambda _: None)
        made = {} if told.what != "finished" else _files(here)
        return Delivery(told=told, files={at: data for at, data in made.items() if at not in set(names)})


def _files(job: RunJob) -> dict[str, bytes]:
    """Every file a finished run promises, and those kept beside them."""
    paths = [run_file(job.workbench, job.run_id), *(path for stage in job.stages for path in _of_stage(job, stage))]
    return {path.relative_to(job.workbench).as_posix(): path.read_bytes() for path in paths}


def _of_stage(job: RunJob, stage: StageJob) -> list[Path]:
    found = stage_folder(job.workbench, stage).rglob("*")
    return sorted(path for path in found if path.is_file() and "work" not in path.parts)


class RayExecutor:
    """Tasks on a cluster; a task whose node is lost comes back as lost, and Ray itself retries nothing.

    Parameters
    ----------
    gpus_per_run
        By default one where the cluster has any: a run is never spread over several.
    """

    name = "ray"

    def __init__(
        self, address: str | None, workers: int | None, *, cpus_per_run: float = 1.0, gpus_per_run: float | None = None
    ) -> None:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call] # ray leaves it untyped
        if gpus_per_run is None:
            gpus_per_run = 1.0 if have.get("GPU") else 0.0
        fits = int(have.get("CPU", 0.0) // cpus_per_run) if cpus_per_run else workers or 1
        if gpus_per_run:
            fits = min(fits, int(have.get("GPU", 0.0) // gpus_per_run))
        self.slots = max(1, min(fits, workers or fits))
        variables = {"PYTHONPATH": str(IMPORTED_FROM), "OMP_NUM_THREADS": "1", VARIABLE: asked_tracker() or ""}
        env = {"env_vars": variables}
        remote = ray.remote(num_cpus=cpus_per_run, num_gpus=gpus_per_run, max_retries=0, runtime_env=env)
        self._task: Any = remote(deliver)
        self._shared: dict[str, tuple[list[str], list[Any]]] = {}
        self._under_way: dict[Any, RunJob] = {}
        self._mark = ""

    def start(self, job: RunJob) -> None:
        """Submit a job as one task."""
        if not self._mark:
            self._mark = job.run_id
            write_atomic(job.workbench / MARK, self._mark.encode())
        names: list[str] = []
        contents: list[Any] = []
        for stage in job.stages:
            if has_ended(job.workbench, stage):
                own_names, own = self._put(job, stage)
                names, contents = [*names, *own_names], [*contents, *own]
        self._under_way[self._task.remote(job, self._mark, names, *contents)] = job

    def _put(self, job: RunJob, stage: StageJob) -> tuple[list[str], list[Any]]:
        """A finished stage in the object store, once for all runs that build on it; nodes fetch what they need."""
        if stage.stage_id not in self._shared:
            paths = _of_stage(job, stage)
            names = [path.relative_to(job.workbench).as_posix() for path in paths]
            self._shared[stage.stage_id] = names, [ray.put(path.read_bytes()) for path in paths]
        return self._shared[stage.stage_id]

    def wait(self, timeout_s: float) -> list[Told]:
        """Collect finished tasks; a task that Ray could not finish is lost."""
        done, _ = ray.wait(list(self._under_way), num_returns=1, timeout=timeout_s)
        return [self._collect(task, self._under_way.pop(task)) for task in done]

    def _collect(self, task: Any, job: RunJob) -> Told:
        try:
            delivery: Delivery = ray.get(task)
        except RayTaskError as error:
            return Told(what="failed", run_id=job.run_id, reason=str(error.cause))
        except RayError as error:
            return Told(what="lost", run_id=job.run_id, reason=f"{type(error).__name__}: the node or its worker died")
        for at, data in delivery.files.items():
            write_atomic(job.workbench / at, data)
        return delivery.told

    def close(self) -> None:
        """Cancel what is under way and leave the cluster."""
        for task in self._under_way:
            ray.cancel(task, force=True)
        self._under_way.clear()
        ray.shutdown()
