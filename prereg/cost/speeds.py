"""How fast this machine was with a model, today: timed on request, and kept in the workbench outside git."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from seedlock.prereg.base.canonical import canonical_json, write_atomic
from seedlock.prereg.base.machine import cores
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.cost.amounts import Amount, about
from seedlock.prereg.plan.design import STRICT
from seedlock.prereg.plan.plan import Plan

SPEEDS = "speeds.json"
BUSY = 0.8
"""Below this share of a processor the machine was at work for others, and the note says so."""

type Work = Literal["training", "answers", "reading"]


class Speed(BaseModel):
    """One kind of work, timed: tokens a second, and what each run takes besides.

    Parameters
    ----------
    per_second
        Tokens a second of one process, as `estimate` counts them.
    begin_s
        Seconds to load the model and to put things away, once a stage or run.
    share
        Processor time over time gone by; 1 on a quiet machine with one thread.
    """

    model_config = STRICT

    per_second: float = Field(gt=0)
    begin_s: float = Field(default=0.0, ge=0)
    share: float = Field(default=1.0, gt=0)


class Timed(BaseModel):
    """What was timed with one model on one day."""

    model_config = STRICT

    revision: str
    day: date
    device: str
    cores: int = Field(default_factory=cores, gt=0)
    speeds: dict[Work, Speed] = {}

    def amount(self, work: Work) -> Amount | None:
        """Tokens a second, with how they were found; None where this work was not timed."""
        speed = self.speeds.get(work)
        if speed is None:
            return None
        busy = f", which others used too: {speed.share:.0%} of a core" if speed.share < BUSY else ""
        where = f"timed here on {self.day.isoformat()} ({self.device}{busy})"
        return about(speed.per_second, f"{speed.per_second:.3g} tokens a second, {where}")

    def begin(self, work: Work) -> Amount:
        """Seconds that each run takes beside its tokens."""
        speed = self.speeds.get(work)
        seconds = 0.0 if speed is None else speed.begin_s
        return about(seconds, f"{seconds:.3g} s to begin and end each" if seconds else "")


class _File(BaseModel):
    model_config = STRICT

    models: dict[str, Timed] = {}


def read_speeds(paths: StudyPaths, plan: Plan) -> dict[str, Timed]:
    """Model -> what was timed with the weights that the plan pins; a file that cannot be read counts for nothing."""
    file = _file(paths)
    if not file.is_file():
        return {}
    try:
        found = _File.model_validate_json(read_regular(file)).models
    except ValidationError:
        return {}
    pinned = {name: model.revision for name, model in plan.models.items()}
    return {name: timed for name, timed in found.items() if pinned.get(name) == timed.revision}


def keep_speeds(paths: StudyPaths, timed: Mapping[str, Timed]) -> None:
    """Write what was timed to the workbench, which no lock and no seal looks at."""
    file = _file(paths)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, canonical_json(_File(models=dict(timed)).model_dump(mode="json")))


def _file(paths: StudyPaths) -> Path:
    return paths.runs / SPEEDS
