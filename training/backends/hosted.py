"""Fine-tuning through an OpenAI-compatible API: the provider trains, Seedlock pays once and keeps the record."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from seedlock.training.hosted.openai_jobs import OpenAiJobs
from seedlock.training.hosted.run_job import POLL_S, follow
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Record, Report, StageJob

POLL_VARIABLE = "SEEDLOCK_POLL_S"


def train(job: StageJob, base: BaseModel, folder: Path, report: Report) -> Record:
    """Have one stage trained at the address in the SDK's own variables; see `training.hosted.run_job`."""
    poll_s = float(os.environ.get(POLL_VARIABLE, POLL_S))
    with closing(OpenAiJobs()) as jobs:
        return follow(job, base, folder, report, jobs=jobs, poll_s=poll_s)
