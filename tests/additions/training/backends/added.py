"""A trainer that learns nothing."""

from __future__ import annotations

from pathlib import Path

from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Record, Report, StageJob


def train(job: StageJob, base: BaseModel, folder: Path, report: Report) -> Record:
    """Refuse at once."""
    raise NotImplementedError(job.name)
