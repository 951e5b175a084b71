"""Fine-tuning through an OpenAI-compatible API: the provider trains, Seedlock pays once and keeps the record."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from training.grid.job import Record, Report, StageJob
from training.grid.models import BaseModel
from training.hosted.follow import POLL_S, follow
from training.hosted.openai_jobs import OpenAiJobs

POLL_VARIABLE = "SEEDLOCK_POLL_S"


def train(job: StageJob, base: BaseModel, folder: Path, report: Report) -> Record:
    """Have one stage trained at the address in the SDK's own variables; see `training.hosted.follow`."""
    poll_s = float(os.environ.get(POLL_VARIABLE, POLL_S))
    with closing(OpenAiJobs()) as jobs:
        return follow(job, base, folder, report, jobs=jobs, poll_s=poll_s)
