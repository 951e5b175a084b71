"""What was already known when a plan was locked: computed from files, history and the ledger, never typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from seedlock.prereg.base import git
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.plan.plan import Plan

type DataSeen = Literal["none", "pilot", "sealed", "looked"]


class Exposure(BaseModel):
    """The computed part of the lock's `exposure`, beside what the plan declares.

    Parameters
    ----------
    declared
        The plan's own word; it can only make the status worse.
    data_seen
        The furthest step the ledger records: none, pilot, sealed, looked.
    outputs
        Outputs of this study that existed at the lock, by path.
    is_retrospective
        Outputs existed, or the plan says the results are published.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    declared: Literal["none", "pilot", "published"]
    data_seen: DataSeen
    outputs: list[str]
    is_retrospective: bool


def compute_exposure(plan: Plan, paths: StudyPaths, events: Sequence[Event]) -> Exposure:
    """Look for outputs in the study folder, on the workbench, among the reports and in git history."""
    outputs = []
    if plan.import_ is not None and plan.import_.file is not None:
        outputs.append(paths.relative(paths.study / plan.import_.file))
    is_first = not events
    if is_first:
        for relative in output_folders(paths):
            here = sorted((paths.root / relative).rglob("*"))
            outputs += [paths.relative(path) for path in here if _is_output(path, paths)][:20]
            if git.was_ever_tracked(paths.root, relative):
                outputs.append(f"{relative} (in git history)")
    return Exposure(
        declared=plan.study.exposure,
        data_seen=data_seen(plan, events),
        outputs=outputs,
        is_retrospective=bool(outputs) or plan.study.exposure == "published",
    )


def output_folders(paths: StudyPaths) -> tuple[str, str]:
    """Where the outputs of a study lie, relative to the repository: the workbench and the report."""
    return paths.relative(paths.runs), paths.relative(paths.report)


def _is_output(path: Path, paths: StudyPaths) -> bool:
    """A file that a model or an analysis had a part in; the checks of a corpus come before both."""
    return path.is_file() and not path.is_relative_to(paths.runs / "corpora")


def data_seen(plan: Plan, events: Sequence[Event]) -> DataSeen:
    """The furthest step recorded so far."""
    names = {event.name for event in events}
    if "look.opened" in names:
        return "looked"
    if "data.sealed" in names:
        return "sealed"
    return "none" if plan.study.exposure == "none" else "pilot"
