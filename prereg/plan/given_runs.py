"""Runs that were trained elsewhere: what lies in each one's folder, held against the digest that the plan pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.base.base_models import folder_here, folder_revision
from seedlock.prereg.base.weights import WeightsFolder, chat_template, misfit, read_weights_folder
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.plan import Plan, PlannedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRun:
    """One run's weights.

    Parameters
    ----------
    label, stage
        `model/arm/seed`, and the stage whose table names the weights.
    spelled, folder
        The folder as the plan spells it, and where that is.
    promised
        The digest that the plan pins; None where it has none yet.
    weights, found
        What lies there, and its digest; None where nothing can be loaded.
    misfit
        Why an adapter does not fit the base model of its run.
    tracker
        Where its training was tracked.
    has_own_template
        Whether its folder brings a chat template other than the base model's, which is what it will be asked with.
    """

    label: str
    stage: str
    spelled: str
    folder: Path
    promised: str | None
    weights: WeightsFolder
    found: str | None
    misfit: str | None
    tracker: str | None
    has_own_template: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is what the plan pins."""
        return self.found is not None and self.found == self.promised

    def line(self) -> str:
        """The run, for a person."""
        what = self.weights.kind or self.weights.fault
        says = f", says base {self.weights.says_base}" if self.weights.says_base else ""
        own = "; its folder has another chat template than its base model" if self.has_own_template else ""
        return f"{self.label} = {self.spelled}: {what}{says}{own}"


def given_stage(plan: Plan, run: PlannedRun) -> str | None:
    """The stage of a run that was carried out elsewhere; None for runs trained here, and unmodified models."""
    if run.seed is None:
        return None
    return next((name for name in plan.arms[run.arm].stages if plan.stages[name].given is not None), None)


def given_runs(plan: Plan, root: Path) -> Iterator[GivenRun]:
    """Every run that the plan says was trained elsewhere, as it lies here."""
    for run in plan.runs():
        if (stage := given_stage(plan, run)) is not None:
            yield _given_run(plan, run, stage, root)


def _given_run(plan: Plan, run: PlannedRun, stage: str, root: Path) -> GivenRun:
    given = plan.stages[stage].given
    assert given is not None  # noqa: S101 - that is how the stage was found
    spelled = given.path
    for part, value in (("{model}", run.model), ("{arm}", run.arm), ("{seed}", str(run.seed))):
        spelled = spelled.replace(part, value)
    folder = root / spelled
    weights = read_weights_folder(folder)
    model = plan.models[run.model]
    base = folder_here(model.base, root, model.revision) if weights.kind == "adapter" else None
    templates = {chat_template(at) for at in (folder, base) if base is not None and at is not None} - {None}
    return GivenRun(
        label=run.label,
        stage=stage,
        spelled=spelled,
        folder=folder,
        promised=given.revisions.get(run.label),
        weights=weights,
        found=folder_revision(folder) if weights.kind else None,
        misfit=misfit(folder, base) if base is not None else None,
        tracker=given.trackers.get(run.label),
        has_own_template=len(templates) > 1,
    )


def require_given(plan: Plan, found: Sequence[GivenRun], study: str) -> None:
    """Refuse weights that are not there, are not what the plan pins, or do not fit the base model of their run.

    Raises
    ------
    BadInput
        With every such run, and the digest of what lies there.
    """
    faults = [fault for run in found if (fault := _fault(run)) is not None]
    labels = {run.label for run in found}
    for name, stage in plan.stages.items():
        for key in ("revisions", "trackers") if stage.given is not None else ():
            faults += [
                Finding(where=f"stages.{name}.given.{key}", found=label, promised=f"a run: {', '.join(sorted(labels))}")
                for label in getattr(stage.given, key).keys() - labels
            ]
    if faults:
        raise BadInput(
            f"{study} names weights made elsewhere that are not what it pins",
            *faults,
            then=f"mend [stages.NAME.given] or the folders, then  seedlock check {study}",
        )


def _fault(run: GivenRun) -> Finding | None:
    where = f"stages.{run.stage}.given, {run.label}"
    if run.weights.fault is not None:
        return Finding(where=where, found=f"{run.spelled}: {run.weights.fault}", promised="an adapter or a whole model")
    if run.misfit is not None:
        return Finding(where=where, found=f"{run.spelled}: {run.misfit}", promised="weights trained on its base model")
    if run.is_whole:
        return None
    pinned = f"{run.promised} (the plan)" if run.promised else f'revisions = {{ "{run.label}" = "{run.found}", ... }}'
    return Finding(where=where, found=f"{run.spelled}: {run.found}", promised=pinned)
