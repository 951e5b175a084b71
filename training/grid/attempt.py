"""One attempt at a run: whatever stops it becomes news, not a crash of the grid."""

from __future__ import annotations

from seedlock.prereg.errors import SeedlockError
from seedlock.training.grid.executor import Told
from seedlock.training.grid.run import carry_out
from seedlock.training.jobs.job import Report, RunJob


def attempt(job: RunJob, report: Report) -> Told:
    """Carry a run out; a refusal or an error of its own makes it failed."""
    try:
        return Told(what="finished", run_id=job.run_id, record=carry_out(job, report))
    except SeedlockError as error:
        return Told(what="failed", run_id=job.run_id, reason=str(error))
    except Exception as error:  # one run's fault is its own
        return Told(what="failed", run_id=job.run_id, reason=f"{type(error).__name__}: {error}")
