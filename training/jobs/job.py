"""What a worker is handed and what it hands back: plain data that travels between processes and machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.plan.given_runs import GivenRun
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.settings import Seeds, StageSettings
from seedlock.training.rows.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class StageJob:
    """One stage of a run.

    Parameters
    ----------
    stage_id
        Digest of all that decides it; its folder is named by it, and two runs that share it train it once.
    marker
        The corpus's marker, where the loss is on it.
    keeps_merged
        A later stage builds on this one: the adapter is merged into its base.
    """

    name: str
    stage_id: Sha256
    trainer: str
    settings: StageSettings
    seeds: Seeds
    corpus: str
    corpus_sha256: Sha256
    variant: str | None
    marker: str | None
    rows: tuple[Row, ...]
    keeps_merged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """One run: its base model and stages in order, and the workbench folder of the study.

    `given` is what was trained elsewhere, in place of stages.
    """

    run_id: str
    label: str
    model: str
    arm: str
    seed: int | None
    base: BaseModel
    stages: tuple[StageJob, ...]
    workbench: Path
    given: GivenRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is."""

    run_id: str
    stage: str
    step: int
    steps: int
    tokens: int
    loss: float | None


type Report = Callable[[Progress], None]
type Record = dict[str, Any]
"""A finished stage or run as JSON: what goes into its file and into the ledger."""


class Trainer(Protocol):
    """A way to train one stage, resumably: called again after a crash it goes on where it was."""

    def __call__(self, job: StageJob, base: BaseModel, folder: Path, report: Report) -> Record:
        """Train into `folder` and return the stage's record."""
        ...
