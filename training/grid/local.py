"""Runs in processes of this machine: each worker takes one run after another; a dead one is replaced."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from seedlock.prereg.base.machine import cores, helpers
from seedlock.training.backends import TRAINERS
from seedlock.training.grid.attempt import attempt
from seedlock.training.grid.devices import VARIABLE, visible_devices
from seedlock.training.grid.executor import Told
from seedlock.training.jobs.job import Progress, RunJob

GRACE_S = 10.0
"""How long an idle worker may take to end by itself."""


@dataclass(slots=True, kw_only=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    device: str | None
    run_id: str | None = None


def _serve(pipe: Connection, environment: Mapping[str, str]) -> None:
    """Take jobs until the driver is gone; Ctrl-C is the driver's to answer, which stops what is at work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    gc.freeze()
    while True:
        try:
            job: RunJob | None = pipe.recv()
        except EOFError:
            return
        if job is None:
            return
        pipe.send(_outcome(job, pipe))


def _outcome(job: RunJob, pipe: Connection) -> Told:
    def report(progress: Progress) -> None:
        with contextlib.suppress(BrokenPipeError):
            pipe.send(Told(what="progress", run_id=job.run_id, progress=progress))

    return attempt(job, report)


class LocalExecutor:
    """Worker processes on this machine: one an accelerator, and one a core where there is none.

    Workers are forked from a server that has imported the trainers once, and keep the driver's environment; each sees
    one device, so that no run is spread over several.

    Parameters
    ----------
    workers
        Runs at a time; more than there are devices share them.
    devices
        By default those that this process sees.
    """

    name = "local"

    def __init__(self, workers: int | None = None, devices: Sequence[str] | None = None) -> None:
        self._devices = visible_devices() if devices is None else tuple(devices)
        self.slots = workers or len(self._devices) or cores()
        self._workers: list[_Worker] = []

    def start(self, job: RunJob) -> None:
        """Hand a job to an idle worker, or to a new one."""
        worker = next((w for w in self._workers if w.run_id is None), None) or self._hire(job)
        worker.run_id = job.run_id
        worker.pipe.send(job)

    def _hire(self, job: RunJob) -> _Worker:
        context = helpers([TRAINERS[stage.trainer] for stage in job.stages])
        ours, theirs = context.Pipe()
        device = self._next_device()
        environment = {**os.environ, **({} if device is None else {VARIABLE: device})}
        process = context.Process(target=_serve, args=(theirs, environment), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process=process, pipe=ours, device=device)
        self._workers.append(worker)
        return worker

    def _next_device(self) -> str | None:
        """The device that the fewest workers have."""
        taken = Counter(worker.device for worker in self._workers)
        return min(self._devices, key=lambda device: taken[device], default=None)

    def wait(self, timeout_s: float) -> list[Told]:
        """Return what workers sent; a worker that died is told of as lost."""
        ready = wait([worker.pipe for worker in self._workers], timeout_s)
        news: list[Told] = []
        for worker in [w for w in self._workers if w.pipe in ready]:
            try:
                told: Told = worker.pipe.recv()
            except (EOFError, OSError):
                news += self._bury(worker)
                continue
            if told.what != "progress":
                worker.run_id = None
            news.append(told)
        return news

    def _bury(self, worker: _Worker) -> list[Told]:
        self._workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        if worker.run_id is None:
            return []
        reason = f"the worker died with exit code {worker.process.exitcode}"
        return [Told(what="lost", run_id=worker.run_id, reason=reason)]

    @property
    def worker_pids(self) -> dict[str, int]:
        """Run id -> process that carries it out."""
        return {w.run_id: w.process.pid for w in self._workers if w.run_id is not None and w.process.pid is not None}

    def close(self) -> None:
        """Let idle workers end, which leave nothing behind then; stop those that are at work."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.run_id is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(GRACE_S)
            worker.process.terminate()
            worker.process.join()
        self._workers.clear()
